"""What a symbol's cost asks of the net that described it: gradients of -ln P by its answers, in integers.

With d = s(u) - s(l), the mass of a symbol under one logistic, P = sum of w d, and r = w d / P, the slope of -ln P is
w - r by a logit, r (1 - s(u) - s(l)) / scale by a mean, and w (u s'(u) - l s'(l)) / P by a log-scale. No table but the
sigmoid's is needed, and one division a symbol. An error is 2**15 times the gradient by one step of an answer.
"""

from typing import Any

import numpy as np

from vlaezip.coding.logistic import SIGMOID_INT32
from vlaezip.coding.mixture import (
    INVERSES,
    SIZES,
    allocate_planes,
    derive_parameters,
    load_clipped,
    load_outputs,
    sigmoid_index,
)
from vlaezip.coding.tables import INVERSE_BITS, PER_SYMBOL, SIGMOID_BITS, SIGMOID_HALF
from vlaezip.exact.kernel_cache import kernel
from vlaezip.exact.law import ERROR_MAX
from vlaezip.exact.simd import (
    WIDTH,
    broadcast,
    divide,
    leading_zeros,
    load,
    lookup,
    maximum,
    minimum,
    multiply_shift,
    select_equal,
    store,
)

MASS_FLOOR = 1 << 8  # added to a mass of 2**30, as single symbols have their share
MASS_BITS = 15  # kept of a mass
SHARE_BITS = 12  # of r
RECIPROCAL_BITS = MASS_BITS + SHARE_BITS
MEAN_FACTOR = 171  # 2**16 / 384
SCALE_FACTOR = 21845  # 2**17 / 6


@kernel(forceinline=True)
def clamped(value: Any, limit: int) -> Any:
    """A value within -limit..limit."""
    return maximum(minimum(value, limit), -limit)


@kernel(forceinline=True)
def gradients(planes: Any, k_count: int, size: Any, step: Any, low: Any, count: Any, symbol: Any) -> None:
    """Mixtures, as derive_parameters() leaves them in planes, become the errors of the answers that made them."""
    unit, one = step * PER_SYMBOL, broadcast(1 << SIGMOID_BITS)
    edge = unit * symbol - (unit >> 1)
    first, last = symbol - low, symbol + 1 - low
    mass, slopes = broadcast(MASS_FLOOR), lookup(SIZES, size)
    for k in range(k_count):
        w, m, s = WIDTH * k, WIDTH * (k_count + k), WIDTH * (2 * k_count + k)
        inverse = lookup(INVERSES, load(planes, s))
        far = edge - load(planes, m)
        lower, upper = sigmoid_index(far, inverse), sigmoid_index(far + unit, inverse)
        below = select_equal(first, broadcast(0), broadcast(0), lookup(SIGMOID_INT32, lower))
        upto = select_equal(last, count, one, lookup(SIGMOID_INT32, upper))
        bent = (upper - SIGMOID_HALF) * multiply_shift(upto, one - upto, SIGMOID_BITS)
        bent = bent - (lower - SIGMOID_HALF) * multiply_shift(below, one - below, SIGMOID_BITS)
        weight = load(planes, w)
        held = weight * (upto - below)
        mass = mass + held
        store(
            planes,
            m,
            multiply_shift((one - below - upto) * MEAN_FACTOR, multiply_shift(inverse, slopes, INVERSE_BITS), 17),
        )
        store(planes, s, weight * (bent >> 7))
        store(planes, WIDTH * (3 * k_count + k), held)
    exponent = maximum(broadcast(32 - MASS_BITS) - leading_zeros(mass), 0)
    reciprocal = divide(broadcast((1 << RECIPROCAL_BITS) - 1), mass >> exponent)
    for k in range(k_count):
        w, m, s = WIDTH * k, WIDTH * (k_count + k), WIDTH * (2 * k_count + k)
        share = ((load(planes, WIDTH * (3 * k_count + k)) >> exponent) * reciprocal) >> MASS_BITS
        store(planes, w, (load(planes, w) - share + 4) >> 3)
        by_mean = (multiply_shift(share, load(planes, m), 25) + 1) >> 1
        store(planes, m, clamped(by_mean, ERROR_MAX))
        by_scale = clamped(multiply_shift(load(planes, s) >> exponent, reciprocal, MASS_BITS), 1 << 15)
        store(planes, s, clamped((by_scale * SCALE_FACTOR + (1 << 16)) >> 17, ERROR_MAX))


@kernel()
def gradient_kernel(
    outputs: Any, channels: int, base: Any, size: Any, k_count: int, grid: Any, symbols: Any, errors: Any
) -> None:
    """Compute the errors, int16, of outputs for symbols, `channels` a row, under mixture(): laid out as the outputs."""
    planes, spare = allocate_planes(k_count), np.empty(WIDTH, np.int32)
    for i in range(0, len(symbols), WIDTH):
        load_outputs(outputs, channels, i, len(symbols), 3 * k_count, planes)
        sizes = load_clipped(size, i, spare)
        derive_parameters(planes, k_count, load_clipped(base, i, spare), sizes, 0)
        gradients(
            planes, k_count, sizes, load_clipped(grid.step, i, spare), load_clipped(grid.low, i, spare),
            load_clipped(grid.count, i, spare), load_clipped(symbols, i, spare),
        )  # fmt: skip
        for n in range(min(WIDTH, len(symbols) - i)):
            row, first = (i + n) // channels, (i + n) % channels * 3 * k_count
            for p in range(3 * k_count):
                errors[row, first + p] = planes[p, n]
