"""The local autoregressive model in integers: prior over z and pixel model alike.

Encoding looks at all places at once; decoding goes by wavefront steps, and evaluates the places of a step only. Both
run the same kernels (local_kernels.py) on the same integers, so neither batches nor threads can matter. x is int32
[B, H, W, C] throughout.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding import ans
from vlaezip.coding.ans import Message
from vlaezip.coding.bits_back import Codec
from vlaezip.coding.logistic import Grid, Ints, Mixture
from vlaezip.coding.quantiles import Guesses
from vlaezip.coding.tables import PRECISION
from vlaezip.errors import CorruptFile
from vlaezip.exact import matmul, microkernel, threads
from vlaezip.exact.law import Affine
from vlaezip.model import local_kernels
from vlaezip.model.config import LocalConfig
from vlaezip.model.local_kernels import Buffers, CanvasArrays, Chunks, Cuts, PackedNet, Source
from vlaezip.model.wavefront import locate, wavefront
from vlaezip.model.window import Reach, pad, spare

CHUNK = 1 << 9  # places that the parallel pass looks at together: what the caches hold
SHARE = 16  # places of a step, on average, below which a thread is not worth its waiting
TAKERS = 2  # threads that take turns at a stack, at the most: more were not measured
STEADY = 16  # steps between moves of the border between threads
NAP_SECONDS = 5e-5  # of a thread that waits for another one on a busy machine

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


@lru_cache
def samples(channels: int, values: int) -> Steps:
    """Of pictures: 0..values - 1 in every channel."""
    return Steps(*(np.full(channels, v, np.int32) for v in (1, 0, values)))


PIXELS = samples(3, 256)


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
    """The proven layers. Inputs are those of window.Reach.describe, then the scene's extra ones."""

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
        shown = pad((x - scene.base).astype(np.int16), window, config.kind.fill)
        row = shown.shape[2]
        flat = spare(shown)
        self.order, self.bounds = wavefront(b, h, w)
        spot, edge = np.empty(len(self.order), np.int32), np.empty(len(self.order), np.int8)
        locate(self.order, h, w, window.up, window.left, row, spot, edge)
        reach = Reach(config, row)
        self.arrays = CanvasArrays(
            shown=flat[: shown.size].reshape(-1, c),
            flat=flat,
            order=self.order,
            bounds=self.bounds,
            spot=spot,
            edge=edge,
            extra=np.ascontiguousarray(scene.extra).reshape(len(self.order), -1),
            base=np.ascontiguousarray(scene.base).reshape(-1, c),
            runs=reach.runs,
            ring=reach.ring,
            row=row,
            left=window.left,
            right=window.right,
        )


def packed_net(net: LocalAR, scene: Scene) -> PackedNet:
    """The net, packed for kernels."""
    config = net.config
    used = list(groups(config, scene.grey))
    layers = (net.stem, *net.layers, *net.heads[: len(used)], *net.outs[: len(used)])
    return PackedNet(
        layers=matmul.pack(layers),
        depth=len(net.layers),
        hidden=config.hidden,
        groups=np.array([(channels[0], len(channels), len(seen)) for _, channels, seen in used]),
        order=np.array(config.order),
        relative=config.kind.relative,
        grey=scene.grey,
        warmth=scene.warmth,
        fixed=config.kind.size,
    )


def buffers_for(config: LocalConfig, inputs: int, places: int) -> Buffers:
    """Buffers for so many places."""
    n, lanes = matmul.round_up(places, microkernel.TILE_ROWS), microkernel.LANES
    m, k, line = n * max(config.groups), config.mixtures, matmul.LINE // 2
    wide = matmul.round_up(max(config.hidden + config.channels, matmul.round_up(config.hidden, lanes)), line)
    said = matmul.round_up(3 * k * max(config.groups), lanes)
    trunk, other = (matmul.aligned_zeros((n, wide), np.int16) for _ in range(2))
    return Buffers(
        inputs=matmul.aligned_zeros((n, matmul.round_up(inputs, line)), np.int16),
        trunk=trunk,
        other=other,
        head=matmul.aligned_zeros((n, matmul.round_up(config.head, line)), np.int16),
        outputs=matmul.aligned_zeros((n, said), np.int32),
        mix=Mixture(*(np.empty((m, k), np.int32) for _ in range(3))),
        guess=Guesses(*(np.empty(m, np.float32) for _ in range(2))),
        centre=np.empty(m, np.int32),
        sizes=np.empty(m, np.int64),
        symbols=np.empty(m, np.int32),
        base=np.empty((n, config.channels), np.int32),
        size=np.empty(n, np.int64),
        values=np.zeros((n, config.channels), np.int32),
    )


def grids_of(config: LocalConfig, scene: Scene, places: int) -> Grid:
    """The symbols of so many places, a row each group: [G, places * channels at the most]."""
    result = Grid(*(np.ones((len(config.groups), places * max(config.groups)), np.int32) for _ in range(3)))
    for number, channels, _ in groups(config, scene.grey):
        for row, values in zip(result, scene.steps.grid(places, channels), strict=True):
            row[number, : len(values)] = values
    return result


class Seen(NamedTuple):
    """What an evaluator's n places saw. inputs, int16 [n, I + E]; seen: a group, int16 [n, hidden + channels before];
    base [n, C]; size [n]."""

    inputs: NDArray[np.int16]
    seen: tuple[NDArray[np.int16], ...]
    base: Ints
    size: NDArray[np.int64]


class Evaluator:
    """Runs the net on places of a canvas, up to `capacity` at once, in buffers of its own."""

    def __init__(self, net: LocalAR, canvas: Canvas, scene: Scene, capacity: int) -> None:
        self.net, self.canvas, self.scene = net, canvas, scene
        self.groups = list(groups(net.config, scene.grey))
        self.packed = packed_net(net, scene)
        self.buffers = buffers_for(net.config, len(net.stem.weight), capacity)
        self.grids = grids_of(net.config, scene, capacity)

    def values(self, start: int, end: int, choose: Choose) -> Ints:
        """Go through the groups of the places start..end of the wavefront, choose giving their symbols. -> [N, C]."""
        rows, n = self.buffers, end - start
        local_kernels.evaluate_trunk(self.packed, self.canvas.arrays, rows, start, end)
        for number, channels, _ in self.groups:
            local_kernels.evaluate_mixtures(self.packed, rows, number, n)
            m = n * len(channels)
            mix = Mixture(*(a[:m].copy() for a in rows.mix))
            grid = Grid(*(a[number, :m] for a in self.grids))
            rows.symbols[:m] = choose(number, mix, grid)
            local_kernels.record_symbols(self.packed, rows, grid.step, number, n)
        return rows.values[:n].copy()

    def rows(self, n: int) -> Seen:
        """Copies of what the last n places saw."""
        rows, hidden = self.buffers, self.net.config.hidden
        inputs = rows.inputs[:n, : len(self.net.stem.weight)].copy()
        trunk = rows.trunk[:n].copy()
        seen = tuple(trunk[:, : hidden + len(before)] for _, _, before in self.groups)
        return Seen(inputs, seen, rows.base[:n].copy(), rows.size[:n].copy())


def encode_intervals(net: LocalAR, scene: Scene, x: Ints) -> Intervals:
    """One parallel pass over x: the intervals of its symbols, in the order in which decode meets them."""
    return intervals_of(net, scene, x, 1)


def estimated_bits(net: LocalAR, scene: Scene, x: Ints, stride: int) -> float:
    """About what the symbols of x cost, by one place of so many."""
    intervals = intervals_of(net, scene, x, stride)
    found = intervals.freqs[intervals.freqs > 0]
    return float(PRECISION - np.log2(found).mean()) * len(intervals.freqs)


def intervals_of(net: LocalAR, scene: Scene, x: Ints, stride: int) -> Intervals:
    """encode_intervals, for every stride-th chunk of places; the others have frequencies of zero."""
    config = net.config
    canvas, packed = Canvas(config, scene, x), packed_net(net, scene)
    count = len(canvas.order)
    chunk = min(CHUNK, count)
    widths = packed.groups[:, 1]
    starts, freqs = (np.zeros(count * widths.sum(), np.uint32) for _ in range(2))
    intervals = Intervals(starts, freqs, segments(canvas.bounds, widths))
    step_of = np.repeat(np.arange(len(canvas.bounds) - 1, dtype=np.int32), np.diff(canvas.bounds))
    grids = grids_of(config, scene, chunk)
    many = max(1, min(threads.count(), count // (chunk * stride)))
    flat = np.ascontiguousarray(x, np.int32).reshape(-1, config.channels)

    def work(share: int) -> None:
        rows = buffers_for(config, len(net.stem.weight), chunk)
        local_kernels.encode_share(
            packed, canvas.arrays, rows, grids, flat, step_of, Chunks(share * stride, many * stride, chunk), intervals
        )

    threads.together(work, many)
    return intervals


def segments(steps: NDArray[np.int64], widths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each group of each step begins among the symbols: a step's groups follow one another. -> [S * G + 1]."""
    before = np.cumsum(widths) - widths
    starts = steps[:-1, None] * widths.sum() + np.diff(steps)[:, None] * before
    return np.append(starts.reshape(-1), steps[-1] * widths.sum())


def decode(net: LocalAR, scene: Scene, draw: Draw) -> Ints:
    """By wavefront: x [B, H, W, C], its symbols taken from `draw` in the order in which encode pushed them."""
    shape = scene.base.shape
    canvas = Canvas(net.config, scene, scene.base.astype(np.int32))
    evaluator = Evaluator(net, canvas, scene, int(np.diff(canvas.bounds).max()))
    result = np.empty((len(canvas.order), shape[3]), np.int32)
    for a, b in itertools.pairwise(canvas.bounds.tolist()):
        if a == b:  # every other step of a picture one place wide
            continue
        result[canvas.order[a:b]] = evaluator.values(a, b, lambda _, mix, grid: draw(mix, grid))
        local_kernels.write_values(evaluator.packed, canvas.arrays, evaluator.buffers, a, b)
    return result.reshape(shape)


def cut(order: Ints, bounds: NDArray[np.int64], width: int, count: int) -> Cuts:
    """Divide every step's places, from the top, into `count` shares.

    Borders between shares are rows of pictures, and stay where they are for STEADY steps.
    """
    line = order // width
    cuts = np.empty((len(bounds) - 1, count + 1), np.int64)
    for first in range(0, len(cuts), STEADY):
        middle = min(first + STEADY // 2, len(cuts) - 1)
        a, b = bounds[middle], bounds[middle + 1]
        borders = [line[a + (b - a) * p // count] if b > a else 0 for p in range(1, count)]
        for step in range(first, min(first + STEADY, len(cuts))):
            a, b = bounds[step], bounds[step + 1]
            cuts[step] = (a, *(a + np.searchsorted(line[a:b], borders)), b)
    return Cuts(cuts, np.arange(len(cuts)) % STEADY == 0)


def decode_from(net: LocalAR, scene: Scene, source: Source) -> Ints:
    """decode(), in compiled threads. Raises CorruptFile when the stack runs dry."""
    config, shape = net.config, scene.base.shape
    canvas, packed = Canvas(config, scene, scene.base.astype(np.int32)), packed_net(net, scene)
    steps = len(canvas.bounds) - 1
    result = np.empty((len(canvas.order), shape[3]), np.int32)

    def work(share: int) -> None:
        move = 0
        while not team.broken:
            move = local_kernels.decode_share(
                packed, canvas.arrays, rows[share], grids, source, cuts, share, move, result
            )
            if move == local_kernels.FOREVER:
                return
            time.sleep(NAP_SECONDS)

    with threads.team(min(TAKERS, threads.count(), len(canvas.order) // (steps * SHARE))) as team:
        cuts = cut(canvas.order, canvas.bounds, shape[2], team.size)
        most = int(np.diff(cuts.borders).max())
        grids = grids_of(config, scene, most)
        rows = [buffers_for(config, len(net.stem.weight), most) for _ in range(team.size)]  # here a lack harms nobody
        team.run(work)
    if source.state[local_kernels.LEFT] < 0:
        raise CorruptFile("the data ends before the picture does")
    return result.reshape(shape)


def sample(net: LocalAR, scene: Scene, targets: NDArray[np.uint32]) -> Ints:
    """decode(), where symbols are quantiles of targets, each below 2**22, in the order in which decode meets them."""
    nothing = ans.empty(1)
    return decode_from(net, scene, Source(nothing.heads, nothing.words, targets, np.zeros(16, np.int64)))


def pop(net: LocalAR, scene: Scene, message: Message) -> tuple[Message, Ints]:
    """The inverse of pushing encode_intervals."""
    state = np.zeros(16, np.int64)
    state[local_kernels.LEFT] = len(message.words)
    source = Source(message.heads.copy(), message.words.copy(), np.zeros(0, np.uint32), state)
    x = decode_from(net, scene, source)
    return Message(source.heads, message.words[: state[local_kernels.LEFT]]), x


def codec(net: LocalAR, scene: Scene) -> Codec:
    """x as a codec. The law: pop(push(message, x)) == (message, x)."""

    def push(message: Message, x: Any) -> Message:
        return ans.push(message, *encode_intervals(net, scene, x))

    return Codec(push, lambda message: pop(net, scene, message))
