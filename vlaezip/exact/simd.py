"""Sixteen int32 at a time: a type of values for kernels. Where registers are narrower, LLVM takes it in parts.

Compilers leave loops scalar that look values up, or whose arrays might overlap. Of vectors a and b, or integers for all
sixteen, `a + b`, `a - b`, `a * b` and `a >> b` are what they are of integers. Arrays are in C order.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.core.datamodel import models
from numba.extending import intrinsic, lower_builtin, register_model, type_callable

SIZE = 16
ONE, LONG, REAL = ir.IntType(32), ir.IntType(64), ir.DoubleType()
ALL, LONGS, REALS = (ir.VectorType(kind, SIZE) for kind in (ONE, LONG, REAL))
UNKNOWN = ir.Constant(ALL, ir.Undefined)


class Vector(types.Type):
    """Sixteen int32, as numba knows them."""

    def __init__(self) -> None:
        super().__init__(name="Vector")


VECTOR = Vector()


@register_model(Vector)
class Model(models.PrimitiveModel):
    """Sixteen int32, as LLVM knows them."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ALL)  # type: ignore[no-untyped-call]


def everywhere(b: Any, value: Any) -> Any:
    """One integer, sixteen times."""
    one = b.trunc(value, ONE) if value.type.width > ONE.width else value
    return b.shuffle_vector(b.insert_element(UNKNOWN, one, ONE(0)), UNKNOWN, ir.Constant(ALL, [0] * SIZE))


def address(context: Any, b: Any, kind: Any, array: Any, at: Any, whole: bool = True) -> Any:
    """Of an array's value number `at`, and the fifteen that follow if whole."""
    place = b.gep(context.make_array(kind)(context, b, array).data, [at])
    return b.bitcast(place, ir.VectorType(place.type.pointee, SIZE).as_pointer()) if whole else place


def operate(function: Any, build: Callable[[Any, Any, Any], Any]) -> None:
    """Teach numba a function of two vectors, or of a vector and an integer."""

    def typed(context: Any) -> Any:
        def typer(a: Any, b: Any) -> Any:
            kinds = (Vector, types.Integer)
            return VECTOR if VECTOR in (a, b) and isinstance(a, kinds) and isinstance(b, kinds) else None

        return typer

    def lowered(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        return build(b, *(v if v.type == ALL else everywhere(b, v) for v in arguments))

    type_callable(function)(typed)
    for kinds in ((Vector, Vector), (Vector, types.Integer), (types.Integer, Vector)):
        lower_builtin(function, *kinds)(lowered)  # type: ignore[no-untyped-call]


# What follows is known to kernels alone, as operate() teaches them; in Python it has no body.
def least(a: Any, b: Any) -> Any:
    """The smaller of each two."""
    raise NotImplementedError


def most(a: Any, b: Any) -> Any:
    """The larger of each two."""
    raise NotImplementedError


operate(operator.add, lambda b, x, y: b.add(x, y))
operate(operator.sub, lambda b, x, y: b.sub(x, y))
operate(operator.mul, lambda b, x, y: b.mul(x, y))
operate(operator.rshift, lambda b, x, y: b.ashr(x, y))
operate(least, lambda b, x, y: b.select(b.icmp_signed("<", x, y), x, y))
operate(most, lambda b, x, y: b.select(b.icmp_signed(">", x, y), x, y))


def ordered(array: Any) -> bool:
    return isinstance(array, types.Array) and array.layout == "C" and isinstance(array.dtype, types.Integer)


def build_same(typing: Any, value: Any) -> Any:
    """One integer, sixteen times."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        return everywhere(b, arguments[0])

    return VECTOR(value), build


def build_load(typing: Any, array: Any, at: Any) -> Any:
    """Sixteen neighbours, from an array's value number `at` on: of 16, of 32, or the lower half of 64 bits."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        values, width = b.load(address(context, b, array, *arguments), align=2), array.dtype.bitwidth
        return values if width == 32 else (b.sext if width < 32 else b.trunc)(values, ALL)

    return (VECTOR(array, types.int64), build) if ordered(array) else None


def build_store(typing: Any, array: Any, at: Any, value: Any) -> Any:
    """The twin of load: into 16 or 32 bits."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        place, value = address(context, b, array, *arguments[:2]), arguments[2]
        b.store(value if array.dtype.bitwidth == 32 else b.trunc(value, place.type.pointee), place, align=2)
        return context.get_dummy_value()

    return (types.void(array, types.int64, VECTOR), build) if ordered(array) and array.dtype.bitwidth <= 32 else None


def build_take(typing: Any, table: Any, index: Any) -> Any:
    """table[index], from int32."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        values = UNKNOWN
        pairs = b.bitcast(arguments[1], ir.VectorType(LONG, SIZE // 2))  # what leaves a register leaves it in twos
        for n in range(SIZE):  # processors' own gathers were slower
            pair = b.extract_element(pairs, ONE(n // 2))
            at = b.lshr(pair, LONG(ONE.width)) if n % 2 else b.and_(pair, LONG(2**ONE.width - 1))
            value = b.load(address(context, b, table, arguments[0], at, whole=False))
            values = b.insert_element(values, value, ONE(n))
        return values

    return (VECTOR(table, VECTOR), build) if ordered(table) and table.dtype.bitwidth == 32 else None


def build_scaled(typing: Any, a: Any, c: Any, bits: Any) -> Any:
    """a * c >> bits, of a product in 64 bits and a result in 32."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        product = b.mul(*(b.sext(v, LONGS) for v in arguments[:2]))
        return b.trunc(b.ashr(product, b.sext(everywhere(b, arguments[2]), LONGS)), ALL)

    return VECTOR(VECTOR, VECTOR, bits), build


def build_quotient(typing: Any, a: Any, c: Any) -> Any:
    """floor(a / c), 0 <= a < 2**27 and 0 < c < 2**20: half a unit outweighs what floats round by far."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        a, c = (b.sitofp(v, REALS) for v in arguments)
        half, one = (ir.Constant(REALS, [v] * SIZE) for v in (0.5, 1.0))
        return b.fptosi(b.fmul(b.fadd(a, half), b.fdiv(one, c)), ALL)

    return VECTOR(VECTOR, VECTOR), build


def build_where(typing: Any, a: Any, c: Any, then: Any, other: Any) -> Any:
    """then where a == c, other where not."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        a, c, then, other = arguments
        return b.select(b.icmp_signed("==", a, c), then, other)

    return VECTOR(VECTOR, VECTOR, VECTOR, VECTOR), build


def build_turn(typing: Any, source: Any, at: Any, stride: Any, target: Any, to: Any) -> Any:
    """Sixteen rows of sixteen int32, from source's number `at` on, become columns of target, from number `to` on.

    stride: from row to row of source; target's rows follow one another.
    """

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        a, at, stride, c, to = arguments
        starts = [b.add(at, b.mul(stride, LONG(r))) for r in range(SIZE)]
        rows = [b.load(address(context, b, source, a, start), align=4) for start in starts]
        for half in (8, 4, 2, 1):  # of squares twice as wide, the upper right and the lower left change places
            upper = ir.Constant(ALL, [SIZE + j - half if j & half else j for j in range(SIZE)])
            lower = ir.Constant(ALL, [SIZE + j if j & half else j + half for j in range(SIZE)])
            for r in (r for r in range(SIZE) if not r & half):
                pair = rows[r], rows[r + half]
                rows[r], rows[r + half] = (b.shuffle_vector(*pair, mask) for mask in (upper, lower))
        for r, row in enumerate(rows):
            b.store(row, address(context, b, target, c, b.add(to, LONG(SIZE * r))), align=4)
        return context.get_dummy_value()

    both = all(ordered(array) and array.dtype.bitwidth == 32 for array in (source, target))
    return (types.void(source, types.int64, types.int64, target, types.int64), build) if both else None


def build_weave(typing: Any, count: Any, source: Any, at: Any, target: Any, to: Any) -> Any:
    """Rows of source, from number `at` on, become columns of target, from number `to` on: so many, a literal."""
    size = count.literal_value

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        _, a, at, c, to = arguments
        rows = [b.load(address(context, b, source, a, b.add(at, LONG(SIZE * k))), align=4) for k in range(size)]
        for part in range(size):
            places = [divmod(SIZE * part + j, size) for j in range(SIZE)]
            row = b.shuffle_vector(rows[0], UNKNOWN, ir.Constant(ALL, [i if k == 0 else 0 for i, k in places]))
            for n in range(1, size):
                mask = ir.Constant(ALL, [SIZE + i if k == n else j for j, (i, k) in enumerate(places)])
                row = b.shuffle_vector(row, rows[n], mask)
            b.store(row, address(context, b, target, c, b.add(to, LONG(SIZE * part))), align=4)
        return context.get_dummy_value()

    return types.void(count, source, types.int64, target, types.int64), build


weave: Any = intrinsic(prefer_literal=True)(build_weave)
same: Any = intrinsic(build_same)
load: Any = intrinsic(build_load)
store: Any = intrinsic(build_store)
take: Any = intrinsic(build_take)
scaled: Any = intrinsic(build_scaled)
quotient: Any = intrinsic(build_quotient)
where: Any = intrinsic(build_where)
turn: Any = intrinsic(build_turn)
