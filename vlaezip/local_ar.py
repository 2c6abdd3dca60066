"""The local autoregressive model in integers: prior over z and pixel model alike (DESIGN section 5).

Encoding looks at all places at once; decoding goes by wavefront steps, and evaluates the places of a step only. Both
run `Net` on the same integers, so the batch cannot matter. x is int32 [B, H, W, C] throughout.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vlaezip.coding import ans
from vlaezip.coding.ans import Message
from vlaezip.coding.codecs import Codec
from vlaezip.coding.logistic import Grid, Ints, Mixture, intervals, mixture
from vlaezip.coding.tables import PRECISION
from vlaezip.config import LocalConfig
from vlaezip.exact import Affine, rectify
from vlaezip.window import FILL, GAIN_BITS, GAIN_OF, contrast, look, pad, settle, wavefront

CHUNK = 1 << 15  # places that the parallel pass looks at together

Draw = Callable[[Mixture, Grid], Ints]


class Steps(NamedTuple):
    """step, low, count of the symbols of each channel: int32 [C]."""

    step: Ints
    low: Ints
    count: Ints

    def grid(self, places: int, channels: tuple[int, ...]) -> Grid:
        """The symbols of `places` vectors of the given channels."""
        index = list(channels)
        return Grid(*(np.tile(a[index], places) for a in self))


class Intervals(NamedTuple):
    """Starts and frequencies of symbols, uint32 [N], in vectors bounds[v]..bounds[v + 1]: what ans.push takes."""

    starts: NDArray[np.uint32]
    freqs: NDArray[np.uint32]
    bounds: NDArray[np.int64]

    @property
    def bits(self) -> float:
        """What the model says that the symbols cost."""
        return float(PRECISION * len(self.freqs) - np.log2(self.freqs).sum())


PIXELS = Steps(*(np.full(3, v, np.int32) for v in (1, 0, 256)))


class Scene(NamedTuple):
    """What is known before the first symbol.

    base, int16 [B, H, W, C]: the preview, or zeros. extra, int16 [B, H, W, E]: features, neighbourhood, level. grey:
    code the first channel only, the others are equal to it. warmth: widens all mixtures, in 1/16 nat.
    """

    base: NDArray[np.int16]
    extra: NDArray[np.int16]
    steps: Steps
    grey: bool = False
    warmth: int = 0


@dataclass(frozen=True, slots=True)
class LocalAR:
    """The proven layers. Inputs are those of window.look, then the scene's extra ones."""

    config: LocalConfig
    stem: Affine
    layers: tuple[Affine, ...]
    heads: tuple[Affine, ...]
    outs: tuple[Affine, ...]

    def trunk(self, inputs: Tensor) -> Tensor:
        """[N, I] -> [N, hidden]."""
        h = rectify(self.stem(inputs))
        for layer in self.layers:
            h = rectify(layer(h).add_(h))
        return h

    def outputs(self, group: int, h: Tensor, known: Tensor) -> NDArray[np.float32]:
        """[N, hidden] and the contrast of the channels known so far [N, seen] -> [N * g, 3, K]."""
        o = self.outs[group](rectify(self.heads[group](torch.cat([h, known], 1))))
        return o.view(-1, 3, self.config.mixtures).cpu().numpy()

    @property
    def device(self) -> torch.device:
        return self.stem.bias.device


def groups(config: LocalConfig, grey: bool) -> Iterator[tuple[int, tuple[int, ...], tuple[int, ...]]]:
    """(number, channels, channels seen before) of each group, in the order of coding. A grey picture has one."""
    seen = 0
    for number, size in enumerate(config.groups[: 1 if grey else None]):
        yield number, config.order[seen : seen + size], config.order[:seen]
        seen += size


class Canvas:
    """A picture being looked at or drawn: what windows see, and where each place of the wavefront lies in it."""

    def __init__(self, config: LocalConfig, scene: Scene, x: Ints) -> None:
        b, h, w, c = x.shape
        window = config.window
        shown = pad(torch.from_numpy((x - scene.base).astype(np.int16)), window, FILL[config.reference])
        self.row = shown.shape[2]
        self.shown = shown.numpy().reshape(-1, c)
        self.order, self.bounds = wavefront(b, h, w)
        picture, place = np.divmod(self.order, h * w)
        i, j = np.divmod(place, w)
        self.spot = (picture * shown.shape[1] + i + window.up) * self.row + j + window.left
        self.edge = ((j == 0) & (i < h - 1)).astype(np.int8) + 2 * (j == w - 1)
        self.offsets = np.array([dy * self.row + dx for dy, dx in window.offsets], np.int64)
        self.extra = scene.extra.reshape(len(self.order), -1)
        self.base = scene.base.reshape(-1, c)
        self.config = config

    def view(self, start: int, end: int) -> tuple[NDArray[np.float32], Ints, NDArray[np.int64]]:
        """Inputs [N, I + E], base [N, C], size [N] of the places start..end of the wavefront."""
        which = self.order[start:end]
        inputs, base, size = look(self.config, self.shown, self.spot[start:end], self.offsets, self.extra[which])
        return inputs, base + self.base[which], size

    def write(self, start: int, end: int, values: Ints) -> None:
        """Draw values [N, C] at places start..end, and what windows see of them beyond the edges."""
        residual = values - self.base[self.order[start:end]]
        settle(self.shown, self.spot[start:end], self.edge[start:end], self.row, self.config.window, residual)


def vectors(net: LocalAR, canvas: Canvas, scene: Scene, start: int, end: int, choose: Any) -> Ints:
    """Go through the groups of places start..end; choose(channels, mixture) gives their symbols [N * g]. -> [N, C]."""
    config = net.config
    inputs, base, size = canvas.view(start, end)
    h = net.trunk(torch.from_numpy(inputs).to(net.device))
    values = np.zeros((end - start, config.channels), np.int32)
    gain = torch.from_numpy(GAIN_OF[size]).float()[:, None]
    for number, channels, seen in groups(config, scene.grey):
        offset = torch.from_numpy((values - base)[:, list(seen)]).float()
        outputs = net.outputs(number, h, contrast(offset, gain).to(net.device))
        shift = (values - base)[:, config.order[:1]] if config.relative and seen else 0
        centre = (base[:, list(channels)] + shift).reshape(-1)
        mix = mixture(outputs, centre, np.repeat(size, len(channels)), scene.warmth)
        values[:, list(channels)] = choose(number, channels, mix).reshape(-1, len(channels)) * scene.steps.step[list(channels)]
        if scene.grey:
            values[:] = values[:, list(channels)]
    return values


def encode_intervals(net: LocalAR, scene: Scene, x: Ints) -> Intervals:
    """One parallel pass over x: the intervals of its symbols, in the order in which decode meets them."""
    config = net.config
    canvas = Canvas(config, scene, x)
    flat = x.reshape(-1, config.channels)[canvas.order]
    coded = list(groups(config, scene.grey))
    widths = np.array([len(channels) for _, channels, _ in coded])
    total = widths.sum()
    starts, freqs = (np.empty(len(flat) * total, np.uint32) for _ in range(2))
    # The segment of group g in a step of places a..b begins at a * total + (b - a) * (widths before g).
    before = np.cumsum(widths) - widths
    bounds = (canvas.bounds[:-1, None] * total + np.diff(canvas.bounds)[:, None] * before).reshape(-1)
    bounds = np.append(bounds, len(starts))
    step_of = np.repeat(np.arange(len(canvas.bounds) - 1), np.diff(canvas.bounds))

    for a in range(0, len(flat), CHUNK):
        b = min(a + CHUNK, len(flat))

        def known(number: int, channels: tuple[int, ...], mix: Mixture, a: int = a, b: int = b) -> Ints:
            symbols = flat[a:b, list(channels)] // scene.steps.step[list(channels)]
            start, freq = intervals(mix, scene.steps.grid(b - a, channels), symbols.reshape(-1))
            step = step_of[a:b]
            first = bounds[step * len(coded) + number] + (np.arange(a, b) - canvas.bounds[step]) * len(channels)
            where = (first[:, None] + np.arange(len(channels))).reshape(-1)
            starts[where], freqs[where] = start, freq
            return symbols

        vectors(net, canvas, scene, a, b, known)
    return Intervals(starts, freqs, bounds)


def decode(net: LocalAR, scene: Scene, draw: Draw) -> Ints:
    """By wavefront: x [B, H, W, C], its symbols taken from `draw` in the order in which encode pushed them."""
    shape = scene.base.shape
    canvas = Canvas(net.config, scene, scene.base.astype(np.int32))
    result = np.empty((len(canvas.order), shape[3]), np.int32)
    for a, b in zip(canvas.bounds[:-1], canvas.bounds[1:], strict=True):

        def take(number: int, channels: tuple[int, ...], mix: Mixture, n: int = b - a) -> Ints:
            return draw(mix, scene.steps.grid(n, channels))

        values = vectors(net, canvas, scene, a, b, take)
        canvas.write(a, b, values)
        result[canvas.order[a:b]] = values
    return result.reshape(shape)


def codec(net: LocalAR, scene: Scene) -> Codec:
    """x as a codec. The law: pop(push(message, x)) == (message, x)."""

    def push(message: Message, x: Any) -> Message:
        return ans.push(message, *encode_intervals(net, scene, x))

    def pop(message: Message) -> tuple[Message, Any]:
        state = [message]

        def draw(mix: Mixture, grid: Grid) -> Ints:
            state[0], symbols = ans.pop(state[0], mix, grid)
            return symbols

        x = decode(net, scene, draw)
        return state[0], x

    return Codec(push, pop)
