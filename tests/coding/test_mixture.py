"""Laws of the mixtures: what sixteen at a time make of outputs is what plain Python makes of each."""

import numpy as np
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import as_lists, random_grid, random_symbols, seeds

from vlaezip.coding.logistic import Mixture, intervals
from vlaezip.coding.mixture import mixture, mixture_kernel, output_interval_kernel
from vlaezip.coding.tables import SIZES

counts = st.integers(1, 70)  # of symbols: less than a vector, a part of one, several
components = st.integers(1, 7)  # 6: outputs need two vectors
channels = st.integers(1, 4)


def random_outputs(rng, count, k):
    """What a net may say of symbols, int32 [N, 3, K], what it is relative to, and the sizes."""
    reach = rng.choice([3, 300, 2**24 - 1], (count, 3, k))
    outputs = rng.integers(-reach, reach + 1).astype(np.int32)
    return outputs, rng.integers(-600, 600, count).astype(np.int32), rng.integers(0, SIZES, count)


@settings(max_examples=60)
@given(seeds, counts, components)
def test_mixture_reads_a_net_as_the_reference_does(seed, count, k):
    rng = np.random.default_rng(seed)
    outputs, base, size = random_outputs(rng, count, k)
    warmth = int(rng.integers(-70, 30))
    mix = mixture(outputs.astype(np.float32), base, size, warmth)
    expected = [
        reference.mixture(o, b, s, warmth)
        for o, b, s in zip(*map(np.ndarray.tolist, (outputs, base, size)), strict=True)
    ]
    assert list(zip(*(a.tolist() for a in mix), strict=True)) == expected
    assert (mix.weights.sum(1) == 1 << 12).all()
    assert (mix.weights >= 0).all()


@settings(max_examples=60)
@given(seeds, counts, components, channels, st.integers(0, 5))
def test_rows_may_hold_several_symbols_and_be_longer(seed, rows, k, channels, more):
    rng = np.random.default_rng(seed)
    count = rows * channels
    outputs, base, size = random_outputs(rng, count, k)
    flat = np.pad(outputs.reshape(rows, -1), ((0, 0), (0, more)))
    mix = Mixture(*(np.empty((count, k), np.int32) for _ in range(3)))
    mixture_kernel(flat, channels, base, size, 5, mix)
    assert all((a == b).all() for a, b in zip(mix, mixture(outputs, base, size, 5), strict=True))


@settings(max_examples=60)
@given(seeds, counts, components, channels)
def test_outputs_become_intervals_at_once_or_by_way_of_mixtures(seed, rows, k, channels):
    rng = np.random.default_rng(seed)
    count = rows * channels
    outputs, base, size = random_outputs(rng, count, k)
    grid = random_grid(rng, count)
    symbols = random_symbols(rng, grid)
    starts, freqs = (np.full(count + 1, 7, np.uint32) for _ in range(2))
    flat = outputs.reshape(rows, -1)
    output_interval_kernel(flat, channels, base, size, -9, k, grid, symbols, starts[:count], freqs[:count])
    mix = mixture(outputs, base, size, -9)
    assert (starts[-1], freqs[-1]) == (7, 7)
    assert all((a == b[:count]).all() for a, b in zip(intervals(mix, grid, symbols), (starts, freqs), strict=True))
    expected = [reference.interval(m, g, s) for m, g, s in zip(*as_lists(mix, grid), symbols.tolist(), strict=True)]
    assert list(zip(starts[:-1].tolist(), freqs[:-1].tolist(), strict=True)) == expected


def test_warmth_widens_only():
    outputs = np.zeros((1, 3, 2), np.float32)
    cold, warm = (mixture(outputs, np.zeros(1), np.array([20]), w) for w in (-16, 16))
    assert (warm.scales - cold.scales == 32).all()
    assert (warm.means == cold.means).all()
    assert (warm.weights == cold.weights).all()
