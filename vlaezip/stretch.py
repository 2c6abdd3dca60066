"""Contrasts of a window, sixteen at a time: a compiler that does not know what overlaps takes them one by one."""

from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic

CONTRAST_MAX = 1023
GAIN_BITS = 8  # contrast is difference * gain / 2**8
HALF_GAIN = 1 << (GAIN_BITS - 1)
BLOCK = 16  # contrasts that are made together; what is read and written may reach BLOCK - 1 beyond a window


def build_block(typing: Any, seen: Any, middle: Any, gain: Any, line: Any) -> Any:
    """clamp((seen - middle) * gain / 2**8, rounded half up) of BLOCK values. Addresses: int16, int32, int16."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        seen, middle, gain, line = arguments
        one = ir.IntType(32)
        short, long = ir.VectorType(ir.IntType(16), BLOCK), ir.VectorType(one, BLOCK)

        def splat(value: Any) -> Any:
            first = b.insert_element(ir.Constant(long, ir.Undefined), value, one(0))
            return b.shuffle_vector(first, ir.Constant(long, ir.Undefined), ir.Constant(long, [0] * BLOCK))

        def at(address: Any, kind: Any) -> Any:
            return b.inttoptr(address, kind.as_pointer())

        v = b.sub(b.sext(b.load(at(seen, short), align=2), long), b.load(at(middle, long), align=4))
        v = b.add(b.mul(v, splat(b.trunc(gain, one))), splat(one(HALF_GAIN)))
        v = b.ashr(v, splat(one(GAIN_BITS)))
        low, most = splat(one(-CONTRAST_MAX)), splat(one(CONTRAST_MAX))
        v = b.select(b.icmp_signed("<", v, low), low, v)
        v = b.select(b.icmp_signed(">", v, most), most, v)
        b.store(b.trunc(v, short), at(line, short), align=2)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), build


block: Any = intrinsic(build_block)


@numba.njit(cache=True, nogil=True)
def room(stretches: Any, channels: int) -> int:
    """Size of a line for stretch(): that of a window, and what is written beyond."""
    n = BLOCK
    for r in range(len(stretches)):
        n += stretches[r, 1] * channels
    return n


@numba.njit(cache=True, nogil=True, forceinline=True)
def stretch(flat: Any, channels: int, spot: int, stretches: Any, middle: Any, gain: int, line: Any) -> int:
    """contrast() of a window against `middle`, into line. -> its length. Bounds: |difference| * gain < 2**26.

    flat int16, line int16 [room()] and middle int32 all have BLOCK - 1 values to spare.
    """
    n = 0
    source, target = np.int64(flat.ctypes.data), np.int64(line.ctypes.data)
    reference = np.int64(middle.ctypes.data)
    for r in range(len(stretches)):
        first, length = (spot + stretches[r, 0]) * channels, stretches[r, 1] * channels
        for k in range(0, length, BLOCK):
            block(source + 2 * (first + k), reference + 4 * k, gain, target + 2 * (n + k))
        n += length
    return n
