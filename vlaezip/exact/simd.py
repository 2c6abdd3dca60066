"""Sixteen int32 at a time: a type of values for kernels. Where registers are narrower, LLVM takes it in parts.

Compilers leave loops scalar that look values up, or whose arrays might overlap. Of vectors a and b, or integers for all
sixteen, `a + b`, `a - b`, `a * b` and `a >> b` are what they are of integers. Arrays are in C order.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import intrinsic, lower_builtin, register_model, type_callable

from vlaezip.exact.microkernel import FEATURES

WIDTH = 16
PERMUTE = "llvm.x86.avx512.permvar.si.512"  # values of one register by the numbers in another
INT32, INT64, DOUBLE = ir.IntType(32), ir.IntType(64), ir.DoubleType()
INT32S, INT64S, DOUBLES = (ir.VectorType(kind, WIDTH) for kind in (INT32, INT64, DOUBLE))
UNDEFINED = ir.Constant(INT32S, ir.Undefined)


class Vector(types.Type):
    """Sixteen int32, as numba knows them."""

    def __init__(self) -> None:
        super().__init__(name="Vector")


VECTOR = Vector()


@register_model(Vector)
class Model(models.PrimitiveModel):
    """Sixteen int32, as LLVM knows them."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, INT32S)  # type: ignore[no-untyped-call]


def splat(b: Any, value: Any) -> Any:
    """Repeat one integer in all places of a vector."""
    one = b.trunc(value, INT32) if value.type.width > INT32.width else value
    return b.shuffle_vector(b.insert_element(UNDEFINED, one, INT32(0)), UNDEFINED, ir.Constant(INT32S, [0] * WIDTH))


def address(context: Any, b: Any, kind: Any, array: Any, at: Any, whole: bool = True) -> Any:
    """The address of an array's value number `at`, as that of a vector if whole."""
    place = b.gep(context.make_array(kind)(context, b, array).data, [at])
    return b.bitcast(place, ir.VectorType(place.type.pointee, WIDTH).as_pointer()) if whole else place


def define_operator(function: Any, build: Callable[[Any, Any, Any], Any]) -> None:
    """Teach numba a function of two vectors, or of a vector and an integer."""

    def typed(context: Any) -> Any:
        def typer(a: Any, b: Any) -> Any:
            kinds = (Vector, types.Integer)
            return VECTOR if VECTOR in (a, b) and isinstance(a, kinds) and isinstance(b, kinds) else None

        return typer

    def lowered(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        return build(b, *(v if v.type == INT32S else splat(b, v) for v in arguments))

    type_callable(function)(typed)
    for kinds in ((Vector, Vector), (Vector, types.Integer), (types.Integer, Vector)):
        lower_builtin(function, *kinds)(lowered)  # type: ignore[no-untyped-call]


# What follows is known to kernels alone, as define_operator() teaches them; in Python it has no body.
def minimum(a: Any, b: Any) -> Any:
    """Take the smaller of each two."""
    raise NotImplementedError


def maximum(a: Any, b: Any) -> Any:
    """Take the larger of each two."""
    raise NotImplementedError


define_operator(operator.add, lambda b, x, y: b.add(x, y))
define_operator(operator.sub, lambda b, x, y: b.sub(x, y))
define_operator(operator.mul, lambda b, x, y: b.mul(x, y))
define_operator(operator.rshift, lambda b, x, y: b.ashr(x, y))
define_operator(operator.lshift, lambda b, x, y: b.shl(x, y))
define_operator(operator.and_, lambda b, x, y: b.and_(x, y))
define_operator(operator.or_, lambda b, x, y: b.or_(x, y))
define_operator(minimum, lambda b, x, y: b.select(b.icmp_signed("<", x, y), x, y))
define_operator(maximum, lambda b, x, y: b.select(b.icmp_signed(">", x, y), x, y))


def is_contiguous(array: Any) -> bool:
    return isinstance(array, types.Array) and array.layout == "C" and isinstance(array.dtype, types.Integer)


def build_broadcast(typing: Any, value: Any) -> Any:
    """Repeat one integer in all places of a vector."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        return splat(b, arguments[0])

    return VECTOR(value), build


def build_load(typing: Any, array: Any, at: Any) -> Any:
    """Load sixteen neighbours, from an array's value number `at` on: of 16, of 32, or the lower half of 64 bits."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        values, width = b.load(address(context, b, array, *arguments), align=2), array.dtype.bitwidth
        return values if width == 32 else (b.sext if width < 32 else b.trunc)(values, INT32S)

    return (VECTOR(array, types.int64), build) if is_contiguous(array) else None


def build_store(typing: Any, array: Any, at: Any, value: Any) -> Any:
    """The twin of load: into 16 or 32 bits."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        place, value = address(context, b, array, *arguments[:2]), arguments[2]
        b.store(value if array.dtype.bitwidth == 32 else b.trunc(value, place.type.pointee), place, align=2)
        return context.get_dummy_value()

    return (
        (types.void(array, types.int64, VECTOR), build) if is_contiguous(array) and array.dtype.bitwidth <= 32 else None
    )


def build_lookup(typing: Any, table: Any, index: Any) -> Any:
    """Look values up: table[index], from int32."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        values = UNDEFINED
        pairs = b.bitcast(arguments[1], ir.VectorType(INT64, WIDTH // 2))  # what leaves a register leaves it in twos
        for n in range(WIDTH):  # processors' own gathers were slower
            pair = b.extract_element(pairs, INT32(n // 2))
            at = b.lshr(pair, INT64(INT32.width)) if n % 2 else b.and_(pair, INT64(2**INT32.width - 1))
            value = b.load(address(context, b, table, arguments[0], at, whole=False))
            values = b.insert_element(values, value, INT32(n))
        return values

    return (VECTOR(table, VECTOR), build) if is_contiguous(table) and table.dtype.bitwidth == 32 else None


def build_lookup_short(typing: Any, table: Any, index: Any) -> Any:
    """Look values up in a table of sixteen, which a register holds."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(INT32S, [INT32S, INT32S])
        permute = cgutils.get_or_insert_function(b.module, kind, PERMUTE)  # type: ignore[no-untyped-call]
        held = b.load(address(context, b, table, arguments[0], INT64(0)), align=4)
        return b.call(permute, [held, arguments[1]])

    found = build_lookup(typing, table, index)
    return (found[0], build) if found and "+avx512f" in FEATURES.split(",") else found


def build_multiply_shift(typing: Any, a: Any, c: Any, bits: Any) -> Any:
    """Compute a * c >> bits, of a product in 64 bits and a result in 32."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        product = b.mul(*(b.sext(v, INT64S) for v in arguments[:2]))
        return b.trunc(b.ashr(product, b.sext(splat(b, arguments[2]), INT64S)), INT32S)

    return VECTOR(VECTOR, VECTOR, bits), build


def build_divide(typing: Any, a: Any, c: Any) -> Any:
    """Compute floor(a / c), 0 <= a < 2**27 and 0 < c < 2**20: half a unit outweighs what floats round by far."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        a, c = (b.sitofp(v, DOUBLES) for v in arguments)
        half, one = (ir.Constant(DOUBLES, [v] * WIDTH) for v in (0.5, 1.0))
        return b.fptosi(b.fmul(b.fadd(a, half), b.fdiv(one, c)), INT32S)

    return VECTOR(VECTOR, VECTOR), build


def build_select_equal(typing: Any, a: Any, c: Any, then: Any, other: Any) -> Any:
    """Select `then` where a == c, `other` elsewhere."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        a, c, then, other = arguments
        return b.select(b.icmp_signed("==", a, c), then, other)

    return VECTOR(VECTOR, VECTOR, VECTOR, VECTOR), build


def build_leading_zeros(typing: Any, a: Any) -> Any:
    """Count the zero bits above the first that is set: 0..32."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        flag = ir.IntType(1)
        kind = ir.FunctionType(INT32S, [INT32S, flag])
        count = cgutils.get_or_insert_function(b.module, kind, f"llvm.ctlz.v{WIDTH}i32")  # type: ignore[no-untyped-call]
        return b.call(count, [arguments[0], flag(0)])

    return VECTOR(VECTOR), build


def build_transpose(typing: Any, source: Any, at: Any, stride: Any, target: Any, to: Any) -> Any:
    """Make sixteen rows of sixteen int32, from source's number `at` on, columns of target, from number `to` on.

    stride: from row to row of source; target's rows follow one another.
    """

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        a, at, stride, c, to = arguments
        starts = [b.add(at, b.mul(stride, INT64(r))) for r in range(WIDTH)]
        rows = [b.load(address(context, b, source, a, start), align=4) for start in starts]
        for half in (8, 4, 2, 1):  # of squares twice as wide, the upper right and the lower left change places
            upper = ir.Constant(INT32S, [WIDTH + j - half if j & half else j for j in range(WIDTH)])
            lower = ir.Constant(INT32S, [WIDTH + j if j & half else j + half for j in range(WIDTH)])
            for r in (r for r in range(WIDTH) if not r & half):
                pair = rows[r], rows[r + half]
                rows[r], rows[r + half] = (b.shuffle_vector(*pair, mask) for mask in (upper, lower))
        for r, row in enumerate(rows):
            b.store(row, address(context, b, target, c, b.add(to, INT64(WIDTH * r))), align=4)
        return context.get_dummy_value()

    both = all(is_contiguous(array) and array.dtype.bitwidth == 32 for array in (source, target))
    return (types.void(source, types.int64, types.int64, target, types.int64), build) if both else None


def build_interleave(typing: Any, count: Any, source: Any, at: Any, target: Any, to: Any) -> Any:
    """Make rows of source, from number `at` on, columns of target, from number `to` on: so many, a literal."""
    size = count.literal_value

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        _, a, at, c, to = arguments
        rows = [b.load(address(context, b, source, a, b.add(at, INT64(WIDTH * k))), align=4) for k in range(size)]
        for part in range(size):
            places = [divmod(WIDTH * part + j, size) for j in range(WIDTH)]
            row = b.shuffle_vector(rows[0], UNDEFINED, ir.Constant(INT32S, [i if k == 0 else 0 for i, k in places]))
            for n in range(1, size):
                mask = ir.Constant(INT32S, [WIDTH + i if k == n else j for j, (i, k) in enumerate(places)])
                row = b.shuffle_vector(row, rows[n], mask)
            b.store(row, address(context, b, target, c, b.add(to, INT64(WIDTH * part))), align=4)
        return context.get_dummy_value()

    return types.void(count, source, types.int64, target, types.int64), build


interleave: Any = intrinsic(prefer_literal=True)(build_interleave)
broadcast: Any = intrinsic(build_broadcast)
load: Any = intrinsic(build_load)
store: Any = intrinsic(build_store)
lookup: Any = intrinsic(build_lookup)
lookup_short: Any = intrinsic(build_lookup_short)
multiply_shift: Any = intrinsic(build_multiply_shift)
divide: Any = intrinsic(build_divide)
select_equal: Any = intrinsic(build_select_equal)
leading_zeros: Any = intrinsic(build_leading_zeros)
transpose: Any = intrinsic(build_transpose)
