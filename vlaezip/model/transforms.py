"""The nets around z on a CPU, in integers: analysis, q(z|x), and synthesis. Their twin: device/transforms.py."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.logistic import Ints
from vlaezip.exact import matmul, threads
from vlaezip.exact.conv3 import CHUNK_ROWS, PaddedMap, block_kernel, pad_inputs, run_parallel, stem_kernel
from vlaezip.exact.law import ACTIVATION_MAX, STREAM_MAX, Affine
from vlaezip.exact.matmul import aligned_zeros, round_up
from vlaezip.exact.microkernel import LANES, PLAIN, STREAM, TILE_ROWS
from vlaezip.model.config import VlaeConfig
from vlaezip.model.layout import preview_parts

Shorts = NDArray[np.int16]
ResidualBlock = tuple[Affine, Affine]
STRIP = 1 << 16  # pixels, or places, that are folded or spread at once
STEM, FIRST = 0, 1  # numbers of layers


@dataclass(frozen=True, slots=True)
class Stack:
    """Analysis or synthesis: stem, residual blocks, a change of resolution, residual blocks, result.

    A block is a 3x3 convolution and an affine layer. convolved: whether the stem is a convolution too. direct: the path
    between pixels and the stream at the resolution of z, past the other stream.
    """

    stem: Affine
    convolved: bool
    first: tuple[ResidualBlock, ...]
    turn: Affine
    second: tuple[ResidualBlock, ...]
    out: Affine
    direct: Affine | None


class Runner:
    """A stack, packed: its layers by number, those of the second blocks after the turn, and more after the last."""

    def __init__(self, stack: Stack, *more: Affine) -> None:
        blocks = [layer for block in (*stack.first, *stack.second) for layer in block]
        at = 2 * len(stack.first)
        layers = [stack.stem, *blocks[:at], stack.turn, *blocks[at:], stack.out]
        self.blocks, self.turn, self.out, self.direct = len(stack.first), FIRST + at, len(layers) - 1, 0
        if stack.direct is not None:
            self.direct = len(layers)
            layers.append(stack.direct)
        self.more = len(layers)
        layers += more
        convolved = {FIRST + n + (n >= at) for n in range(0, len(blocks), 2)} | ({STEM} if stack.convolved else set())
        self.outputs = [layer.weight.shape[1] for layer in layers]
        self.net = matmul.pack(
            [pad_inputs(layer) if n in convolved else layer for n, layer in enumerate(layers)],
            [3 if n in convolved else 1 for n in range(len(layers))],
        )

    def product(self, layer: int, x: Any) -> Ints:
        """A layer that is no convolution: int16 [B, h, w, ...] -> int32 [B, h, w, O]."""
        found: Ints = self.run(layer, x, PLAIN, np.int32)
        return found

    def stream(self, layer: int, x: Any) -> Shorts:
        """product, clamped as a residual stream: int16."""
        found: Shorts = self.run(layer, x, STREAM, np.int16)
        return found

    def run(self, layer: int, x: Any, kind: Any, dtype: Any) -> Any:
        """product() in rows of their own."""
        n, inputs, outputs = math.prod(x.shape[:3]), math.prod(x.shape[3:]), self.outputs[layer]
        rows = aligned_zeros((round_up(n, TILE_ROWS), round_up(inputs, 2)), np.int16)
        rows[:n, :inputs].reshape(x.shape)[:] = x
        out = aligned_zeros((len(rows), round_up(outputs, LANES)), dtype)
        matmul.product(self.net, layer, kind, rows, out, n)
        return out[:n, :outputs].reshape(*x.shape[:3], outputs)

    def begin(self, seen: PaddedMap, out: PaddedMap) -> None:
        """The stem as a convolution, into a map of zeros."""
        run_parallel(
            out, lambda a, b: stem_kernel(self.net, STEM, seen.memory, seen.pitch, out.memory[out.lead :], a, b)
        )

    def run_blocks(self, layer: int, x: PaddedMap) -> None:
        """Pre-activation residual blocks, the first of which begins with this layer. x is changed."""
        seen, channels = PaddedMap(x.shape, x.inner.shape[3]), x.memory.shape[1]

        def run(number: int, first: int, last: int) -> None:
            hidden = aligned_zeros((CHUNK_ROWS, channels), np.int16)
            block_kernel(self.net, number, seen.memory, seen.pitch, x.memory[x.lead :], hidden, first, last)

        for number in range(layer, layer + 2 * self.blocks, 2):
            np.clip(x.inner, 0, ACTIVATION_MAX, out=seen.inner)
            run_parallel(x, partial(run, number))


def strips(shape: tuple[int, int, int], work: Callable[[slice, slice], None], size: int = 1) -> None:
    """work on all of [B, h, w] by slices of pictures and of rows, about STRIP at once. size: pixels of a place."""
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


def cells(x: Any, n: int) -> Any:
    """A view of [B, H, W, C] by cells of n x n: [B, H/n, W/n, n, n, C]."""
    b, h, w, c = x.shape
    return x.reshape(b, h // n, n, w // n, n, c).transpose(0, 1, 3, 2, 4, 5)


def spread(values: Any, n: int, out: Any) -> None:
    """Put values of cells [B, h, w, n n C] where they belong in `out`."""
    there = cells(out, n)
    there[:] = values.reshape(there.shape)


def of_cells(layer: Affine, n: int) -> Affine:
    """A layer that sees cells by channel, row, column, as files have it, for cells by row, column, channel."""
    inputs, outputs = layer.weight.shape
    whole = layer.weight.reshape(-1, n, n, outputs).transpose(1, 2, 0, 3)
    return replace(layer, weight=whole.reshape(inputs, outputs))


def to_cells(layer: Affine, n: int, first: int = 0, last: int | None = None) -> Affine:
    """The same for one that says cells, and of these some channels only."""
    order = np.arange(len(layer.bias)).reshape(-1, n, n)[first:last].transpose(1, 2, 0).flatten()
    return Affine(layer.weight[:, order], layer.bias[order], layer.shift[order])


class PackedTransforms:
    """Analysis and synthesis of one set of weights."""

    device = "cpu"

    def __init__(self, config: VlaeConfig, analysis: Stack, synthesis: Stack) -> None:
        self.config, self.stacks = config, (analysis, synthesis)
        n, side, c = config.unshuffle, config.stride, config.channels
        direct = analysis.direct and of_cells(analysis.direct, side)
        stem, turn = of_cells(analysis.stem, n), of_cells(analysis.turn, 2)
        self.analysis = Runner(replace(analysis, stem=stem, turn=turn, direct=direct))
        direct = synthesis.direct and to_cells(synthesis.direct, side)
        turn, out, features = (
            to_cells(synthesis.turn, 2),
            to_cells(synthesis.out, n, 0, c),
            to_cells(synthesis.out, n, c),
        )
        self.synthesis = Runner(replace(synthesis, turn=turn, out=out, direct=direct), features)

    def analyse(self, x: Shorts) -> Ints:
        """What the analysis says of pictures, less 128, int16 [B, H, W, C]: int32 [B, h, w, 2 Z]."""
        c, net = self.config, self.analysis
        b, h, w = x.shape[0], x.shape[1] // c.stride, x.shape[2] // c.stride
        fine, coarse = PaddedMap((b, 2 * h, 2 * w), c.width), PaddedMap((b, h, w), c.coarse_width)

        def begin(p: slice, r: slice) -> None:
            fine.inner[p, r] = net.stream(STEM, cells(x[p, times(r, c.unshuffle)], c.unshuffle))

        def turn(p: slice, r: slice) -> None:
            total = net.product(net.turn, cells(fine.inner[p, times(r, 2)], 2))
            if net.direct:
                total += net.product(net.direct, cells(x[p, times(r, c.stride)], c.stride))
            np.clip(total, -STREAM_MAX - 1, STREAM_MAX, out=coarse.inner[p, r], casting="unsafe")

        strips((b, 2 * h, 2 * w), begin)
        net.run_blocks(FIRST, fine)
        strips((b, h, w), turn)
        net.run_blocks(net.turn + 1, coarse)
        return net.product(net.out, coarse.inner)

    def synthesise(self, z: Ints, level: int) -> tuple[Ints, Shorts]:
        """The mean picture of z [B, h, w, Z], int32 [B, H, W, C], and its features c(z), int16 [B, H, W, F]."""
        c, net, parts = self.config, self.synthesis, preview_parts(self.config)
        b, h, w, latent = z.shape
        seen = PaddedMap((b, h, w), latent + (c.levels if c.guided else 0))
        coarse, fine = PaddedMap((b, h, w), c.coarse_width), PaddedMap((b, 2 * h, 2 * w), c.width)
        seen.inner[..., :latent] = z
        if c.guided:
            seen.inner[..., latent + level] = 1
        preview = np.empty((b, h * c.stride, w * c.stride, c.channels), np.int32)
        features = np.empty((*preview.shape[:3], c.features), np.int16)

        def turn(p: slice, r: slice) -> None:
            spread(net.stream(net.turn, coarse.inner[p, r]), 2, fine.inner[p, times(r, 2)])

        def finish(p: slice, r: slice) -> None:
            there, rows = fine.inner[p, times(r, 2)], times(r, c.stride)
            shown = preview[p, rows]
            spread(net.product(net.out, there), c.unshuffle, shown)
            spread(net.stream(net.more, there), c.unshuffle, features[p, rows])
            if net.direct:
                straight = np.empty_like(shown)
                spread(net.product(net.direct, coarse.inner[p, r]), c.stride, straight)
                shown += straight + parts // 2
                shown >>= parts.bit_length() - 1  # a power of two
            np.clip(shown + 128, 0, 255, out=shown)

        net.begin(seen, coarse)
        net.run_blocks(FIRST, coarse)
        strips((b, h, w), turn)
        net.run_blocks(net.turn + 1, fine)
        strips((b, h, w), finish, c.stride**2)
        return preview, features
