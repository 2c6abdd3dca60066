"""Integer tables of the discretised logistic mixture, derived exactly: the same on every machine.

Exponentials come from the decimal module, whose exp and ln are correctly rounded, and from integer powers.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from math import isqrt

import numpy as np

PRECISION = 22  # bits of a frequency: all symbols of one distribution sum to 2**22
WEIGHT_BITS = 12  # mixture weights sum to 2**12
SIGMOID_BITS = 18
SIGMOID_STEPS = 384  # table steps to one scale of the logistic
SIGMOID_HALF = 4096  # the table reaches 4096 / 384 = 10.7 scales to either side
POSITION_BITS = 4  # positions and means are in 1/16 of a symbol
PER_SYMBOL = 1 << POSITION_BITS
INVERSE_BITS = 16
LOGITS_PER_NAT = 64
SCALES_PER_NAT = 16
SCALE_ZERO = 64  # table index of a scale of one symbol
SCALE_COUNT = 256

LOG2_BITS = 16
LOG2_STEPS = 1 << 8  # table steps to an octave

SIZES = 49  # sizes of contrast, in quarter octaves: number s stands for S = 2**(s / 4)
SIZE_BITS = 6

EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
FIXED = 1 << 160  # one, in the fixed point of the power series below


def exponential(numerator: int, denominator: int) -> Decimal:
    """exp(numerator / denominator) to 60 digits."""
    return EXACT.exp(EXACT.divide(Decimal(numerator), Decimal(denominator)))


def rounded(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_HALF_EVEN))


def decay(start: tuple[int, int], step: tuple[int, int], count: int) -> list[int]:
    """exp(-(start + n * step)) in fixed point, n = 0..count - 1, by repeated multiplication."""
    term, ratio = (rounded(EXACT.multiply(exponential(-a, b), Decimal(FIXED))) for a, b in (start, step))
    powers = []
    for _ in range(count):
        powers.append(term)
        term = term * ratio // FIXED
    return powers


def sigmoid_table() -> np.ndarray:
    """2**18 / (1 + exp(-u)) at u = (i + 1/2 - 4096) / 384, int64 [8192]."""
    powers = decay((1, 2 * SIGMOID_STEPS), (1, SIGMOID_STEPS), SIGMOID_HALF)
    upper = [((2 * FIXED << SIGMOID_BITS) + FIXED + e) // (2 * (FIXED + e)) for e in powers]
    lower = [(1 << SIGMOID_BITS) - v for v in reversed(upper)]
    return np.array(lower + upper, np.int64)


def weight_table() -> np.ndarray:
    """2**12 * exp(-d / 64), int64 [1024]: the weight of a component whose logit is d below the largest."""
    powers = decay((0, 1), (1, LOGITS_PER_NAT), 1024)
    return np.array([((e << (WEIGHT_BITS + 1)) + FIXED) // (2 * FIXED) for e in powers], np.int64)


def inverse_table() -> np.ndarray:
    """Table steps of the sigmoid to 1/16 symbol, times 2**16, for scale exp((i - 64) / 16). int64 [256]."""
    one = Decimal(SIGMOID_STEPS << (INVERSE_BITS - POSITION_BITS))
    exps = [exponential(SCALE_ZERO - i, SCALES_PER_NAT) for i in range(SCALE_COUNT)]
    return np.array([rounded(EXACT.multiply(one, e)) for e in exps], np.int64)


def temperature_table() -> np.ndarray:
    """16 * ln(t / 64), int64 [256]: what a temperature of t / 64 adds to a scale's index. Entry 0 is as 1."""
    logs = [EXACT.ln(EXACT.divide(Decimal(max(t, 1)), Decimal(64))) for t in range(256)]
    return np.array([rounded(EXACT.multiply(Decimal(SCALES_PER_NAT), v)) for v in logs], np.int64)


def log2_table() -> np.ndarray:
    """2**16 * log2(1 + i / 256), int64 [257]."""
    unit = EXACT.divide(Decimal(1 << LOG2_BITS), EXACT.ln(Decimal(2)))
    logs = [EXACT.ln(EXACT.divide(Decimal(LOG2_STEPS + i), Decimal(LOG2_STEPS))) for i in range(LOG2_STEPS + 1)]
    return np.array([rounded(EXACT.multiply(unit, v)) for v in logs], np.int64)


SIGMOID = sigmoid_table()
WEIGHT = weight_table()
INVERSE = inverse_table()
TEMPERATURE = temperature_table()
LOG2 = log2_table()
SIZE_OF = np.array([isqrt(isqrt(1 << (s + 4 * SIZE_BITS))) for s in range(SIZES)], np.int64)  # floor(S * 2**6)
# ln(S / 16) in 1/16 nat: 4 ln 2 = 2.772589 a step, 16 ln 16 = 44.361420
LOG_SIZE = np.array([(s * 2_772_589 - 44_361_420 + 500_000) // 1_000_000 for s in range(SIZES)], np.int64)
