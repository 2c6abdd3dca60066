"""Quantiles of mixtures: the symbols that hold given targets, searched for several at a time.

A first guess is the quantile of one logistic of the mixture's mean and variance; it is right for three pixels of four.
What it misses goes on along secants, then by halving. Floats say where to look, integers what is found.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.logistic import Grid, Ints, Mixture, interval
from vlaezip.coding.tables import PER_SYMBOL, PRECISION, SCALE_COUNT, SCALE_ZERO, SCALES_PER_NAT, WEIGHT_BITS
from vlaezip.exact.kernel_cache import kernel

Floats = NDArray[np.float32]
BATCH = 16  # symbols that are searched for together: their chains of dependent steps overlap
SECANTS = 6  # rounds along secants, before it halves
LEAST_MASS = 1024  # the least frequency that a secant step assumes: no leap from where all is flat

LOGIT_BITS = 10
MASS = (np.arange(1 << LOGIT_BITS) + 0.5) / (1 << LOGIT_BITS)
LOGIT = np.log(MASS / (1 - MASS)).astype(np.float32)
LOGIT_SHIFT = PRECISION - LOGIT_BITS
# Variance of a logistic of each scale s, in the units of means: (16 s pi)**2 / 3.
PI_SCALE = PER_SYMBOL * np.pi * np.exp((np.arange(SCALE_COUNT) - SCALE_ZERO) / SCALES_PER_NAT)
VARIANCE = (PI_SCALE**2 / 3).astype(np.float32)
PER_WEIGHT = np.float32(2.0**-WEIGHT_BITS)
SCALE_OF_DEVIATION = np.float32(np.sqrt(3) / np.pi)


class Guesses(NamedTuple):
    """Mean and scale of a logistic like each mixture, in 1/16: float32 [N]. Only speed hangs on it."""

    means: Floats
    scales: Floats


# A batch of symbols that are searched for: targets, the symbols found, where they start and end, and what they are at
# the least and at the most. pending: the numbers of those that are not found yet come first. As numba counts no
# references to records, kernels keep the memory that they lie in: an array of one.
SEARCH = np.dtype([(n, np.int64, BATCH) for n in ("target", "symbol", "start", "end", "lowest", "highest", "pending")])


@kernel()
def guess_kernel(mix: Any, guess: Any) -> None:
    """Compute guesses() into its result, which may be longer than the mixtures."""
    for i in range(mix.weights.shape[0]):
        mean = square = np.float32(0)
        for c in range(mix.weights.shape[1]):
            weight, m = np.float32(mix.weights[i, c]), np.float32(mix.means[i, c])
            mean += weight * m
            square += weight * (m * m + VARIANCE[np.uint64(mix.scales[i, c])])
        mean, square = mean * PER_WEIGHT, square * PER_WEIGHT
        guess.means[i] = mean
        guess.scales[i] = np.sqrt(max(square - mean * mean, np.float32(0))) * SCALE_OF_DEVIATION


def guesses(mix: Mixture) -> Guesses:
    """Where to begin to search for symbols of mixtures."""
    guess = Guesses(*(np.empty(len(mix.weights), np.float32) for _ in range(2)))
    guess_kernel(mix, guess)
    return guess


@kernel(forceinline=True)
def first_guess(guess: Any, grid: Any, i: int, target: Any) -> Any:
    """The symbol of mixture i that may hold target."""
    position = guess.means[i] + guess.scales[i] * LOGIT[np.uint64(target >> LOGIT_SHIFT)]
    symbol = np.int64(np.floor(position / np.float32(PER_SYMBOL * grid.step[i]) + np.float32(0.5)))
    low = np.int64(grid.low[i])
    return min(max(symbol, low), low + grid.count[i] - 1)


@kernel(forceinline=True)
def secant_step(start: Any, end: Any, target: Any) -> Any:
    """How many symbols the one that holds target is away from that of this interval, about."""
    mass = np.float32(2 * max(end - start, LEAST_MASS))
    return np.int64(np.floor(np.float32(2 * target - start - end) / mass + np.float32(0.5)))


@kernel()
def find(mix: Any, guess: Any, grid: Any, first: int, n: int, memory: Any) -> None:
    """Search for the symbols of mixtures first .. first + n that hold the targets, and their intervals.

    memory: a SEARCH, of which the targets are set.
    """
    search = memory[0]
    for j in range(n):
        i = first + j
        search.symbol[j] = first_guess(guess, grid, i, search.target[j])
        search.lowest[j], search.highest[j] = grid.low[i], np.int64(grid.low[i]) + grid.count[i] - 1
        search.pending[j] = j
    rounds = 0
    while True:
        missed = 0
        for p in range(n):  # without a branch, so that searches for different symbols overlap
            j = search.pending[p]
            start, end = interval(mix, grid, first + j, search.symbol[j])
            search.start[j], search.end[j] = start, end
            search.pending[missed] = j
            missed += (search.target[j] < start) | (search.target[j] >= end)
        if missed == 0:
            return
        n, rounds = missed, rounds + 1
        for p in range(n):
            j = search.pending[p]
            if search.target[j] < search.start[j]:
                search.highest[j] = search.symbol[j] - 1
            else:
                search.lowest[j] = search.symbol[j] + 1
            if rounds <= SECANTS:
                there = search.symbol[j] + secant_step(search.start[j], search.end[j], search.target[j])
                search.symbol[j] = min(max(there, search.lowest[j]), search.highest[j])
            else:
                search.symbol[j] = (search.lowest[j] + search.highest[j]) >> 1


@kernel()
def quantile_kernel(mix: Any, guess: Any, grid: Any, targets: Any, symbols: Any) -> None:
    """Compute quantiles() into its result."""
    memory = np.empty(1, SEARCH)
    for first in range(0, len(targets), BATCH):
        n = min(BATCH, len(targets) - first)
        for j in range(n):
            memory[0].target[j] = targets[first + j]
        find(mix, guess, grid, first, n, memory)
        for j in range(n):
            symbols[first + j] = memory[0].symbol[j]


def quantiles(mix: Mixture, grid: Grid, targets: NDArray[np.uint32]) -> Ints:
    """The symbols whose intervals hold the targets [N], each below 2**22: the inverse of the CDF."""
    symbols = np.empty(len(targets), np.int32)
    quantile_kernel(mix, guesses(mix), grid, targets, symbols)
    return symbols
