"""Integer layers, packed for compiled code: int16 operands, int32 sums.

Operands of law.Affine are at most 2**11 and sums below 2**24, so neither type can overflow. A processor multiplies
and adds 16-bit pairs twice to four times as fast as floats.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlaezip.exact.kernel_cache import kernel
from vlaezip.exact.law import Affine
from vlaezip.exact.microkernel import (
    LANES,
    PLAIN,
    STREAM,
    TILE_COLUMNS,
    TILE_ROWS,
    Rows,
    microkernel,
)

LINE = 64  # bytes of a cache line
ONE_RUN = np.int64(0)  # from one run of inputs to the next, where there is no other


class Packed(NamedTuple):
    """Layers one after another. table, int64 [layers, 5]: first weight, first bias, runs of inputs, pairs of inputs in
    a run, LANES of outputs.

    weights int16: of a layer [runs, pairs, outputs, 2]; biases and shifts int32 [outputs]; outputs beyond the layer's
    own, up to a multiple of LANES, are zero.
    """

    weights: NDArray[np.int16]
    biases: NDArray[np.int32]
    shifts: NDArray[np.int32]
    table: NDArray[np.int64]


def round_up(size: int, unit: int) -> int:
    """Round a size up to a multiple of a unit."""
    return -(-size // unit) * unit


def aligned_zeros(shape: tuple[int, ...], dtype: Any) -> Any:
    """An array of zeros that begins at a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + LINE, np.uint8)
    first = -raw.ctypes.data % LINE
    return raw[first : first + size].view(dtype).reshape(shape)


def pack(layers: Sequence[Affine], runs: Sequence[int] = (), unit: int = LANES) -> Packed:
    """Pack layers that law.affine has proven. runs: how many, of equal length, each one's inputs lie in; else one.

    unit: a multiple of LANES, that outputs are filled up to.
    """
    runs = runs or [1] * len(layers)
    split = [layer.weight.reshape(n, -1, layer.weight.shape[1]) for layer, n in zip(layers, runs, strict=True)]
    sizes = [(n, round_up(i, 2), round_up(o, unit)) for n, i, o in (w.shape for w in split)]
    weights = aligned_zeros((sum(n * i * o for n, i, o in sizes),), np.int16)
    biases, shifts = (aligned_zeros((sum(o for *_, o in sizes),), np.int32) for _ in range(2))
    table, first, start = [], 0, 0
    for layer, weight, (n, inputs, outputs) in zip(layers, split, sizes, strict=True):
        _, i, o = weight.shape
        whole = np.zeros((n, inputs, outputs), np.int16)
        whole[:, :i, :o] = weight
        pairs = whole.reshape(n * inputs // 2, 2, outputs).transpose(0, 2, 1)
        weights[first : first + whole.size] = pairs.reshape(-1)
        biases[start : start + o] = layer.bias
        shifts[start : start + o] = layer.shift
        table.append((first, start, n, inputs // 2, outputs // LANES))
        first, start = first + whole.size, start + outputs
    return Packed(weights, biases, shifts, np.array(table, np.int64))


@kernel()
def rows_of(array: Any, first: Any) -> Any:
    """The rows of an array from a number on."""
    return Rows(np.int64(array.ctypes.data) + first * array.strides[0], np.int64(array.strides[0]))


@kernel()
def run_tiles(
    epilogue: Any, x: Any, x_run: Any, weights: Any, runs: Any, pairs: Any, biases: Any, shifts: Any, old: Any,
    out: Any, lanes: Any, n: Any,
) -> None:  # fmt: skip
    """Compute so many LANES of outputs of n rows, by tiles: the microkernel says what its arguments are."""
    size, blocks = 4 if epilogue == PLAIN else 2, (lanes + TILE_COLUMNS - 1) // TILE_COLUMNS
    for block in range(blocks):
        left = lanes * block // blocks
        columns, c = lanes * (block + 1) // blocks - left, left * LANES
        w, b, s = Rows(weights.address + 4 * c, weights.stride), biases + 4 * c, shifts + 4 * c
        for r in range(0, n, TILE_ROWS):
            a = Rows(x.address + r * x.stride, x.stride)
            before = Rows(old.address + r * old.stride + 2 * c, old.stride)
            to = Rows(out.address + r * out.stride + size * c, out.stride)
            if columns == 1:
                microkernel(1, epilogue, a, x_run, w, runs, pairs, b, s, before, to)
            elif columns == 2:
                microkernel(2, epilogue, a, x_run, w, runs, pairs, b, s, before, to)
            elif columns == 3:
                microkernel(3, epilogue, a, x_run, w, runs, pairs, b, s, before, to)
            elif columns == 4:
                microkernel(4, epilogue, a, x_run, w, runs, pairs, b, s, before, to)
            else:
                microkernel(5, epilogue, a, x_run, w, runs, pairs, b, s, before, to)


@kernel()
def macrokernel(packed: Any, layer: Any, epilogue: Any, x: Any, x_run: Any, old: Any, out: Any, n: Any) -> None:
    """Compute product() by tiles, from Rows to Rows. Inputs of a row lie in runs, x_run bytes from one to the next.

    old: what RESIDUAL, STREAM and ERRORS add; the last two may write over it.
    """
    first, start, runs, pairs, lanes = packed.table[layer]
    weights = np.int64(packed.weights.ctypes.data) + 2 * first
    biases = np.int64(packed.biases.ctypes.data) + 4 * start
    shifts = np.int64(packed.shifts.ctypes.data) + 4 * start
    w = Rows(weights, 4 * lanes * LANES)
    run_tiles(epilogue, x, x_run, w, runs, pairs, biases, shifts, old, out, lanes, n)


@kernel()
def product(packed: Any, layer: Any, epilogue: Any, x: Any, out: Any, n: int) -> None:
    """out = layer(x): int16 [N, I] -> int32 [N, O] (PLAIN), or clamped to 0..ACTIVATION_MAX, int16 [N, O] (RECTIFIED).

    RESIDUAL: out = rectify(x + layer(x)); x and out are not the same memory. STREAM: out = clamp(out + layer(x)), as a
    residual stream. ERRORS: the same, with the bounds of errors. The first n rows count; rows up to the next multiple
    of TILE_ROWS are written too, as are outputs up to a multiple of LANES.
    """
    source, target = rows_of(x, 0), rows_of(out, 0)
    macrokernel(packed, layer, epilogue, source, ONE_RUN, target if epilogue >= STREAM else source, target, n)
