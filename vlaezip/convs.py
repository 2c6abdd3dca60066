"""The nets around z on a CPU: analysis, which is q(z|x), and synthesis, in the integer kernels of packed.py.

The twin of convs_torch.py. A map lies in a sheet, whose places follow one another with zeros around them, so that a
convolution is a product whose rows overlap: no neighbours are copied.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from vlaezip import packed, threads
from vlaezip.coding.logistic import Ints
from vlaezip.config import ACTIVATION_MAX, STREAM_MAX, VlaeConfig
from vlaezip.exact import Affine
from vlaezip.layout import preview_parts
from vlaezip.packed import LANES, PLAIN, RECTIFIED, ROWS, STREAM, Packed, aligned, room, tiles

Shorts = NDArray[np.int16]
Block = tuple[Affine, Affine]
CHUNK = 104 * ROWS  # places of a block's hidden layer: what the caches hold
STRIP = 1 << 12  # places that are folded or spread at once
SHARE = 1 << 18  # values of a sheet that are worth a thread
STEM, FIRST = 0, 1  # numbers of layers


@dataclass(frozen=True, slots=True)
class Stack:
    """Analysis or synthesis: stem, residual blocks, a change of resolution, residual blocks, result.

    A block is a 3x3 convolution and an affine layer. convolved: whether the stem is a convolution too. direct: the path
    between pixels and the stream at the resolution of z, past the other stream.
    """

    stem: Affine
    convolved: bool
    first: tuple[Block, ...]
    turn: Affine
    second: tuple[Block, ...]
    out: Affine
    direct: Affine | None


class Sheet:
    """A map int16 [B, h, w, C] that convolutions walk over: `inner`, in memory with room for what they touch beyond.

    A place of zeros ends each row, a row of zeros each picture, and as much stands before the first. Channels are
    padded to whole LANES.
    """

    def __init__(self, shape: tuple[int, int, int], channels: int) -> None:
        b, h, w = shape
        self.shape, self.step, self.places = shape, w + 1, b * (h + 1) * (w + 1)
        self.lead = self.step + 1
        self.memory: Shorts = aligned((self.places + 2 * self.lead + ROWS, room(channels, LANES)), np.int16)
        whole = self.memory[self.lead :][: self.places].reshape(b, h + 1, w + 1, -1)
        self.inner: Shorts = whole[:, :h, :w, :channels]


@numba.njit(cache=True, nogil=True)
def stem_kernel(net: Packed, layer: int, seen: Any, step: int, out: Any, first: int, last: int) -> None:
    """stream(conv(seen)) of places first..last, into what holds zeros. out: the sheet from its first place on."""
    row, to = seen.strides[0], np.int64(out.ctypes.data) + first * out.strides[0]
    x = np.int64(seen.ctypes.data) + first * row
    tiles(net, layer, STREAM, x, row, step * row, to, out.strides[0], to, out.strides[0], last - first)


@numba.njit(cache=True, nogil=True)
def block_kernel(net: Packed, layer: int, seen: Any, step: int, out: Any, hidden: Any, first: int, last: int) -> None:
    """out = stream(out + affine(rectify(conv(seen)))) of places first..last, where `seen` is rectify(out)."""
    row, middle, middle_row = seen.strides[0], np.int64(hidden.ctypes.data), hidden.strides[0]
    for start in range(first, last, CHUNK):
        n = min(CHUNK, last - start)
        x, to = np.int64(seen.ctypes.data) + start * row, np.int64(out.ctypes.data) + start * out.strides[0]
        tiles(net, layer, RECTIFIED, x, row, step * row, x, row, middle, middle_row, n)
        tiles(net, layer + 1, STREAM, middle, middle_row, 0, to, out.strides[0], to, out.strides[0], n)


class Runner:
    """A stack, packed: its layers by number. Those of the second blocks follow the turn."""

    def __init__(self, stack: Stack) -> None:
        blocks = [layer for block in (*stack.first, *stack.second) for layer in block]
        at = 2 * len(stack.first)
        layers = [stack.stem, *blocks[:at], stack.turn, *blocks[at:], stack.out]
        convolutions = {id(stack.stem) if stack.convolved else 0} | {id(a) for a, _ in (*stack.first, *stack.second)}
        self.blocks, self.turn, self.out, self.direct = len(stack.first), FIRST + at, len(layers) - 1, 0
        if stack.direct is not None:
            self.direct = len(layers)
            layers.append(stack.direct)
        self.outputs = [layer.weight.shape[1] for layer in layers]
        there = [id(layer) in convolutions for layer in layers]
        layers = [spaced(layer) if conv else layer for layer, conv in zip(layers, there, strict=True)]
        self.net = packed.pack(layers, [3 if conv else 1 for conv in there])

    def product(self, layer: int, x: Any) -> Ints:
        """A layer that is no convolution: int16 [..., I] -> int32 [..., O]."""
        n, inputs, outputs = math.prod(x.shape[:-1]), x.shape[-1], self.outputs[layer]
        rows = aligned((room(n, ROWS), room(inputs, 2)), np.int16)
        rows[:n, :inputs] = x.reshape(n, inputs)
        out = aligned((len(rows), room(outputs, LANES)), np.int32)
        packed.product(self.net, layer, PLAIN, rows, out, n)
        found: Ints = out[:n, :outputs].reshape(*x.shape[:-1], outputs)
        return found

    def begin(self, seen: Sheet, out: Sheet) -> None:
        """The stem as a convolution, into a sheet of zeros."""
        each(out, lambda a, b: stem_kernel(self.net, STEM, seen.memory, seen.step, out.memory[out.lead :], a, b))

    def run_blocks(self, layer: int, x: Sheet) -> None:
        """Pre-activation residual blocks, the first of which begins with this layer. x is changed."""
        seen, channels = Sheet(x.shape, x.inner.shape[3]), x.memory.shape[1]

        def run(number: int, first: int, last: int) -> None:
            hidden = aligned((CHUNK, channels), np.int16)
            block_kernel(self.net, number, seen.memory, seen.step, x.memory[x.lead :], hidden, first, last)

        for number in range(layer, layer + 2 * self.blocks, 2):
            np.clip(x.inner, 0, ACTIVATION_MAX, out=seen.inner)
            each(x, partial(run, number))


def spaced(conv: Affine) -> Affine:
    """A convolution whose inputs are padded as those of a sheet are."""
    inputs, outputs = conv.weight.shape
    whole = np.zeros((9, room(inputs // 9, LANES), outputs), np.int16)
    whole[:, : inputs // 9] = conv.weight.reshape(9, -1, outputs)
    return replace(conv, weight=whole.reshape(-1, outputs))


def each(sheet: Sheet, work: Callable[[int, int], None]) -> None:
    """work(first, last) on all places of a sheet, a part for each thread that is worth it, in whole ROWS."""
    count = max(1, min(threads.count(), sheet.memory.size // SHARE))
    cuts = [room(sheet.places * n // count, ROWS) for n in range(count)] + [sheet.places]
    threads.together(lambda n: work(cuts[n], cuts[n + 1]), count)


def strips(shape: tuple[int, int, int], work: Callable[[slice, slice], None], size: int = 1) -> None:
    """work on all of [B, h, w] by slices of pictures and of rows: about STRIP places of so many pixels at once."""
    b, h, w = shape
    rows = min(h, max(1, STRIP // (w * size)))
    pictures = max(1, STRIP // (h * w * size)) if rows == h else 1
    found = [
        (slice(n, min(n + pictures, b)), slice(top, min(top + rows, h)))
        for n in range(0, b, pictures)
        for top in range(0, h, rows)
    ]
    count = max(1, min(threads.count(), len(found) // 2))

    def part(number: int) -> None:
        for strip in found[number::count]:
            work(*strip)

    threads.together(part, count)


def times(rows: slice, n: int) -> slice:
    """The same rows where each is n."""
    return slice(rows.start * n, rows.stop * n)


def stream(x: Ints) -> Ints:
    """Clamp of a signed residual stream."""
    return np.clip(x, -STREAM_MAX - 1, STREAM_MAX)


def fold(x: Any, n: int) -> Any:
    """n x n places into channels (channel, row, column): [B, H, W, C] -> [B, H/n, W/n, C n n]. Inverse of spread."""
    b, h, w, c = x.shape
    return x.reshape(b, h // n, n, w // n, n, c).transpose(0, 1, 3, 5, 2, 4).reshape(b, h // n, w // n, c * n * n)


def spread(x: Any, n: int) -> Any:
    """Inverse of fold: [B, H, W, C n n] -> [B, H n, W n, C]."""
    b, h, w, c = x.shape
    c //= n * n
    return x.reshape(b, h, w, c, n, n).transpose(0, 1, 4, 2, 5, 3).reshape(b, h * n, w * n, c)


class Nets:
    """Analysis and synthesis of one set of weights."""

    device = "cpu"

    def __init__(self, config: VlaeConfig, analysis: Stack, synthesis: Stack) -> None:
        self.config, self.stacks = config, (analysis, synthesis)
        self.analysis, self.synthesis = Runner(analysis), Runner(synthesis)

    def analyse(self, x: Shorts) -> Ints:
        """What the analysis says of pictures, less 128, int16 [B, H, W, C]: int32 [B, h, w, 2 Z]."""
        c, net = self.config, self.analysis
        b, h, w = x.shape[0], x.shape[1] // c.stride, x.shape[2] // c.stride
        fine, deep = Sheet((b, 2 * h, 2 * w), c.width), Sheet((b, h, w), c.deep)

        def begin(p: slice, r: slice) -> None:
            fine.inner[p, r] = stream(net.product(STEM, fold(x[p, times(r, c.unshuffle)], c.unshuffle)))

        def turn(p: slice, r: slice) -> None:
            total = net.product(net.turn, fold(fine.inner[p, times(r, 2)], 2))
            if net.direct:
                total += net.product(net.direct, fold(x[p, times(r, c.stride)], c.stride))
            deep.inner[p, r] = stream(total)

        strips((b, 2 * h, 2 * w), begin)
        net.run_blocks(FIRST, fine)
        strips((b, h, w), turn)
        net.run_blocks(net.turn + 1, deep)
        return net.product(net.out, deep.inner)

    def synthesise(self, z: Ints, level: int) -> tuple[Ints, Shorts]:
        """The mean picture of z [B, h, w, Z], int32 [B, H, W, C], and its features c(z), int16 [B, H, W, F]."""
        c, net = self.config, self.synthesis
        b, h, w, latent = z.shape
        seen = Sheet((b, h, w), latent + (c.levels if c.guided else 0))
        deep, fine = Sheet((b, h, w), c.deep), Sheet((b, 2 * h, 2 * w), c.width)
        seen.inner[..., :latent] = z
        if c.guided:
            seen.inner[..., latent + level] = 1
        preview = np.empty((b, h * c.stride, w * c.stride, c.channels), np.int32)
        features = np.empty((*preview.shape[:3], c.features), np.int16)

        def turn(p: slice, r: slice) -> None:
            fine.inner[p, times(r, 2)] = spread(stream(net.product(net.turn, deep.inner[p, r])), 2)

        def finish(p: slice, r: slice) -> None:
            out, rows = spread(net.product(net.out, fine.inner[p, times(r, 2)]), c.unshuffle), times(r, c.stride)
            picture = out[..., : c.channels]
            if net.direct:  # its parts are a power of two
                parts = preview_parts(c)
                straight = spread(net.product(net.direct, deep.inner[p, r]), c.stride)
                picture = (picture + straight + parts // 2) >> (parts.bit_length() - 1)
            np.clip(picture + 128, 0, 255, out=preview[p, rows])
            features[p, rows] = stream(out[..., c.channels :])

        net.begin(seen, deep)
        net.run_blocks(FIRST, deep)
        strips((b, h, w), turn)
        net.run_blocks(net.turn + 1, fine)
        strips((b, h, w), finish, c.stride**2)
        return preview, features
