"""A net's outputs to mixtures, and to intervals of symbols: sixteen of them at a time.

What belongs to them lies in planes, int32 [P, 16], a column each symbol. At first these are the net's outputs: K
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
    SIGMOID_INT32,
    TOTAL,
    Mixture,
)
from vlaezip.coding.tables import (
    INVERSE,
    INVERSE_BITS,
    LOG_SIZE,
    PER_SYMBOL,
    SCALE_COUNT,
    SCALE_ZERO,
    SIGMOID_HALF,
    SIZE_BITS,
    SIZE_OF,
    WEIGHT,
    WEIGHT_BITS,
)
from vlaezip.exact.kernel_cache import kernel
from vlaezip.exact.simd import (
    WIDTH,
    broadcast,
    divide,
    interleave,
    load,
    lookup,
    maximum,
    minimum,
    multiply_shift,
    select_equal,
    store,
    transpose,
)

USUAL_COUNT = 5  # logistics of a mixture, in models of photographs: others are written one by one
WEIGHTS = np.append(WEIGHT, 0).astype(np.int32)  # what is further below weighs nothing
INVERSES, SIZES, LOG_SIZES = (table.astype(np.int32) for table in (INVERSE, SIZE_OF, LOG_SIZE))


@kernel()
def allocate_planes(k_count: int) -> Any:
    """Allocate planes for K logistics, and for what a last tile of outputs holds beyond them."""
    return np.zeros((3 * k_count + WIDTH, WIDTH), np.int32)


@kernel()
def load_clipped(array: Any, i: Any, spare: Any) -> Any:
    """Load array[i : i + 16], beyond its end the last value. spare: int32 [16], scratch."""
    if i + WIDTH <= len(array):
        return load(array, i)
    for n in range(WIDTH):
        spare[n] = array[min(i + n, len(array) - 1)]
    return load(spare, 0)


@kernel()
def store_clipped(array: Any, i: Any, values: Any, spare: Any) -> None:
    """The twin of load_clipped: array[i : i + 16] = values, as far as it goes."""
    if i + WIDTH <= len(array):
        store(array, i, values)
        return
    store(spare, 0, values)
    for n in range(len(array) - i):
        array[i + n] = spare[n]


@kernel()
def load_outputs(outputs: Any, channels: int, i: Any, count: Any, size: Any, planes: Any) -> None:
    """Load the `size` outputs for each of the symbols i .. i + 16 of `count` into planes."""
    tiles, width = (size + WIDTH - 1) // WIDTH, outputs.shape[1]
    if channels == 1 and i + WIDTH <= count and (i + WIDTH - 1) * width + tiles * WIDTH <= outputs.size:
        for tile in range(tiles):
            transpose(outputs, i * width + tile * WIDTH, width, planes, tile * WIDTH * WIDTH)
        return
    for n in range(min(WIDTH, count - i)):
        row, first = (i + n) // channels, (i + n) % channels * size
        for p in range(size):
            planes[p, n] = outputs[row, first + p]


@kernel(forceinline=True)
def exponentiate_logits(planes: Any, k_count: int) -> Any:
    """Turn logits into weights, not normalised yet. -> their sum, and the number of the first of the largest."""
    top = load(planes, 0)
    for k in range(1, k_count):
        top = maximum(top, load(planes, WIDTH * k))
    total = best = broadcast(0)
    for k in range(k_count - 1, -1, -1):
        below = top - load(planes, WIDTH * k)
        best = select_equal(below, broadcast(0), broadcast(k), best)
        weight = lookup(WEIGHTS, minimum(below, LOGIT_CUT))
        store(planes, WIDTH * k, weight)
        total = total + weight
    return total, best


@kernel(forceinline=True)
def normalise_weights(planes: Any, k_count: int, total: Any, best: Any) -> None:
    """Divide weights by their sum, rounding down; the best takes the rest."""
    rest = broadcast(1 << WEIGHT_BITS)
    for k in range(k_count):
        weight = divide(load(planes, WIDTH * k) * (1 << WEIGHT_BITS), total)
        store(planes, WIDTH * k, weight)
        rest = rest - weight
    for k in range(k_count):
        weight = load(planes, WIDTH * k)
        store(planes, WIDTH * k, select_equal(best, broadcast(k), weight + rest, weight))


@kernel(forceinline=True)
def derive_parameters(planes: Any, k_count: int, base: Any, size: Any, warmth: int) -> None:
    """Turn outputs into mixtures. Means' products are below 2**42, and below 2**30 when scaled."""
    total, best = exponentiate_logits(planes, k_count)
    unit, bias = lookup(SIZES, size), lookup(LOG_SIZES, size) + (SCALE_ZERO + warmth)
    for k in range(k_count):  # while weights are looked up and divided
        m, s = WIDTH * (k_count + k), WIDTH * (2 * k_count + k)
        mean = base * PER_SYMBOL + multiply_shift(load(planes, m), unit, SIZE_BITS + MEAN_BITS)
        store(planes, m, maximum(minimum(mean, MEAN_LIMIT), -MEAN_LIMIT))
        log_scale = maximum(minimum(load(planes, s), LOG_HIGH), LOG_LOW)
        store(planes, s, maximum(minimum(log_scale + bias, SCALE_COUNT - 1), 0))
    normalise_weights(planes, k_count, total, best)


@kernel(forceinline=True)
def sigmoid_index(distance: Any, inverse: Any) -> Any:
    """The index into the sigmoid's table at a distance from a mean. |distance| < 1.5 * 2**20: 31 bits of t remain."""
    t = multiply_shift(distance, inverse, INVERSE_BITS)
    return maximum(minimum(t, SIGMOID_HALF - 1), -SIGMOID_HALF) + SIGMOID_HALF


@kernel(forceinline=True)
def vector_interval(planes: Any, k_count: int, step: Any, low: Any, count: Any, symbol: Any) -> Any:
    """Start and frequency of symbols, as logistic.interval has them. Sums of the mixtures are up to 2**30."""
    unit, at, rest = step * PER_SYMBOL, symbol - low, TOTAL - count
    edge = unit * symbol - (unit >> 1)
    for k in range(k_count):
        s = WIDTH * (2 * k_count + k)
        store(planes, s, lookup(INVERSES, load(planes, s)))
    for k in range(k_count):
        m, s = WIDTH * (k_count + k), WIDTH * (2 * k_count + k)
        distance, inverse = edge - load(planes, m), load(planes, s)
        store(planes, m, sigmoid_index(distance, inverse))
        store(planes, s, sigmoid_index(distance + unit, inverse))
    below = upto = broadcast(0)
    for k in range(k_count):
        weight = load(planes, WIDTH * k)
        below = below + weight * lookup(SIGMOID_INT32, load(planes, WIDTH * (k_count + k)))
        upto = upto + weight * lookup(SIGMOID_INT32, load(planes, WIDTH * (2 * k_count + k)))
    start = select_equal(at, broadcast(0), broadcast(0), multiply_shift(below, rest, ACC_BITS) + at)
    end = select_equal(at + 1, count, broadcast(TOTAL), multiply_shift(upto, rest, ACC_BITS) + at + 1)
    return start, end - start


@kernel()
def store_rows(planes: Any, k_count: int, first: Any, i: Any, result: Any) -> None:
    """Store K planes from the first on as rows i .. i + 16 of a result [N, K], as far as it goes."""
    if k_count == USUAL_COUNT and i + WIDTH <= len(result):
        interleave(USUAL_COUNT, planes, first * WIDTH, result, i * k_count)
        return
    for n in range(min(WIDTH, len(result) - i)):
        for k in range(k_count):
            result[i + n, k] = planes[first + k, n]


@kernel()
def mixture_kernel(outputs: Any, channels: int, base: Any, size: Any, warmth: int, mix: Any) -> None:
    """Compute mixture() into its result. outputs: rows of `channels` times [3, K], one after another."""
    count, k_count = len(base), mix.weights.shape[1]
    planes, spare = allocate_planes(k_count), np.empty(WIDTH, np.int32)
    for i in range(0, count, WIDTH):
        load_outputs(outputs, channels, i, count, 3 * k_count, planes)
        derive_parameters(planes, k_count, load_clipped(base, i, spare), load_clipped(size, i, spare), warmth)
        for part in range(3):
            store_rows(planes, k_count, part * k_count, i, mix[part])


def mixture(outputs: NDArray[Any], base: NDArray[Any], size: NDArray[np.int64], warmth: int = 0) -> Mixture:
    """Turn a net's outputs [N, 3, K] into mixtures: logits in 1/64 nat, means in S/1024, log-scales in 1/16 nat.

    Means are relative to base [N], sizes to S = 2**(size / 4) / 16 [N]. warmth, in 1/16 nat, widens all.
    """
    result = Mixture(*(np.empty((len(outputs), outputs.shape[2]), np.int32) for _ in range(3)))
    outputs = outputs.reshape(len(outputs), -1).astype(np.int32)
    mixture_kernel(outputs, 1, base.astype(np.int32), size, warmth, result)
    return result


@kernel()
def output_interval_kernel(
    outputs: Any, channels: int, base: Any, size: Any, warmth: int, k_count: int, grid: Any, symbols: Any,
    starts: Any, freqs: Any,
) -> None:  # fmt: skip
    """Compute intervals() of symbols under mixture(), in one, into its two results."""
    planes, spare, last = allocate_planes(k_count), np.empty(WIDTH, np.int32), np.empty(WIDTH, np.uint32)
    for i in range(0, len(symbols), WIDTH):
        load_outputs(outputs, channels, i, len(symbols), 3 * k_count, planes)
        derive_parameters(planes, k_count, load_clipped(base, i, spare), load_clipped(size, i, spare), warmth)
        start, freq = vector_interval(
            planes, k_count, load_clipped(grid.step, i, spare), load_clipped(grid.low, i, spare),
            load_clipped(grid.count, i, spare), load_clipped(symbols, i, spare),
        )  # fmt: skip
        store_clipped(starts, i, start, last)
        store_clipped(freqs, i, freq, last)
