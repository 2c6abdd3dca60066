"""3x3 convolutions on a CPU, in the integer kernels of matmul.py.

A map lies in a sheet, whose places follow one another with zeros around them, so that a convolution is a product whose
rows overlap: no neighbours are copied.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlaezip.exact import threads
from vlaezip.exact.kernel_cache import kernel
from vlaezip.exact.law import Affine
from vlaezip.exact.matmul import LANES, ONE_RUN, RECTIFIED, ROWS, STREAM, Packed, aligned, room, tiles

Shorts = NDArray[np.int16]
CHUNK = 104 * ROWS  # places of a block's hidden layer: what the caches hold
SHARE = 1 << 18  # values of a sheet that are worth a thread


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


@kernel()
def stem_kernel(net: Packed, layer: int, seen: Any, step: int, out: Any, first: int, last: int) -> None:
    """stream(conv(seen)) of places first..last, into what holds zeros. out: the sheet from its first place on."""
    row, to = seen.strides[0], np.int64(out.ctypes.data) + first * out.strides[0]
    x = np.int64(seen.ctypes.data) + first * row
    tiles(net, layer, STREAM, x, row, step * row, to, out.strides[0], to, out.strides[0], last - first)


@kernel()
def block_kernel(net: Packed, layer: int, seen: Any, step: int, out: Any, hidden: Any, first: int, last: int) -> None:
    """out = stream(out + affine(rectify(conv(seen)))) of places first..last, where `seen` is rectify(out)."""
    row, middle, middle_row = seen.strides[0], np.int64(hidden.ctypes.data), hidden.strides[0]
    for start in range(first, last, CHUNK):
        n = min(CHUNK, last - start)
        x, to = np.int64(seen.ctypes.data) + start * row, np.int64(out.ctypes.data) + start * out.strides[0]
        tiles(net, layer, RECTIFIED, x, row, step * row, x, row, middle, middle_row, n)
        tiles(net, layer + 1, STREAM, middle, middle_row, ONE_RUN, to, out.strides[0], to, out.strides[0], n)


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
