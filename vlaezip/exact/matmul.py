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

TOLD: str | None = numba.config.CPU_FEATURES  # type: ignore[attr-defined]
FEATURES = get_host_cpu_features() if TOLD is None else TOLD  # type: ignore[no-untyped-call]
# Products of 16-bit pairs, added in twos, in each width of registers; LLVM joins them with the sum where it can.
PAIRS = {
    16: ("+avx512bw", "llvm.x86.avx512.pmaddw.d.512"),
    8: ("+avx2", "llvm.x86.avx2.pmadd.wd"),
    4: ("+sse2", "llvm.x86.sse2.pmadd.wd"),
}
LANES = next((n for n, (feature, _) in PAIRS.items() if feature in FEATURES.split(",")), 0)
NATIVE = PAIRS[LANES][1] if LANES else None  # none: LLVM makes its own of multiplication and addition
LANES = LANES or 4
ROWS = 5  # a tile holds ROWS x columns x LANES sums, which must fit into the registers
COLUMNS = 5 if LANES == 16 else 2
LINE = 64  # bytes of a cache line
# Numbers of a type, as numba compiles a function anew for every literal that it is called with.
PLAIN, RECTIFIED, RESIDUAL, STREAM = map(np.int64, range(4))  # what becomes of the sums, see product
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


def room(size: int, unit: int) -> int:
    """The next multiple of a unit."""
    return -(-size // unit) * unit


def aligned(shape: tuple[int, ...], dtype: Any) -> Any:
    """Zeros that begin at a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + LINE, np.uint8)
    first = -raw.ctypes.data % LINE
    return raw[first : first + size].view(dtype).reshape(shape)


def pack(layers: Sequence[Affine], runs: Sequence[int] = ()) -> Packed:
    """Of layers that law.affine has proven. runs: how many, of equal length, each one's inputs lie in; else one."""
    runs = runs or [1] * len(layers)
    split = [layer.weight.reshape(n, -1, layer.weight.shape[1]) for layer, n in zip(layers, runs, strict=True)]
    sizes = [(n, room(i, 2), room(o, LANES)) for n, i, o in (w.shape for w in split)]
    weights = aligned((sum(n * i * o for n, i, o in sizes),), np.int16)
    biases, shifts = (aligned((sum(o for *_, o in sizes),), np.int32) for _ in range(2))
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


def sums_of_tile(
    typing: Any,
    columns: Any,
    kind: Any,
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
    """ROWS x columns * LANES outputs of a layer; the sums stay in registers. columns is a literal.

    Addresses, and strides of rows and of runs in bytes. old: what RESIDUAL and STREAM add.
    """
    width = columns.literal_value

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        _, kind, x, x_row, x_run, w, w_row, runs, pairs, bias, shift, old, old_row, out, out_row = arguments
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
            if NATIVE:
                kind = ir.FunctionType(sums, [halves, halves])
                native = cgutils.get_or_insert_function(b.module, kind, NATIVE)  # type: ignore[no-untyped-call]
                return b.call(native, [x, w])
            x, w = b.bitcast(x, sums), b.bitcast(w, sums)
            half = splat(i32(16))
            low = b.mul(*(b.ashr(b.shl(v, half), half) for v in (x, w)))
            return b.add(low, b.mul(b.ashr(x, half), b.ashr(w, half)))

        zero = i64(0)
        keep: Any = cgutils.alloca_once_value  # a variable; it lives in a register
        begin = [b.load(at(bias, 0, zero, 4 * LANES * c, sums), align=4) for c in range(width)]
        total = [[keep(b, value) for value in begin] for _ in range(ROWS)]
        with cgutils.for_range(b, runs) as run, cgutils.for_range(b, pairs) as loop:
            line = b.add(w, b.mul(b.add(b.mul(run.index, pairs), loop.index), w_row))
            weights = [b.load(at(line, 0, zero, 4 * LANES * c, halves), align=4) for c in range(width)]
            column = b.add(b.add(x, b.mul(run.index, x_run)), b.mul(loop.index, i64(4)))
            for r in range(ROWS):
                two = b.bitcast(splat(b.load(at(column, r, x_row, 0, i32), align=2)), halves)
                for c in range(width):
                    b.store(b.add(b.load(total[r][c]), pair_sums(two, weights[c])), total[r][c])

        signed = b.icmp_signed("==", kind, i64(int(STREAM)))
        low = splat(b.select(signed, i32(-STREAM_MAX - 1), i32(0)))
        most = splat(b.select(signed, i32(STREAM_MAX), i32(ACTIVATION_MAX)))

        def clamp(v: Any) -> Any:
            v = b.select(b.icmp_signed("<", v, low), low, v)
            return b.trunc(b.select(b.icmp_signed(">", v, most), most, v), shorts)

        for c in range(width):
            shifts = b.load(at(shift, 0, zero, 4 * LANES * c, sums), align=4)
            for r in range(ROWS):
                b.store(b.ashr(b.load(total[r][c]), shifts), total[r][c])
        with b.if_else(b.icmp_signed("==", kind, i64(int(PLAIN)))) as (plain, clamped):
            with plain:
                for r in range(ROWS):
                    for c in range(width):
                        b.store(b.load(total[r][c]), at(out, r, out_row, 4 * LANES * c, sums), align=4)
            with clamped:
                with b.if_then(b.icmp_signed(">=", kind, i64(int(RESIDUAL)))):
                    for r in range(ROWS):
                        for c in range(width):
                            before = b.load(at(old, r, old_row, 2 * LANES * c, shorts), align=2)
                            b.store(b.add(b.load(total[r][c]), b.sext(before, sums)), total[r][c])
                for r in range(ROWS):
                    for c in range(width):
                        b.store(clamp(b.load(total[r][c])), at(out, r, out_row, 2 * LANES * c, shorts), align=2)
        return context.get_dummy_value()

    return types.void(columns, *[types.int64] * 14), build


tile: Any = intrinsic(prefer_literal=True)(sums_of_tile)


@kernel()
def tiles(
    packed: Any, layer: Any, kind: Any, x: Any, x_row: Any, x_run: Any, old: Any, old_row: Any, out: Any, out_row: Any,
    n: Any,
) -> None:  # fmt: skip
    """product(), on addresses and strides in bytes. Inputs of a row lie in runs, x_run from one to the next. old: what
    RESIDUAL and STREAM add; STREAM may write over it.
    """
    first, start, runs, pairs, lanes = packed.table[layer]
    weights = np.int64(packed.weights.ctypes.data) + 2 * first
    biases = np.int64(packed.biases.ctypes.data) + 4 * start
    shifts = np.int64(packed.shifts.ctypes.data) + 4 * start
    stride, size = 4 * lanes * LANES, 4 if kind == PLAIN else 2
    blocks = (lanes + COLUMNS - 1) // COLUMNS
    for block in range(blocks):
        left = lanes * block // blocks
        columns, c = lanes * (block + 1) // blocks - left, left * LANES
        w, b, s = weights + 4 * c, biases + 4 * c, shifts + 4 * c
        for r in range(0, n, ROWS):
            a, to, to_add = x + r * x_row, out + r * out_row + c * size, old + r * old_row + 2 * c
            if columns == 1:
                tile(1, kind, a, x_row, x_run, w, stride, runs, pairs, b, s, to_add, old_row, to, out_row)
            elif columns == 2:
                tile(2, kind, a, x_row, x_run, w, stride, runs, pairs, b, s, to_add, old_row, to, out_row)
            elif columns == 3:
                tile(3, kind, a, x_row, x_run, w, stride, runs, pairs, b, s, to_add, old_row, to, out_row)
            elif columns == 4:
                tile(4, kind, a, x_row, x_run, w, stride, runs, pairs, b, s, to_add, old_row, to, out_row)
            else:
                tile(5, kind, a, x_row, x_run, w, stride, runs, pairs, b, s, to_add, old_row, to, out_row)


@kernel()
def product(packed: Any, layer: Any, kind: Any, x: Any, out: Any, n: int) -> None:
    """out = layer(x): int16 [N, I] -> int32 [N, O] (PLAIN), or clamped to 0..ACTIVATION_MAX, int16 [N, O] (RECTIFIED).

    RESIDUAL: out = rectify(x + layer(x)); x and out are not the same memory. STREAM: out = clamp(out + layer(x)), as a
    residual stream. The first n rows count; rows up to the next multiple of ROWS are written too, as are outputs up to
    a multiple of LANES.
    """
    source, target, x_row, out_row = np.int64(x.ctypes.data), np.int64(out.ctypes.data), x.strides[0], out.strides[0]
    old, old_row = (target, out_row) if kind == STREAM else (source, x_row)
    tiles(packed, layer, kind, source, x_row, ONE_RUN, old, old_row, target, out_row, n)
