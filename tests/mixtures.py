"""Random mixtures and grids, up to the edge of what nets may say; random messages."""

import numpy as np
from hypothesis import strategies as st

from vlaezip.coding import ans
from vlaezip.coding.logistic import Grid, Mixture

seeds = st.integers(0, 2**32 - 1)


def random_grid(rng, size):
    """Symbols of pixels, of bits, of cells of z at any rounding, or odd ones; mixed."""
    kinds = rng.integers(0, 4, size)
    step = np.where(kinds == 2, rng.integers(1, 1024, size), 1)
    low = np.select([kinds <= 1, kinds == 2], [0, -(1023 // step)], rng.integers(-1023, 1, size))
    count = np.select([kinds == 0, kinds == 1, kinds == 2], [256, 2, 1 - 2 * low], rng.integers(1, 2048, size))
    return Grid(*(a.astype(np.int32) for a in (step, low, count)))


def random_mixture(rng, size, components):
    """Weights that sum to 2**12, means near, far and farther, scales of the whole table."""
    weights = rng.multinomial(1 << 12, rng.dirichlet(np.full(components, 0.5)), size)
    reach = rng.choice([8, 4096, 1 << 20], (size, components))
    means = rng.integers(-reach, reach + 1)
    scales = rng.choice([0, 255, 64, rng.integers(0, 256)], (size, components))
    return Mixture(*(a.astype(np.int32) for a in (weights, means, scales)))


def random_symbols(rng, grid):
    """One symbol each, often at an end."""
    where = rng.choice([0.0, 0.5, 1.0 - 1e-9, rng.random()], len(grid.step))
    return (grid.low + np.floor(where * grid.count)).astype(np.int32)


def as_lists(mix, grid):
    """For the reference: a (weights, means, scales) and a (step, low, count) each."""
    mixes = list(zip(*(a.tolist() for a in mix), strict=True))
    return mixes, list(zip(*(a.tolist() for a in grid), strict=True))


def random_message(rng, lanes):
    """A message that holds something already."""
    heads = rng.integers(ans.HEAD_LOW, 1 << 63, lanes, np.uint64)
    return ans.Message(heads, rng.integers(0, 1 << 32, int(rng.integers(0, 9)), np.uint32))


def same(a, b):
    return a.heads.tolist() == b.heads.tolist() and a.words.tolist() == b.words.tolist()
