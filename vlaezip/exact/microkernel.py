"""The inner loop of integer products: a tile of sums that stay in registers, in LLVM's terms, as a kernel's function.

Compilers neither keep such a tile in registers nor find the instruction that multiplies and adds pairs by themselves.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic

from vlaezip.exact.law import ACTIVATION_MAX, ERROR_MAX, STREAM_MAX

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
# Epilogues, what becomes of the sums: see matmul.product. Numbers of a type, as numba compiles a function anew for each
# literal that it is called with.
PLAIN, RECTIFIED, RESIDUAL, STREAM, ERRORS = map(np.int64, range(5))

INT16, INT32, INT64 = (ir.IntType(bits) for bits in (16, 32, 64))
SUMS, SHORTS, PAIRS = ir.VectorType(INT32, LANES), ir.VectorType(INT16, LANES), ir.VectorType(INT16, 2 * LANES)
UNDEFINED = ir.Constant(SUMS, ir.Undefined)


class Rows(NamedTuple):
    """Rows in memory: the address of the first, and bytes from one to the next."""

    address: Any
    stride: Any


def splat(b: Any, value: Any) -> Any:
    """Repeat one int32 in all lanes."""
    return b.shuffle_vector(b.insert_element(UNDEFINED, value, INT32(0)), UNDEFINED, ir.Constant(SUMS, [0] * LANES))


def pair_sums(b: Any, x: Any, w: Any) -> Any:
    """Compute x[2 i] w[2 i] + x[2 i + 1] w[2 i + 1] in lane i."""
    if PAIR_INSTRUCTION:
        kind = ir.FunctionType(SUMS, [PAIRS, PAIRS])
        return b.call(cgutils.get_or_insert_function(b.module, kind, PAIR_INSTRUCTION), [x, w])  # type: ignore[no-untyped-call]
    x, w = b.bitcast(x, SUMS), b.bitcast(w, SUMS)
    half = splat(b, INT32(16))
    low = b.mul(*(b.ashr(b.shl(v, half), half) for v in (x, w)))
    return b.add(low, b.mul(b.ashr(x, half), b.ashr(w, half)))


class Tile:
    """Writes the code of a tile: TILE_ROWS x columns x LANES sums, which begin as biases."""

    def __init__(self, b: Any, columns: int, biases: Any) -> None:
        self.b, self.columns = b, range(columns)
        begin = [b.load(self.place(biases, c, SUMS), align=4) for c in self.columns]
        variable: Any = cgutils.alloca_once_value  # it lives in a register
        self.sums = [[variable(b, value) for value in begin] for _ in range(TILE_ROWS)]

    def place(self, address: Any, column: int, kind: Any) -> Any:
        """Where a vector of a column is, if those of the first column are at this address."""
        offset = kind.count * kind.element.width // 8 * column
        return self.b.inttoptr(self.b.add(address, INT64(offset)), kind.as_pointer())

    def row(self, rows: Rows, number: int) -> Any:
        """The address of a row."""
        return self.b.add(rows.address, self.b.mul(rows.stride, INT64(number)))

    def change(self, function: Any) -> None:
        """Make every sum a function of itself, its row and its column."""
        for r, sums in enumerate(self.sums):
            for c, variable in enumerate(sums):
                self.b.store(function(self.b.load(variable), r, c), variable)

    def add_products(self, x: Rows, x_run: Any, weights: Rows, runs: Any, pairs: Any) -> None:
        """Add the products of all inputs, a pair at a time."""
        b = self.b
        with cgutils.for_range(b, runs) as run, cgutils.for_range(b, pairs) as pair:
            line = b.add(weights.address, b.mul(b.add(b.mul(run.index, pairs), pair.index), weights.stride))
            w = [b.load(self.place(line, c, PAIRS), align=4) for c in self.columns]
            first = b.add(b.add(x.address, b.mul(run.index, x_run)), b.mul(pair.index, INT64(4)))
            inputs = Rows(first, x.stride)
            for r, sums in enumerate(self.sums):
                two = b.load(b.inttoptr(self.row(inputs, r), INT32.as_pointer()), align=2)
                both = b.bitcast(splat(b, two), PAIRS)
                for c, variable in enumerate(sums):
                    b.store(b.add(b.load(variable), pair_sums(b, both, w[c])), variable)

    def shift(self, shifts: Any) -> None:
        """Shift every output by its own."""
        by = [self.b.load(self.place(shifts, c, SUMS), align=4) for c in self.columns]
        self.change(lambda v, r, c: self.b.ashr(v, by[c]))

    def add(self, rows: Rows) -> None:
        """Add int16."""
        b = self.b
        self.change(lambda v, r, c: b.add(v, b.sext(b.load(self.place(self.row(rows, r), c, SHORTS), align=2), SUMS)))

    def clamp(self, low: Any, high: Any) -> None:
        """Bound all sums."""
        b = self.b
        self.change(lambda v, r, c: b.select(b.icmp_signed("<", v, low), low, v))
        self.change(lambda v, r, c: b.select(b.icmp_signed(">", v, high), high, v))

    def store(self, rows: Rows, kind: Any) -> None:
        """Write the sums as int32 or int16."""
        b = self.b
        for r, sums in enumerate(self.sums):
            for c, variable in enumerate(sums):
                value = b.load(variable)
                value = value if kind == SUMS else b.trunc(value, kind)
                b.store(value, self.place(self.row(rows, r), c, kind), align=kind.element.width // 8)


def build_microkernel(
    typing: Any, columns: Any, epilogue: Any, x: Any, x_run: Any, weights: Any, runs: Any, pairs: Any, biases: Any,
    shifts: Any, old: Any, out: Any,
) -> Any:  # fmt: skip
    """Compute TILE_ROWS x columns * LANES outputs of a layer. columns: a literal. x, weights, old, out: Rows.

    x_run: bytes from one run of inputs to the next. biases, shifts: addresses. old: what RESIDUAL, STREAM and
    ERRORS add.
    """

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        _, epilogue, x, x_run, weights, runs, pairs, biases, shifts, old, out = arguments
        x, weights, old, out = (Rows(*(b.extract_value(v, n) for n in range(2))) for v in (x, weights, old, out))
        tile = Tile(b, columns.literal_value, biases)
        tile.add_products(x, x_run, weights, runs, pairs)
        tile.shift(shifts)
        stream, errors = (b.icmp_signed("==", epilogue, INT64(int(kind))) for kind in (STREAM, ERRORS))
        low = b.select(errors, INT32(-ERROR_MAX), b.select(stream, INT32(-STREAM_MAX - 1), INT32(0)))
        high = b.select(errors, INT32(ERROR_MAX), b.select(stream, INT32(STREAM_MAX), INT32(ACTIVATION_MAX)))
        with b.if_else(b.icmp_signed("==", epilogue, INT64(int(PLAIN)))) as (plain, clamped):
            with plain:
                tile.store(out, SUMS)
            with clamped:
                with b.if_then(b.icmp_signed(">=", epilogue, INT64(int(RESIDUAL)))):
                    tile.add(old)
                tile.clamp(splat(b, low), splat(b, high))
                tile.store(out, SHORTS)
        return context.get_dummy_value()

    number, rows = types.int64, types.NamedUniTuple(types.int64, 2, Rows)  # type: ignore[no-untyped-call]
    return types.void(columns, number, rows, number, rows, number, number, number, number, rows, rows), build


microkernel: Any = intrinsic(prefer_literal=True)(build_microkernel)
