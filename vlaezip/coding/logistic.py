"""The discretised logistic mixture in integers: the one distribution for pixels, prior and posterior.

Symbols are integers k in [low, low + count). Symbol k owns [16 D k - 8 D, 16 D k + 8 D) on a line in 1/16 of
the fine grid, D its rounding step; what lies beyond the ends belongs to them. Mixtures of logistics follow
PixelCNN++ (Salimans et al. 2017, eq. 2). Two symbols with one logistic are a Bernoulli variable.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.tables import (
    INVERSE,
    INVERSE_BITS,
    PER_SYMBOL,
    PRECISION,
    SCALES_PER_NAT,
    SIGMOID,
    SIGMOID_BITS,
    SIGMOID_HALF,
    WEIGHT,
    WEIGHT_BITS,
)
from vlaezip.exact.kernel_cache import kernel

Ints = NDArray[np.int32]
TOTAL = 1 << PRECISION
MEAN_LIMIT = 1 << 20
MEAN_BITS = 6  # a net's mean is in 1/64 of S / 16
LOG_LOW, LOG_HIGH = -5 * SCALES_PER_NAT, 7 * SCALES_PER_NAT  # of a net's log-scales
ACC_BITS = WEIGHT_BITS + SIGMOID_BITS
LOGIT_CUT = len(WEIGHT)
SIGMOID_INT32 = SIGMOID.astype(np.int32)  # half the cache


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


@kernel(forceinline=True)
def interval(mix: Any, grid: Any, i: Any, k: Any) -> tuple[Any, Any]:
    """Start and end of symbol k of mixture i in units of 2**-22; each symbol of the grid has at least one unit."""
    unit, count = PER_SYMBOL * np.int64(grid.step[i]), np.int64(grid.count[i])
    at, rest = np.int64(k) - grid.low[i], TOTAL - count
    edge = unit * k - (unit >> 1)
    below = upto = np.int64(0)
    for c in range(mix.weights.shape[1]):
        weight, inverse = np.int64(mix.weights[i, c]), INVERSE[np.uint64(mix.scales[i, c])]
        position = (edge - mix.means[i, c]) * inverse
        t = min(max(position >> INVERSE_BITS, -SIGMOID_HALF), SIGMOID_HALF - 1)
        below += weight * SIGMOID_INT32[np.uint64(t + SIGMOID_HALF)]
        t = min(max((position + unit * inverse) >> INVERSE_BITS, -SIGMOID_HALF), SIGMOID_HALF - 1)
        upto += weight * SIGMOID_INT32[np.uint64(t + SIGMOID_HALF)]
    start = ((below * rest) >> ACC_BITS) + at if at > 0 else np.int64(0)
    end = ((upto * rest) >> ACC_BITS) + at + 1 if at + 1 < count else np.int64(TOTAL)
    return start, end


@kernel()
def interval_kernel(mix: Any, grid: Any, symbols: Any, starts: Any, freqs: Any) -> None:
    """Compute intervals() into its two results."""
    for i in range(len(symbols)):
        start, end = interval(mix, grid, i, np.int64(symbols[i]))
        starts[i], freqs[i] = start, end - start


def intervals(mix: Mixture, grid: Grid, symbols: Ints) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Start and frequency of each symbol, in units of 2**-22. Symbols must lie on the grid."""
    starts, freqs = (np.empty(len(symbols), np.uint32) for _ in range(2))
    interval_kernel(mix, grid, symbols, starts, freqs)
    return starts, freqs
