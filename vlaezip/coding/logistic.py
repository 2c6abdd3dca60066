"""The discretised logistic mixture in integers: the one distribution for pixels, prior and posterior.

Symbols are integers k in [low, low + count). Symbol k owns [16 D k - 8 D, 16 D k + 8 D) on a line in 1/16 of
the fine grid, D its rounding step; what lies beyond the ends belongs to them. Mixtures of logistics follow
PixelCNN++ (Salimans et al. 2017, eq. 2). Two symbols with one logistic are a Bernoulli variable.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.tables import (
    INVERSE,
    INVERSE_BITS,
    LOG_SIZE,
    PRECISION,
    SCALE_COUNT,
    SCALE_ZERO,
    SCALES_PER_NAT,
    SIGMOID,
    SIGMOID_BITS,
    SIGMOID_HALF,
    SIZE_BITS,
    SIZE_OF,
    WEIGHT,
    WEIGHT_BITS,
)

Ints = NDArray[np.int32]
TOTAL = 1 << PRECISION
MEAN_LIMIT = 1 << 20
MEAN_BITS = 6  # a net's mean is in 1/64 of S / 16
LOG_LOW, LOG_HIGH = -5 * SCALES_PER_NAT, 7 * SCALES_PER_NAT  # of a net's log-scales
ACC_BITS = WEIGHT_BITS + SIGMOID_BITS
LOGIT_CUT = len(WEIGHT)
NARROW = SIGMOID.astype(np.int32)  # half the cache


class Mixture(NamedTuple):
    """N mixtures of K logistics. weights [N, K] sum to 2**12; means [N, K] in 1/16; scales [N, K] table indices."""

    weights: Ints
    means: Ints
    scales: Ints


class Grid(NamedTuple):
    """The symbols of N mixtures: rounding step D, first symbol, number of symbols; each int32 [N]."""

    step: Ints
    low: Ints
    count: Ints  # type: ignore[assignment]  # tuples have a method of that name


def uniform_grid(size: int, step: int, low: int, count: int) -> Grid:
    """The same symbols for all."""
    return Grid(*(np.full(size, v, np.int32) for v in (step, low, count)))


@numba.njit(cache=True, nogil=True)
def mixture_kernel(
    answers: Any, channels: int, base: Any, size: Any, warmth: int, weights: Any, means: Any, scales: Any
) -> None:
    """mixture(), into its three results. answers: rows of `channels` outputs [3, K], one after another."""
    k_count = weights.shape[1]
    for row in range(len(base) // channels):
        for c in range(channels):
            i, said = row * channels + c, answers[row, 3 * c * k_count :]
            top = said[0]
            for k in range(1, k_count):
                top = max(top, said[k])
            total = 0
            for k in range(k_count):
                below = np.int64(top - said[k])
                weights[i, k] = WEIGHT[np.uint64(below)] if below < LOGIT_CUT else 0
                total += weights[i, k]
            rest, best = 1 << WEIGHT_BITS, 0
            for k in range(k_count):
                if weights[i, k] > weights[i, best]:
                    best = k
            # floor(weight * 2**12 / total): below 2**27, so that half a unit outweighs what floats round by far.
            share = 1.0 / total
            for k in range(k_count):
                weights[i, k] = np.int64(((np.int64(weights[i, k]) << WEIGHT_BITS) + 0.5) * share)
                rest -= weights[i, k]
            weights[i, best] += rest
            unit, bias = SIZE_OF[np.uint64(size[i])], LOG_SIZE[np.uint64(size[i])] + SCALE_ZERO + warmth
            for k in range(k_count):
                mean = 16 * np.int64(base[i]) + ((np.int64(said[k_count + k]) * unit) >> (SIZE_BITS + MEAN_BITS))
                means[i, k] = min(max(mean, -MEAN_LIMIT), MEAN_LIMIT)
                log_scale = min(max(np.int64(said[2 * k_count + k]), LOG_LOW), LOG_HIGH)
                scales[i, k] = min(max(log_scale + bias, 0), SCALE_COUNT - 1)


def mixture(outputs: NDArray[np.float32], base: NDArray[Any], size: NDArray[np.int64], warmth: int = 0) -> Mixture:
    """Read what a net says. outputs [N, 3, K]: logits in 1/64 nat, means in S/1024, log-scales in 1/16 nat.

    Means are relative to base [N], sizes to S = 2**(size / 4) / 16 [N]. warmth, in 1/16 nat, widens all.
    """
    shape = (len(outputs), outputs.shape[2])
    result = Mixture(*(np.empty(shape, np.int32) for _ in range(3)))
    mixture_kernel(outputs.reshape(len(outputs), -1), 1, base, size, warmth, *result)
    return result


@numba.njit(cache=True, nogil=True, forceinline=True)
def interval(weights: Any, means: Any, scales: Any, i: Any, step: Any, low: Any, count: Any, k: Any) -> tuple[Any, Any]:
    """Start and end of symbol k of mixture i in units of 2**-22; each symbol of the grid has at least one unit."""
    unit, at, rest = 16 * np.int64(step), np.int64(k) - low, TOTAL - np.int64(count)
    edge = unit * k - (unit >> 1)
    below = upto = np.int64(0)
    for c in range(weights.shape[1]):
        weight, inverse = np.int64(weights[i, c]), INVERSE[np.uint64(scales[i, c])]
        place = (edge - means[i, c]) * inverse
        t = min(max(place >> INVERSE_BITS, -SIGMOID_HALF), SIGMOID_HALF - 1)
        below += weight * NARROW[np.uint64(t + SIGMOID_HALF)]
        t = min(max((place + unit * inverse) >> INVERSE_BITS, -SIGMOID_HALF), SIGMOID_HALF - 1)
        upto += weight * NARROW[np.uint64(t + SIGMOID_HALF)]
    start = ((below * rest) >> ACC_BITS) + at if at > 0 else np.int64(0)
    end = ((upto * rest) >> ACC_BITS) + at + 1 if at + 1 < count else np.int64(TOTAL)
    return start, end


@numba.njit(cache=True, nogil=True)
def interval_kernel(
    weights: Any, means: Any, scales: Any, step: Any, low: Any, count: Any, symbols: Any, starts: Any, freqs: Any
) -> None:
    """intervals(), into its two results."""
    for i in range(len(symbols)):
        start, end = interval(weights, means, scales, i, step[i], low[i], count[i], np.int64(symbols[i]))
        starts[i], freqs[i] = start, end - start


def intervals(mix: Mixture, grid: Grid, symbols: Ints) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Start and frequency of each symbol, in units of 2**-22. Symbols must lie on the grid."""
    starts, freqs = (np.empty(len(symbols), np.uint32) for _ in range(2))
    interval_kernel(*mix, *grid, symbols, starts, freqs)
    return starts, freqs
