"""3x3 convolutions on a CPU, in the integer kernels of matmul.py.

Places of a padded map follow one another with zeros around them, so that a convolution is a product whose rows overlap:
no neighbours are copied.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlaezip.exact import threads
from vlaezip.exact.kernel_cache import kernel
from vlaezip.exact.law import Affine
from vlaezip.exact.matmul import ONE_RUN, Packed, aligned_zeros, macrokernel, round_up, rows_of
from vlaezip.exact.microkernel import LANES, RECTIFIED, STREAM, TILE_ROWS

Shorts = NDArray[np.int16]
CHUNK_ROWS = 104 * TILE_ROWS  # places of a block's hidden layer: what the caches hold
THREAD_SHARE = 1 << 18  # values of a map that are worth a thread


class PaddedMap:
    """A map int16 [B, h, w, C] that convolutions walk over: `inner`, in memory with room for what they touch beyond.

    A place of zeros ends each row, a row of zeros each picture, and as much stands before the first. Channels are
    padded to whole LANES. pitch: places from row to row.
    """

    def __init__(self, shape: tuple[int, int, int], channels: int) -> None:
        b, h, w = shape
        self.shape, self.pitch, self.places = shape, w + 1, b * (h + 1) * (w + 1)
        self.lead = self.pitch + 1
        self.memory: Shorts = aligned_zeros(
            (self.places + 2 * self.lead + TILE_ROWS, round_up(channels, LANES)), np.int16
        )
        whole = self.memory[self.lead :][: self.places].reshape(b, h + 1, w + 1, -1)
        self.inner: Shorts = whole[:, :h, :w, :channels]


@kernel()
def stem_kernel(net: Packed, layer: int, seen: Any, pitch: int, out: Any, first: int, last: int) -> None:
    """Compute stream(conv(seen)) of places first..last, into zeros. out: a map's memory from its first place on."""
    x, to = rows_of(seen, first), rows_of(out, first)
    macrokernel(net, layer, STREAM, x, pitch * x.stride, to, to, last - first)


@kernel()
def block_kernel(net: Packed, layer: int, seen: Any, pitch: int, out: Any, hidden: Any, first: int, last: int) -> None:
    """Compute out = stream(out + affine(rectify(conv(seen)))) of places first..last, where `seen` is rectify(out)."""
    middle = rows_of(hidden, 0)
    for start in range(first, last, CHUNK_ROWS):
        n, x, to = min(CHUNK_ROWS, last - start), rows_of(seen, start), rows_of(out, start)
        macrokernel(net, layer, RECTIFIED, x, pitch * x.stride, x, middle, n)
        macrokernel(net, layer + 1, STREAM, middle, ONE_RUN, to, to, n)


def pad_inputs(conv: Affine) -> Affine:
    """Pad the inputs of a convolution as the channels of a PaddedMap are."""
    inputs, outputs = conv.weight.shape
    whole = np.zeros((9, round_up(inputs // 9, LANES), outputs), np.int16)
    whole[:, : inputs // 9] = conv.weight.reshape(9, -1, outputs)
    return replace(conv, weight=whole.reshape(-1, outputs))


def run_parallel(padded: PaddedMap, work: Callable[[int, int], None]) -> None:
    """Call work(first, last) on all places, a part for each thread that is worth it, in whole TILE_ROWS."""
    count = max(1, min(threads.count(), padded.memory.size // THREAD_SHARE))
    cuts = [round_up(padded.places * n // count, TILE_ROWS) for n in range(count)] + [padded.places]
    threads.together(lambda n: work(cuts[n], cuts[n + 1]), count)
