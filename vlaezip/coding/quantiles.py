"""Quantiles of mixtures: the symbols that hold given targets, searched for several at a time.

A first guess is the quantile of one logistic of the mixture's mean and variance; it is right for three pixels of four.
What it misses goes on along secants, then by halving. Floats say where to look, integers what is found.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.logistic import Grid, Ints, Mixture, interval
from vlaezip.coding.tables import PRECISION, SCALE_COUNT, SCALE_ZERO, SCALES_PER_NAT, WEIGHT_BITS
from vlaezip.exact.kernel_cache import kernel

Floats = NDArray[np.float32]
BATCH = 16  # symbols that are searched for together: their chains of dependent steps overlap
# Rows of a batch; PENDING: which are not found yet.
TARGET, FOUND, START, END, LOWEST, HIGHEST, PENDING, ROWS = range(8)
SECANTS = 6  # rounds along secants, before it halves
LEAST_MASS = 1024  # the least frequency that a secant step assumes: no leap from where all is flat

LOGIT_BITS = 10
MASS = (np.arange(1 << LOGIT_BITS) + 0.5) / (1 << LOGIT_BITS)
LOGIT = np.log(MASS / (1 - MASS)).astype(np.float32)
LOGIT_SHIFT = PRECISION - LOGIT_BITS
# Variance of a logistic of each scale, in the units of means: (16 s pi)**2 / 3.
VARIANCE = ((16 * np.pi * np.exp((np.arange(SCALE_COUNT) - SCALE_ZERO) / SCALES_PER_NAT)) ** 2 / 3).astype(np.float32)
PER_WEIGHT = np.float32(2.0**-WEIGHT_BITS)
SCALE_OF_DEVIATION = np.float32(np.sqrt(3) / np.pi)


@kernel()
def guess_kernel(weights: Any, means: Any, scales: Any, middles: Any, widths: Any) -> None:
    """Compute guesses() into its two results, which may be longer than the mixtures."""
    for i in range(weights.shape[0]):
        mean = square = np.float32(0)
        for c in range(weights.shape[1]):
            weight, m = np.float32(weights[i, c]), np.float32(means[i, c])
            mean += weight * m
            square += weight * (m * m + VARIANCE[np.uint64(scales[i, c])])
        mean, square = mean * PER_WEIGHT, square * PER_WEIGHT
        middles[i] = mean
        widths[i] = np.sqrt(max(square - mean * mean, np.float32(0))) * SCALE_OF_DEVIATION


def guesses(mix: Mixture) -> tuple[Floats, Floats]:
    """Mean and scale of a logistic like each mixture, in 1/16: float32 [N]. Only speed hangs on it."""
    middles, widths = (np.empty(len(mix.weights), np.float32) for _ in range(2))
    guess_kernel(*mix, middles, widths)
    return middles, widths


@kernel(forceinline=True)
def first_guess(middle: Any, width: Any, step: Any, low: Any, count: Any, target: Any) -> Any:
    """Guess at the symbol that holds target."""
    position = middle + width * LOGIT[np.uint64(target >> LOGIT_SHIFT)]
    symbol = np.int64(np.floor(position / np.float32(16 * step) + np.float32(0.5)))
    return min(max(symbol, np.int64(low)), np.int64(low) + count - 1)


@kernel(forceinline=True)
def secant_step(start: Any, end: Any, target: Any) -> Any:
    """How many symbols, about, from that of this interval to the one that holds target."""
    return np.int64(
        np.floor(np.float32(2 * target - start - end) / np.float32(2 * max(end - start, LEAST_MASS)) + np.float32(0.5))
    )


@kernel()
def find(
    weights: Any, means: Any, scales: Any, middles: Any, widths: Any, step: Any, low: Any, count: Any, first: int,
    n: int, batch: Any,
) -> None:  # fmt: skip
    """Search for the symbols of mixtures first .. first + n that hold the targets batch[TARGET], and their intervals.

    batch: int64 [ROWS, BATCH], of which FOUND, START and END are the result.
    """
    for j in range(n):
        i = first + j
        batch[FOUND, j] = first_guess(middles[i], widths[i], step[i], low[i], count[i], batch[TARGET, j])
        batch[LOWEST, j], batch[HIGHEST, j] = low[i], np.int64(low[i]) + count[i] - 1
        batch[PENDING, j] = j
    rounds = 0
    while True:
        missed = 0
        for p in range(n):  # without a branch, so that looks at different symbols overlap
            j = batch[PENDING, p]
            i = first + j
            start, end = interval(weights, means, scales, i, step[i], low[i], count[i], batch[FOUND, j])
            batch[START, j], batch[END, j] = start, end
            batch[PENDING, missed] = j
            missed += (batch[TARGET, j] < start) | (batch[TARGET, j] >= end)
        if missed == 0:
            return
        n, rounds = missed, rounds + 1
        for p in range(n):
            j = batch[PENDING, p]
            if batch[TARGET, j] < batch[START, j]:
                batch[HIGHEST, j] = batch[FOUND, j] - 1
            else:
                batch[LOWEST, j] = batch[FOUND, j] + 1
            if rounds <= SECANTS:
                there = batch[FOUND, j] + secant_step(batch[START, j], batch[END, j], batch[TARGET, j])
                batch[FOUND, j] = min(max(there, batch[LOWEST, j]), batch[HIGHEST, j])
            else:
                batch[FOUND, j] = (batch[LOWEST, j] + batch[HIGHEST, j]) >> 1


@kernel()
def quantile_kernel(
    weights: Any, means: Any, scales: Any, middles: Any, widths: Any, step: Any, low: Any, count: Any, targets: Any,
    symbols: Any,
) -> None:  # fmt: skip
    """Compute quantiles() into its result."""
    batch = np.empty((ROWS, BATCH), np.int64)
    for first in range(0, len(targets), BATCH):
        n = min(BATCH, len(targets) - first)
        for j in range(n):
            batch[TARGET, j] = targets[first + j]
        find(weights, means, scales, middles, widths, step, low, count, first, n, batch)
        for j in range(n):
            symbols[first + j] = batch[FOUND, j]


def quantiles(mix: Mixture, grid: Grid, targets: NDArray[np.uint32]) -> Ints:
    """The symbols whose intervals hold the targets [N], each below 2**22: the inverse of the CDF."""
    symbols = np.empty(len(targets), np.int32)
    quantile_kernel(*mix, *guesses(mix), *grid, targets, symbols)
    return symbols
