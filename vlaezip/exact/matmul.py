"""Integer layers, packed for compiled code: int16 operands, int32 sums.

Operands of law.Affine are at most 2**11 and sums below 2**24, so neither type can overflow. A processor multiplies
and adds 16-bit pairs twice to four times as fast as floats.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic
from numpy.typing import NDArray

from vlaezip.exact.kernel_cache import kernel
from vlaezip.exact.law import ACTIVATION_MAX, STREAM_MAX, Affine

CPU_FEATURES: str | None = numba.config.CPU_FEATURES  # type: ignore[attr-defined]
FEATURES = get_host_cpu_features() if CPU_FEATURES is None else CPU_FEATURES  # type: ignore[no-untyped-call]
# Products of 16-bit pairs, added in twos, in each width of registers; LLVM joins them with the sum where it can.
PAIR_INSTRUCTIONS = {
    16: ("+avx512bw", "llvm.x86.avx512.pmaddw.d.512"),
    8: ("+avx2", "llvm.x86.avx2.pmadd.wd"),
    4: ("+sse2", "llvm.x86.sse2.pmadd.wd"),
}
LANES = next((n for n, (feature, _) in PAIR_INSTRUCTIONS.items() if feature in FEATURES.split(",")), 0)
PAIR_INSTRUCTION = PAIR_INSTRUCTIONS[LANES][1] if LANES else None  # none: LLVM makes its own of products and sums
LANES = LANES or 4
TILE_ROWS = 5  # a tile holds TILE_ROWS x columns x LANES sums, which must fit into the registers
TILE_COLUMNS = 5 if LANES == 16 else 2
LINE = 64  # bytes of a cache line
# Epilogues, what becomes of the sums: see product(). Numbers of a type, as numba compiles a function anew for every
# literal that it is called with.
PLAIN, RECTIFIED, RESIDUAL, STREAM = map(np.int64, range(4))
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


def pack(layers: Sequence[Affine], runs: Sequence[int] = ()) -> Packed:
    """Pack layers that law.affine has proven. runs: how many, of equal length, each one's inputs lie in; else one."""
    runs = runs or [1] * len(layers)
    split = [layer.weight.reshape(n, -1, layer.weight.shape[1]) for layer, n in zip(layers, runs, strict=True)]
    sizes = [(n, round_up(i, 2), round_up(o, LANES)) for n, i, o in (w.shape for w in split)]
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


def build_microkernel(
    typing: Any,
    columns: Any,
    epilogue: Any,
    x: Any,
    x_row: Any,
    x_run: Any,
    w: Any,
    w_row: Any,
    runs: Any,
    pairs: Any,
    biases: Any,
    shifts: Any,
    old: Any,
    old_row: Any,
    out: Any,
    out_row: Any,
) -> Any:
    """Compute TILE_ROWS x columns * LANES outputs of a layer; the sums stay in registers. columns is a literal.

    Addresses, and strides of rows and of runs in bytes. old: what RESIDUAL and STREAM add.
    """
    width = columns.literal_value

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        _, epilogue, x, x_row, x_run, w, w_row, runs, pairs, bias, shift, old, old_row, out, out_row = arguments
        i16, i32, i64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
        sums, halves = ir.VectorType(i32, LANES), ir.VectorType(i16, 2 * LANES)
        shorts = ir.VectorType(i16, LANES)

        def splat(value: Any) -> Any:
            one = b.insert_element(ir.Constant(sums, ir.Undefined), value, i32(0))
            return b.shuffle_vector(one, ir.Constant(sums, ir.Undefined), ir.Constant(sums, [0] * LANES))

        def at(base: Any, row: int, stride: Any, offset: int, kind: Any) -> Any:
            address = b.add(b.add(base, b.mul(stride, i64(row))), i64(offset))
            return b.inttoptr(address, kind.as_pointer())

        def pair_sums(x: Any, w: Any) -> Any:
            """x[2 i] w[2 i] + x[2 i + 1] w[2 i + 1]."""
            if PAIR_INSTRUCTION:
                signature = ir.FunctionType(sums, [halves, halves])
                native = cgutils.get_or_insert_function(b.module, signature, PAIR_INSTRUCTION)  # type: ignore[no-untyped-call]
                return b.call(native, [x, w])
            x, w = b.bitcast(x, sums), b.bitcast(w, sums)
            half = splat(i32(16))
            low = b.mul(*(b.ashr(b.shl(v, half), half) for v in (x, w)))
            return b.add(low, b.mul(b.ashr(x, half), b.ashr(w, half)))

        zero = i64(0)
        variable: Any = cgutils.alloca_once_value  # it lives in a register
        begin = [b.load(at(bias, 0, zero, 4 * LANES * c, sums), align=4) for c in range(width)]
        total = [[variable(b, value) for value in begin] for _ in range(TILE_ROWS)]
        with cgutils.for_range(b, runs) as run, cgutils.for_range(b, pairs) as loop:
            line = b.add(w, b.mul(b.add(b.mul(run.index, pairs), loop.index), w_row))
            weights = [b.load(at(line, 0, zero, 4 * LANES * c, halves), align=4) for c in range(width)]
            column = b.add(b.add(x, b.mul(run.index, x_run)), b.mul(loop.index, i64(4)))
            for r in range(TILE_ROWS):
                two = b.bitcast(splat(b.load(at(column, r, x_row, 0, i32), align=2)), halves)
                for c in range(width):
                    b.store(b.add(b.load(total[r][c]), pair_sums(two, weights[c])), total[r][c])

        signed = b.icmp_signed("==", epilogue, i64(int(STREAM)))
        low = splat(b.select(signed, i32(-STREAM_MAX - 1), i32(0)))
        high = splat(b.select(signed, i32(STREAM_MAX), i32(ACTIVATION_MAX)))

        def clamp(v: Any) -> Any:
            v = b.select(b.icmp_signed("<", v, low), low, v)
            return b.trunc(b.select(b.icmp_signed(">", v, high), high, v), shorts)

        for c in range(width):
            shifts = b.load(at(shift, 0, zero, 4 * LANES * c, sums), align=4)
            for r in range(TILE_ROWS):
                b.store(b.ashr(b.load(total[r][c]), shifts), total[r][c])
        with b.if_else(b.icmp_signed("==", epilogue, i64(int(PLAIN)))) as (plain, clamped):
            with plain:
                for r in range(TILE_ROWS):
                    for c in range(width):
                        b.store(b.load(total[r][c]), at(out, r, out_row, 4 * LANES * c, sums), align=4)
            with clamped:
                with b.if_then(b.icmp_signed(">=", epilogue, i64(int(RESIDUAL)))):
                    for r in range(TILE_ROWS):
                        for c in range(width):
                            before = b.load(at(old, r, old_row, 2 * LANES * c, shorts), align=2)
                            b.store(b.add(b.load(total[r][c]), b.sext(before, sums)), total[r][c])
                for r in range(TILE_ROWS):
                    for c in range(width):
                        b.store(clamp(b.load(total[r][c])), at(out, r, out_row, 2 * LANES * c, shorts), align=2)
        return context.get_dummy_value()

    return types.void(columns, *[types.int64] * 14), build


microkernel: Any = intrinsic(prefer_literal=True)(build_microkernel)


@kernel()
def macrokernel(
    packed: Any, layer: Any, epilogue: Any, x: Any, x_row: Any, x_run: Any, old: Any, old_row: Any, out: Any,
    out_row: Any, n: Any,
) -> None:  # fmt: skip
    """Compute product() by tiles, on addresses and strides in bytes. Inputs of a row lie in runs, x_run from one to the
    next. old: what RESIDUAL and STREAM add; STREAM may write over it.
    """
    first, start, runs, pairs, lanes = packed.table[layer]
    weights = np.int64(packed.weights.ctypes.data) + 2 * first
    biases = np.int64(packed.biases.ctypes.data) + 4 * start
    shifts = np.int64(packed.shifts.ctypes.data) + 4 * start
    stride, size = 4 * lanes * LANES, 4 if epilogue == PLAIN else 2
    blocks = (lanes + TILE_COLUMNS - 1) // TILE_COLUMNS
    for block in range(blocks):
        left = lanes * block // blocks
        columns, c = lanes * (block + 1) // blocks - left, left * LANES
        w, b, s = weights + 4 * c, biases + 4 * c, shifts + 4 * c
        for r in range(0, n, TILE_ROWS):
            a, to, to_add = x + r * x_row, out + r * out_row + c * size, old + r * old_row + 2 * c
            if columns == 1:
                microkernel(1, epilogue, a, x_row, x_run, w, stride, runs, pairs, b, s, to_add, old_row, to, out_row)
            elif columns == 2:
                microkernel(2, epilogue, a, x_row, x_run, w, stride, runs, pairs, b, s, to_add, old_row, to, out_row)
            elif columns == 3:
                microkernel(3, epilogue, a, x_row, x_run, w, stride, runs, pairs, b, s, to_add, old_row, to, out_row)
            elif columns == 4:
                microkernel(4, epilogue, a, x_row, x_run, w, stride, runs, pairs, b, s, to_add, old_row, to, out_row)
            else:
                microkernel(5, epilogue, a, x_row, x_run, w, stride, runs, pairs, b, s, to_add, old_row, to, out_row)


@kernel()
def product(packed: Any, layer: Any, epilogue: Any, x: Any, out: Any, n: int) -> None:
    """out = layer(x): int16 [N, I] -> int32 [N, O] (PLAIN), or clamped to 0..ACTIVATION_MAX, int16 [N, O] (RECTIFIED).

    RESIDUAL: out = rectify(x + layer(x)); x and out are not the same memory. STREAM: out = clamp(out + layer(x)), as a
    residual stream. The first n rows count; rows up to the next multiple of TILE_ROWS are written too, as are outputs
    up to a multiple of LANES.
    """
    source, target, x_row, out_row = np.int64(x.ctypes.data), np.int64(out.ctypes.data), x.strides[0], out.strides[0]
    old, old_row = (target, out_row) if epilogue == STREAM else (source, x_row)
    macrokernel(packed, layer, epilogue, source, x_row, ONE_RUN, old, old_row, target, out_row, n)
