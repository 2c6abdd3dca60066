"""Laws of the intervals: kernels agree with plain Python, CDFs rise strictly to one, search inverts them."""

import math

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import as_lists, random_grid, random_mixture, random_symbols, seeds

from vlaezip.coding.logistic import TOTAL, Grid, Mixture, intervals, uniform_grid
from vlaezip.coding.quantiles import quantiles

components = st.integers(1, 5)


@settings(max_examples=60)
@given(seeds, components)
def test_intervals_agree_with_the_reference(seed, k):
    rng = np.random.default_rng(seed)
    mix, grid = random_mixture(rng, 16, k), random_grid(rng, 16)
    symbols = random_symbols(rng, grid)
    starts, freqs = intervals(mix, grid, symbols)
    expected = [reference.interval(m, g, s) for m, g, s in zip(*as_lists(mix, grid), symbols.tolist(), strict=True)]
    assert list(zip(starts.tolist(), freqs.tolist(), strict=True)) == expected


def whole_cdf(mix, grid):
    """Intervals of all symbols of the first mixture."""
    step, low, count = (int(a[0]) for a in grid)
    same = Mixture(*(np.repeat(a[:1], count, 0) for a in mix))
    return intervals(same, uniform_grid(count, step, low, count), np.arange(low, low + count, dtype=np.int32))


@settings(max_examples=60)
@given(seeds, components)
def test_the_cdf_rises_strictly_from_nothing_to_one(seed, k):
    rng = np.random.default_rng(seed)
    starts, freqs = whole_cdf(random_mixture(rng, 1, k), random_grid(rng, 1))
    assert starts[0] == 0
    assert (freqs >= 1).all()
    assert (starts[1:] == starts[:-1] + freqs[:-1]).all()
    assert starts[-1] + freqs[-1] == TOTAL == 1 << 22


@settings(max_examples=60)
@given(seeds, components)
def test_quantiles_invert_intervals(seed, k):
    rng = np.random.default_rng(seed)
    mix, grid = random_mixture(rng, 40, k), random_grid(rng, 40)
    symbols = random_symbols(rng, grid)
    starts, freqs = intervals(mix, grid, symbols)
    for target in (starts, starts + freqs // 2, starts + freqs - 1):
        assert (quantiles(mix, grid, target.astype(np.uint32)) == symbols).all()
    targets = rng.integers(0, TOTAL, 40).astype(np.uint32)
    found = quantiles(mix, grid, targets)
    starts, freqs = intervals(mix, grid, found)
    assert ((starts <= targets) & (targets - starts < freqs)).all()
    assert found.tolist() == [
        reference.find(m, g, t) for m, g, t in zip(*as_lists(mix, grid), targets.tolist(), strict=True)
    ]


def logistic(u):
    return 1 / (1 + math.exp(-u))


@given(st.integers(-60, 300), st.integers(-40, 100))
def test_probabilities_are_those_of_a_logistic(mean, log_scale):
    one = Mixture(*(np.array([[v]], np.int32) for v in (1 << 12, 16 * mean, 64 + log_scale)))
    _, freqs = whole_cdf(one, uniform_grid(1, 1, 0, 256))
    scale = math.exp(log_scale / 16)
    below = np.array([0.0, *(logistic(max((k - 0.5 - mean) / scale, -700)) for k in range(1, 256)), 1.0])
    assert (
        abs(freqs / TOTAL - np.diff(below)).max() < 1.5 / 384 / 4 + 1e-4
    )  # a step of the sigmoid's table, and the floor


def test_two_symbols_are_a_bernoulli_variable():
    """P(1) = sigmoid((mean - 1/2) / scale): the edge lies between the two."""
    for mean in range(-64, 65, 8):
        mix = Mixture(*(np.array([[v]], np.int32) for v in (1 << 12, mean + 8, 64)))
        _, freqs = whole_cdf(mix, uniform_grid(1, 1, 0, 2))
        assert freqs[1] / TOTAL == pytest.approx(logistic(mean / 16), abs=1e-3)


def test_a_single_symbol_is_certain():
    mix = random_mixture(np.random.default_rng(0), 1, 3)
    assert intervals(mix, uniform_grid(1, 1, -5, 1), np.array([-5], np.int32)) == (0, TOTAL)


def test_grids_repeat():
    grid = uniform_grid(3, 2, -4, 9)
    assert [a.tolist() for a in grid] == [[2] * 3, [-4] * 3, [9] * 3]
    assert isinstance(grid, Grid)
