"""From what a net says to mixtures, and to intervals of symbols: sixteen of them at a time.

What belongs to them lies in planes, int32 [P, 16], a column each symbol. At first these are the net's answers: K
logits, K means and K log-scales. They become weights, means and scales in place.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.logistic import (
    ACC_BITS,
    LOG_HIGH,
    LOG_LOW,
    LOGIT_CUT,
    MEAN_BITS,
    MEAN_LIMIT,
    NARROW,
    TOTAL,
    Mixture,
)
from vlaezip.coding.tables import (
    INVERSE,
    INVERSE_BITS,
    LOG_SIZE,
    SCALE_COUNT,
    SCALE_ZERO,
    SIGMOID_HALF,
    SIZE_BITS,
    SIZE_OF,
    WEIGHT,
    WEIGHT_BITS,
)
from vlaezip.kernel_cache import kernel
from vlaezip.vectors import SIZE, least, load, most, quotient, same, scaled, store, take, turn, weave, where

OFTEN = 5  # logistics of a mixture, in models of photographs: others are written one by one
WEIGHTS = np.append(WEIGHT, 0).astype(np.int32)  # what is further below weighs nothing
INVERSES, SIZES, LOG_SIZES = (table.astype(np.int32) for table in (INVERSE, SIZE_OF, LOG_SIZE))


@kernel()
def planes_for(k_count: int) -> Any:
    """Room for K logistics, and for what a last tile of answers holds beyond them."""
    return np.zeros((3 * k_count + SIZE, SIZE), np.int32)


@kernel()
def fetch(array: Any, i: Any, spare: Any) -> Any:
    """array[i : i + 16], beyond its end the last value. spare: int32 [16], scratch."""
    if i + SIZE <= len(array):
        return load(array, i)
    for n in range(SIZE):
        spare[n] = array[min(i + n, len(array) - 1)]
    return load(spare, 0)


@kernel()
def keep(array: Any, i: Any, values: Any, spare: Any) -> None:
    """The twin of fetch: array[i : i + 16] = values, as far as it goes."""
    if i + SIZE <= len(array):
        store(array, i, values)
        return
    store(spare, 0, values)
    for n in range(len(array) - i):
        array[i + n] = spare[n]


@kernel()
def hear(answers: Any, channels: int, i: Any, count: Any, size: Any, planes: Any) -> None:
    """The `size` answers for each of the symbols i .. i + 16 of `count`, into planes."""
    tiles, width = (size + SIZE - 1) // SIZE, answers.shape[1]
    if channels == 1 and i + SIZE <= count and (i + SIZE - 1) * width + tiles * SIZE <= answers.size:
        for tile in range(tiles):
            turn(answers, i * width + tile * SIZE, width, planes, tile * SIZE * SIZE)
        return
    for n in range(min(SIZE, count - i)):
        row, first = (i + n) // channels, (i + n) % channels * size
        for p in range(size):
            planes[p, n] = answers[row, first + p]


@kernel(forceinline=True)
def weigh(planes: Any, k_count: int) -> Any:
    """Logits become raw weights -> their sum, and the number of the first of the largest."""
    top = load(planes, 0)
    for k in range(1, k_count):
        top = most(top, load(planes, SIZE * k))
    total = best = same(0)
    for k in range(k_count - 1, -1, -1):
        below = top - load(planes, SIZE * k)
        best = where(below, same(0), same(k), best)
        weight = take(WEIGHTS, least(below, LOGIT_CUT))
        store(planes, SIZE * k, weight)
        total = total + weight
    return total, best


@kernel(forceinline=True)
def share_out(planes: Any, k_count: int, total: Any, best: Any) -> None:
    """Raw weights become weights, rounded down; the best takes the rest."""
    rest = same(1 << WEIGHT_BITS)
    for k in range(k_count):
        weight = quotient(load(planes, SIZE * k) * (1 << WEIGHT_BITS), total)
        store(planes, SIZE * k, weight)
        rest = rest - weight
    for k in range(k_count):
        weight = load(planes, SIZE * k)
        store(planes, SIZE * k, where(best, same(k), weight + rest, weight))


@kernel(forceinline=True)
def mix(planes: Any, k_count: int, base: Any, size: Any, warmth: int) -> None:
    """Answers become mixtures. Means' products are below 2**42, and below 2**30 when scaled."""
    total, best = weigh(planes, k_count)
    unit, bias = take(SIZES, size), take(LOG_SIZES, size) + (SCALE_ZERO + warmth)
    for k in range(k_count):  # while weights are looked up and divided
        m, s = SIZE * (k_count + k), SIZE * (2 * k_count + k)
        mean = base * 16 + scaled(load(planes, m), unit, SIZE_BITS + MEAN_BITS)
        store(planes, m, most(least(mean, MEAN_LIMIT), -MEAN_LIMIT))
        log_scale = most(least(load(planes, s), LOG_HIGH), LOG_LOW)
        store(planes, s, most(least(log_scale + bias, SCALE_COUNT - 1), 0))
    share_out(planes, k_count, total, best)


@kernel(forceinline=True)
def step_of(far: Any, inverse: Any) -> Any:
    """Of the sigmoid's table, so far from a mean. |far| < 1.5 * 2**20, so that 31 bits of the product remain."""
    t = scaled(far, inverse, INVERSE_BITS)
    return most(least(t, SIGMOID_HALF - 1), -SIGMOID_HALF) + SIGMOID_HALF


@kernel(forceinline=True)
def span(planes: Any, k_count: int, step: Any, low: Any, count: Any, symbol: Any) -> Any:
    """Start and frequency of symbols, as logistic.interval has them. Sums of the mixtures are up to 2**30."""
    unit, at, rest = step * 16, symbol - low, TOTAL - count
    edge = unit * symbol - (unit >> 1)
    for k in range(k_count):
        s = SIZE * (2 * k_count + k)
        store(planes, s, take(INVERSES, load(planes, s)))
    for k in range(k_count):
        m, s = SIZE * (k_count + k), SIZE * (2 * k_count + k)
        far, inverse = edge - load(planes, m), load(planes, s)
        store(planes, m, step_of(far, inverse))
        store(planes, s, step_of(far + unit, inverse))
    below = upto = same(0)
    for k in range(k_count):
        weight = load(planes, SIZE * k)
        below = below + weight * take(NARROW, load(planes, SIZE * (k_count + k)))
        upto = upto + weight * take(NARROW, load(planes, SIZE * (2 * k_count + k)))
    start = where(at, same(0), same(0), scaled(below, rest, ACC_BITS) + at)
    end = where(at + 1, count, same(TOTAL), scaled(upto, rest, ACC_BITS) + at + 1)
    return start, end - start


@kernel()
def tell(planes: Any, k_count: int, first: Any, i: Any, result: Any) -> None:
    """K planes from the first on become rows i .. i + 16 of a result [N, K], as far as it goes."""
    if k_count == OFTEN and i + SIZE <= len(result):
        weave(OFTEN, planes, first * SIZE, result, i * k_count)
        return
    for n in range(min(SIZE, len(result) - i)):
        for k in range(k_count):
            result[i + n, k] = planes[first + k, n]


@kernel()
def mixture_kernel(
    answers: Any, channels: int, base: Any, size: Any, warmth: int, weights: Any, means: Any, scales: Any
) -> None:
    """mixture(), into its three results. answers: rows of `channels` outputs [3, K], one after another."""
    count, k_count = len(base), weights.shape[1]
    planes, spare = planes_for(k_count), np.empty(SIZE, np.int32)
    results = weights, means, scales
    for i in range(0, count, SIZE):
        hear(answers, channels, i, count, 3 * k_count, planes)
        mix(planes, k_count, fetch(base, i, spare), fetch(size, i, spare), warmth)
        for part in range(3):
            tell(planes, k_count, part * k_count, i, results[part])


def mixture(outputs: NDArray[Any], base: NDArray[Any], size: NDArray[np.int64], warmth: int = 0) -> Mixture:
    """Read what a net says. outputs [N, 3, K]: logits in 1/64 nat, means in S/1024, log-scales in 1/16 nat.

    Means are relative to base [N], sizes to S = 2**(size / 4) / 16 [N]. warmth, in 1/16 nat, widens all.
    """
    result = Mixture(*(np.empty((len(outputs), outputs.shape[2]), np.int32) for _ in range(3)))
    answers = outputs.reshape(len(outputs), -1).astype(np.int32)
    mixture_kernel(answers, 1, base.astype(np.int32), size, warmth, *result)
    return result


@kernel()
def answer_kernel(
    answers: Any, channels: int, base: Any, size: Any, warmth: int, k_count: int, step: Any, low: Any, count: Any,
    symbols: Any, starts: Any, freqs: Any,
) -> None:  # fmt: skip
    """intervals() of symbols under mixture(), in one, into its two results."""
    planes, spare, last = planes_for(k_count), np.empty(SIZE, np.int32), np.empty(SIZE, np.uint32)
    for i in range(0, len(symbols), SIZE):
        hear(answers, channels, i, len(symbols), 3 * k_count, planes)
        mix(planes, k_count, fetch(base, i, spare), fetch(size, i, spare), warmth)
        start, freq = span(
            planes, k_count, fetch(step, i, spare), fetch(low, i, spare), fetch(count, i, spare),
            fetch(symbols, i, spare),
        )  # fmt: skip
        keep(starts, i, start, last)
        keep(freqs, i, freq, last)
