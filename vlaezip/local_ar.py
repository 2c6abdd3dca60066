"""The local autoregressive model in integers: prior over z and pixel model alike (DESIGN section 5).

Encoding looks at all places at once; decoding goes by wavefront steps, and evaluates the places of a step only. Both
run the same net on the same integers, so the batch cannot matter. x is int32 [B, H, W, C] throughout.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

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
from vlaezip.exact import Affine, Buffer, buffer
from vlaezip.window import FILL, Reach, know, pad, settle, wavefront

CHUNK = 1 << 11  # places that the parallel pass looks at together: what the caches hold

Draw = Callable[[Mixture, Grid], Ints]
Choose = Callable[[int, Mixture, Grid], Ints]  # number of the group, its mixtures and their symbols' grid


class Steps(NamedTuple):
    """step, low, count of the symbols of each channel: int32 [C]."""

    step: Ints
    low: Ints
    count: Ints  # type: ignore[assignment]  # tuples have a method of that name

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
    """The proven layers. Inputs are those of window.Reach.look, then the scene's extra ones."""

    config: LocalConfig
    stem: Affine
    layers: tuple[Affine, ...]
    heads: tuple[Affine, ...]
    outs: tuple[Affine, ...]


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
        self.extra = scene.extra.reshape(len(self.order), -1)
        self.base = scene.base.reshape(-1, c)
        self.config = config
        self.reach = Reach(config, self.row)

    def look(self, start: int, end: int, inputs: Any, base: Any, size: Any) -> None:
        """Fill inputs [N, I + E], base [N, C] and size [N] of the places start..end."""
        which = self.order[start:end]
        self.reach.look(self.shown, self.spot[start:end], self.extra[which], inputs, base, size)
        base += self.base[which]

    def write(self, start: int, end: int, values: Ints) -> None:
        """Draw values [N, C] at places start..end, and what windows see of them beyond the edges."""
        residual = values - self.base[self.order[start:end]]
        settle(self.shown, self.spot[start:end], self.edge[start:end], self.row, self.config.window, residual)


class Rows(NamedTuple):
    """The first n rows of an evaluator's buffers."""

    inputs: Buffer  # [n, I + E]
    sums: Buffer  # [n, hidden], scratch
    trunk: Buffer  # [n, hidden]
    seen: tuple[Tensor, ...]  # a group: [n, hidden + channels seen], the trunk and the contrast of earlier channels
    known: NDArray[np.float32]  # [n, C], that contrast
    head: Buffer  # [n, head]
    outs: tuple[Buffer, ...]  # a group: [n, g * 3 * K]
    answers: tuple[NDArray[np.float32], ...]  # the same as [n * g, 3, K]
    base: Ints  # [n, C]
    size: NDArray[np.int64]  # [n]
    grids: tuple[Grid, ...]  # a group: the symbols of [n * g] values


class Evaluator:
    """Runs the net on places of a canvas, up to `capacity` at once, in buffers of its own."""

    def __init__(self, net: LocalAR, canvas: Canvas, scene: Scene, capacity: int) -> None:
        config = net.config
        self.net, self.canvas, self.scene = net, canvas, scene
        self.groups = list(groups(config, scene.grey))
        self.grids = [scene.steps.grid(capacity, channels) for _, channels, _ in self.groups]
        self.inputs = torch.empty(capacity, len(net.stem.weight))
        self.hidden = torch.empty(capacity, config.hidden + config.channels)
        self.sums = torch.empty(capacity, config.hidden)
        self.head = torch.empty(capacity, config.head)
        self.outs = [torch.empty(capacity, len(out.bias)) for out in net.outs]
        self.base = np.empty((capacity, config.channels), np.int32)
        self.size = np.empty(capacity, np.int64)
        self.cache: dict[int, Rows] = {}

    def rows(self, n: int) -> Rows:
        """Views of n rows; the wavefront asks for the same few n again and again."""
        if n not in self.cache:
            self.cache[n] = self.views(n)
        return self.cache[n]

    def views(self, n: int) -> Rows:
        """Rows, made anew."""
        config, hidden = self.net.config, self.hidden[:n]
        outs = tuple(buffer(o[:n]) for o in self.outs)
        return Rows(
            inputs=buffer(self.inputs[:n]),
            sums=buffer(self.sums[:n]),
            trunk=buffer(hidden[:, : config.hidden]),
            seen=tuple(hidden[:, : config.hidden + len(seen)] for _, _, seen in self.groups),
            known=hidden.numpy()[:, config.hidden :],
            head=buffer(self.head[:n]),
            outs=outs,
            answers=tuple(o.array.reshape(-1, 3, config.mixtures) for o in outs),
            base=self.base[:n],
            size=self.size[:n],
            grids=tuple(
                Grid(*(a[: n * len(channels)] for a in grid))
                for grid, (_, channels, _) in zip(self.grids, self.groups, strict=True)
            ),
        )

    def values(self, start: int, end: int, choose: Choose) -> Ints:
        """Go through the groups of the places start..end of the wavefront, choose giving their symbols. -> [N, C]."""
        net, config = self.net, self.net.config
        r = self.rows(end - start)
        self.canvas.look(start, end, r.inputs.array, r.base, r.size)
        net.stem.rectified(r.inputs.tensor, r.sums, r.trunk)
        for layer in net.layers:
            layer.rectified(r.trunk.tensor, r.sums, r.trunk, residual=True)
        values = np.zeros((end - start, config.channels), np.int32)
        for number, channels, seen in self.groups:
            net.heads[number].rectified(r.seen[number], r.head, r.head)
            net.outs[number].into(r.head.tensor, r.outs[number])
            first, last = channels[0], channels[-1] + 1
            centre, size = r.base[:, first:last].reshape(-1), r.size
            if config.relative and seen:
                centre = centre + (values - r.base)[:, seen[0]]
            if len(channels) > 1:
                size = np.repeat(size, len(channels))
            mix = mixture(r.answers[number], centre, size, self.scene.warmth)
            symbols = choose(number, mix, r.grids[number])
            values[:, first:last] = symbols.reshape(-1, len(channels)) * self.scene.steps.step[first:last]
            know(values[:, first:last], r.base[:, first:last], r.size, r.known[:, len(seen) :])
        return np.repeat(values[:, config.order[:1]], config.channels, 1) if self.scene.grey else values


def encode_intervals(net: LocalAR, scene: Scene, x: Ints) -> Intervals:
    """One parallel pass over x: the intervals of its symbols, in the order in which decode meets them."""
    canvas = Canvas(net.config, scene, x)
    flat = x.reshape(-1, net.config.channels)[canvas.order]
    evaluator = Evaluator(net, canvas, scene, min(CHUNK, len(flat)))
    widths = np.array([len(channels) for _, channels, _ in evaluator.groups])
    starts, freqs = (np.empty(len(flat) * widths.sum(), np.uint32) for _ in range(2))
    bounds = segments(canvas.bounds, widths)
    step_of = np.repeat(np.arange(len(canvas.bounds) - 1), np.diff(canvas.bounds))
    for a in range(0, len(flat), CHUNK):
        b = min(a + CHUNK, len(flat))
        step = step_of[a:b]

        def known(number: int, mix: Mixture, grid: Grid, a: int = a, b: int = b, step: Any = step) -> Ints:
            _, channels, _ = evaluator.groups[number]
            symbols = flat[a:b, channels[0] : channels[-1] + 1].reshape(-1) // grid.step
            first = bounds[step * len(widths) + number] + (np.arange(a, b) - canvas.bounds[step]) * len(channels)
            where = (first[:, None] + np.arange(len(channels))).reshape(-1)
            starts[where], freqs[where] = intervals(mix, grid, symbols)
            return symbols

        evaluator.values(a, b, known)
    return Intervals(starts, freqs, bounds)


def segments(steps: NDArray[np.int64], widths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each group of each step begins among the symbols: a step's groups follow one another. -> [S * G + 1]."""
    before = np.cumsum(widths) - widths
    starts = steps[:-1, None] * widths.sum() + np.diff(steps)[:, None] * before
    return np.append(starts.reshape(-1), steps[-1] * widths.sum())


@contextmanager
def one_thread() -> Iterator[None]:
    """Products of a step are too small to share: threads would wait for each other, and on a busy machine for long."""
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(count)


@one_thread()
def decode(net: LocalAR, scene: Scene, draw: Draw) -> Ints:
    """By wavefront: x [B, H, W, C], its symbols taken from `draw` in the order in which encode pushed them."""
    shape = scene.base.shape
    canvas = Canvas(net.config, scene, scene.base.astype(np.int32))
    evaluator = Evaluator(net, canvas, scene, int(np.diff(canvas.bounds).max()))
    result = np.empty((len(canvas.order), shape[3]), np.int32)
    for a, b in itertools.pairwise(canvas.bounds.tolist()):
        if a == b:  # every other step of a picture one place wide
            continue
        values = evaluator.values(a, b, lambda _, mix, grid: draw(mix, grid))
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
