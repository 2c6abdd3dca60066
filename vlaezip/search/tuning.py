"""The search for a tuning: gradient descent on the picture that is being coded (`--effort`).

Floats choose here, and integers decide (tuned.py): another machine or number of threads may find another tuning, and
every machine decodes it exactly. Work is counted in steps, never in seconds, so one machine repeats itself.

The loss is what the file would cost: -log2 p(x|z) of random places, scaled to the whole picture, plus the changes'
own bits. Changes are rounded in the forward pass and straight through in the backward one (Bengio et al. 2013).
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vlaezip.codec import block, lossless
from vlaezip.coding.logistic import Grid, Ints, Mixture
from vlaezip.coding.tables import PRECISION
from vlaezip.device.float_mixture import symbol_bits
from vlaezip.exact.law import ACTIVATION_MAX
from vlaezip.format.container import Header
from vlaezip.format.limits import least_bits
from vlaezip.format.tiles import split
from vlaezip.model import local_ar, tuned
from vlaezip.model.layout import UNIT, Layer
from vlaezip.model.tuned import Change, Tuning
from vlaezip.model.vlae import Vlae
from vlaezip.search import idle
from vlaezip.search.effort import EFFORTS, Progress, unheard

PLACES = 1 << 19  # of the picture, at the most, that the search looks at
BATCH = 1 << 11
FIRST_WORK, LAST_WORK = 8e9, 1.5e11  # products forward, at efforts 1 and 9
MAX_PASSES = 40  # over a small picture
RANK_PLACES = (1 << 16, 1 << 18)  # from which rank 1 and rank 2 pay
LEAST_PLACES = 1 << 11  # a picture with fewer cannot pay for changes
SEED = 1
LEVELS = 256  # of samples
SHARE = 1 - LEVELS * 2.0**-PRECISION  # of all mass, that mixtures have: each symbol has a unit
CHUNK_MAX = 10  # bytes of a chunk beside its payload: type, length, checksum


@dataclass(frozen=True, slots=True)
class Settings:
    """How to search. rates: of learning, in steps of a change; exponents of steps: as in the file, a kind each."""

    exponents: dict[str, int]
    rates: dict[str, float]
    amplitude: float = 3.0  # of the right factor at the start, in steps
    straight: float = 0.3  # share of the search after which changes are rounded in the forward pass
    least_mean: float = 0.02  # of |change|: a prior is never narrower


SETTINGS = Settings(
    exponents={"bias": 3, "gain": 6, "left": 6, "right": 0},
    rates={"bias": 0.5, "gain": 0.3, "left": 0.3, "right": 0.3},
)


class Samples(NamedTuple):
    """What the net sees of N places, and what is there. Weights do not change any of it. Channels are coded one by one.

    inputs int16 [N, I]; known: a group, int16 [N, columns of the head beside the trunk]; symbols int16 [N, C] in coding
    order; offsets int16 [N, C]: symbol less what its means are relative to; sizes uint8 [N].
    """

    inputs: Tensor
    known: tuple[Tensor, ...]
    symbols: Tensor
    offsets: Tensor
    sizes: Tensor

    def at(self, index: Tensor) -> "Samples":
        return Samples(self.inputs[index], tuple(k[index] for k in self.known), *(t[index] for t in self[2:]))


def fit(
    net: Vlae, header: Header, colour: Any, data: bytes, effort: int, progress: Progress = unheard
) -> tuple[bytes, bytes | None]:
    """Spend effort: smaller data and the tuning that it needs, or the data as it was where nothing is gained."""
    tiles = split(header.height, header.width, header.tile)
    blocks = (colour[t.slices][None].astype(np.int32) for t in tiles)
    tuning = search(net, blocks, header.width * header.height, header.grey, effort, progress)
    if tuning is None:
        return data, None
    smaller = lossless.encode(tuned.read_into(net, tuning, header.grey), header, colour)
    if len(smaller) + len(tuning) + CHUNK_MAX >= len(data):
        return data, None
    if 8 * len(smaller) < least_bits(header, net.config.stride, net.config.latent):
        return data, None
    return smaller, tuning


def search(
    model: Vlae, blocks: Iterable[Ints], places: int, grey: bool, effort: int, progress: Progress = unheard
) -> bytes | None:
    """The payload of TUNING for blocks of pixels, int32 [B, H, W, 3], `places` in all; None where nothing was found.

    effort: 1..9. The caller measures whether it pays.
    """
    if places < LEAST_PLACES:
        return None
    layers = tuned.tunable(model, grey)
    with idle.torch_threads(progress) as step_done:
        samples = gather_samples(model, blocks, grey, min(1.0, PLACES / places))
        descent = Search(model, layers, samples, places, rank(places, effort))
        descent.run(length(layers, samples, effort), step_done)
    tuning = descent.tuning()
    return tuned.write(tuning, layers) if tuning.changes else None


def length(layers: list[Layer], samples: Samples, effort: int) -> int:
    """Steps of a search."""
    products = sum(len(layer.largest) * len(layer.steps) for layer in layers)
    work = FIRST_WORK * (LAST_WORK / FIRST_WORK) ** ((effort - 1) / (EFFORTS - 2))
    return max(1, int(min(work / products, MAX_PASSES * len(samples.sizes)) / BATCH))


def rank(places: int, effort: int) -> int:
    """Of the factors: what larger pictures can pay for, and longer searches find."""
    return min(sum(places >= least for least in RANK_PLACES), (effort - 1) // 3)


def gather_samples(model: Vlae, blocks: Iterable[Ints], grey: bool, share: float) -> Samples:
    """What the pixel model sees of a random share of the blocks' places."""
    random = np.random.default_rng(SEED)
    parts = [part for x in blocks for part in block_samples(model, x, grey, share, random)]
    columns = list(zip(*parts, strict=True))
    inputs, known, *rest = (columns[0], list(zip(*columns[1], strict=True)), *columns[2:])
    join = torch.cat
    return Samples(join(inputs), tuple(join(k) for k in known), *(join(r) for r in rest))


def block_samples(model: Vlae, x: Ints, grey: bool, share: float, random: np.random.Generator) -> Iterator[Samples]:
    """Samples of a block, from chunks of its wavefront."""
    net = model.pixel
    scene = model.pixel_scene(block.first_latent(model, x), x.shape[:3], grey)
    canvas = local_ar.Canvas(net.config, scene, x)
    flat = x.reshape(-1, x.shape[3])[canvas.order]
    evaluator = local_ar.Evaluator(net, canvas, scene, min(local_ar.CHUNK, len(flat)))
    order = [channels[0] for _, channels, _ in evaluator.groups]
    for start in range(0, len(flat), local_ar.CHUNK):
        end = min(start + local_ar.CHUNK, len(flat))
        if random.random() >= share:
            continue
        there = flat[start:end]

        def choose(number: int, mix: Mixture, grid: Grid, there: Ints = there) -> Ints:
            return there[:, order[number]]

        evaluator.values(start, end, choose)
        rows = evaluator.rows(end - start)
        offsets = (there - rows.base)[:, order]
        offsets[:, 1:] -= offsets[:, :1]  # later channels are seen relative to the first one's surprise
        yield Samples(
            torch.from_numpy(rows.inputs),
            tuple(torch.from_numpy(seen[:, net.config.hidden :]) for seen in rows.seen),
            torch.from_numpy(there[:, order].astype(np.int16)),
            torch.from_numpy(offsets.astype(np.int16)),
            torch.from_numpy(rows.size.astype(np.uint8)),
        )


class FloatLayer(NamedTuple):
    """The float twin of a layer in real units: weight [I, O], bias [O], units of the inputs [I]."""

    weight: Tensor
    bias: Tensor
    units: Tensor


def twin(model: Vlae, layer: Layer) -> FloatLayer:
    """Of a layer of the pixel model. Rounding down costs half a step, so that much is taken off the bias."""
    weight, bias, shift = (torch.from_numpy(part) for part in tuned.integers(tuned.find(model.pixel, layer)))
    steps, units = torch.from_numpy(layer.steps), torch.from_numpy(layer.units)
    scale = torch.ldexp(steps, -shift)
    return FloatLayer(
        (weight * scale[:, None] / units).t().float().contiguous(), (bias * scale - steps / 2).float(), units.float()
    )


class Search:
    """Changes on their way: float tensors, in steps."""

    def __init__(self, model: Vlae, layers: list[Layer], samples: Samples, places: int, rank: int) -> None:
        self.config, self.samples, self.places, self.rank = model.config.pixel, samples, places, rank
        self.layers = layers
        self.twins = {layer.name: twin(model, layer) for layer in layers}
        self.random = torch.Generator().manual_seed(SEED)
        self.changes = {
            (layer.name, kind): torch.zeros(shape, requires_grad=True)
            for layer in layers
            for kind, shape in tuned.shapes(layer, rank)
        }
        self.straight = False
        if rank:
            self.begin_factors()

    def value(self, name: str, kind: str) -> Tensor:
        """Real changes, as the file would hold them once `straight` is set."""
        q = self.changes[name, kind]
        if self.straight:
            q = q + (q.round() - q).detach()
        return q * 2.0 ** (tuned.STEP_LOG2[kind] + SETTINGS.exponents[kind])

    def layer(self, name: str, x: Tensor) -> Tensor:
        """A tuned layer: x [N, I] in integers -> [N, O], real."""
        t = self.twins[name]
        x = x * t.units
        y = (x @ t.weight) * (1 + self.value(name, "gain")) + (t.bias + self.value(name, "bias"))
        if self.rank:
            y = y + (x @ self.value(name, "right")) @ self.value(name, "left").t()
        return y

    def bits(self, s: Samples) -> Tensor:
        """-log2 p(x|z) of places [N], all channels: the float twin of local_ar.Evaluator.values."""
        most = ACTIVATION_MAX * UNIT

        def rectified(name: str, x: Tensor) -> Tensor:
            return self.layer(name, x).clamp(0, most)

        h = rectified("pixel.stem", s.inputs.float())
        for i in range(self.config.depth):
            h = (h + self.layer(f"pixel.layers.{i}", h / UNIT)).clamp(0, most)
        total = torch.zeros(len(h))
        for i, known in enumerate(s.known):
            head = rectified(f"pixel.heads.{i}", torch.cat([h / UNIT, known.float()], 1))
            outputs = self.layer(f"pixel.outs.{i}", head / UNIT).view(len(h), 1, 3, -1)
            offset, symbol = s.offsets[:, i : i + 1].float(), s.symbols[:, i : i + 1]
            total = total + symbol_bits(outputs, offset, s.sizes, 0, LEVELS - 1, symbol, 1.0, SHARE)[:, 0]
        return total

    def begin_factors(self) -> None:
        """Right factors begin along the steepest directions of the whole weights, left ones at zero."""
        weights = {name: t.weight.requires_grad_(True) for name, t in self.twins.items()}
        for _ in range(8):
            self.bits(self.samples.at(self.draw())).sum().backward()  # type: ignore[no-untyped-call]
        for name, weight in weights.items():
            assert weight.grad is not None
            directions = torch.linalg.svd(weight.grad, full_matrices=False)[0][:, : self.rank]
            scaled = directions * (SETTINGS.amplitude / directions.square().mean(0).sqrt())
            right = self.changes[name, "right"]
            with torch.no_grad():
                right.copy_(torch.zeros_like(right))
                right[:, : scaled.shape[1]] = scaled.clamp(-4 * SETTINGS.amplitude, 4 * SETTINGS.amplitude)
            weight.requires_grad_(False)

    def draw(self) -> Tensor:
        return torch.randint(len(self.samples.sizes), (BATCH,), generator=self.random)

    def run(self, steps: int, step_done: Progress = unheard) -> None:
        """Descend by Adam (Kingma and Ba 2015), the rates falling as a cosine."""
        groups = [{"params": [q], "lr": SETTINGS.rates[kind]} for (_, kind), q in self.changes.items()]
        optimiser = torch.optim.Adam(groups, betas=(0.9, 0.98))
        rates = [group["lr"] for group in optimiser.param_groups]
        for step in range(steps):
            factor = min(1, (step + 1) / 20) * (0.5 + 0.5 * math.cos(math.pi * step / steps)) + 0.005
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            self.straight = step >= SETTINGS.straight * steps
            pixels = self.bits(self.samples.at(self.draw())).mean()
            loss = pixels + self.price() / self.places
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            step_done((step + 1) / steps)

    def price(self) -> Tensor:
        """Bits of all changes, under two-sided geometric priors with the mean sizes that they have now."""
        total = torch.zeros(())
        for q in self.changes.values():
            size = q.abs()
            mean = size.detach().round().mean().clamp(min=SETTINGS.least_mean)
            ratio = (torch.sqrt(1 + mean * mean) - 1) / mean
            total = total - size.numel() * torch.log2((1 - ratio) / (1 + ratio)) - size.sum() * torch.log2(ratio)
        return total

    def tuning(self) -> Tuning:
        """What was found, rounded."""
        most = tuned.CHANGE_MAX
        parts = {
            key: Change(q.detach().round().clamp(-most, most).long().numpy(), SETTINGS.exponents[key[1]])
            for key, q in self.changes.items()
        }
        for layer in self.layers:  # a factor without the other changes nothing
            pair = [(layer.name, kind) for kind in ("left", "right")]
            if any(key in parts and not parts[key].values.any() for key in pair):
                for key in pair:
                    parts.pop(key)
        return Tuning(self.rank, {key: part for key, part in parts.items() if part.values.any()})
