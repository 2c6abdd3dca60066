"""Symbols under mixtures: what is pushed pops again, as plain Python would have it."""

from contextlib import suppress

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import as_lists, random_grid, random_message, random_mixture, random_symbols, same, seeds

from vlaezip.coding import ans, mixture_codec
from vlaezip.coding.logistic import Grid, Mixture, intervals, uniform_grid
from vlaezip.errors import CorruptFile

lane_counts = st.integers(1, 9)
vector_sizes = st.lists(st.integers(0, 13), max_size=8)


class Symbols:
    """Random symbols in vectors of the given sizes, with what they are coded by."""

    def __init__(self, rng, sizes):
        self.bounds = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64)
        n = int(self.bounds[-1])
        self.mix, self.grid = random_mixture(rng, n, 3), random_grid(rng, n)
        self.symbols = random_symbols(rng, self.grid)
        self.starts, self.freqs = intervals(self.mix, self.grid, self.symbols)

    def vectors(self):
        """(mixture, grid, symbols, intervals) of each vector."""
        for a, b in zip(self.bounds[:-1], self.bounds[1:], strict=True):
            part = slice(a, b)
            pairs = list(zip(self.starts[part].tolist(), self.freqs[part].tolist(), strict=True))
            yield Mixture(*(v[part] for v in self.mix)), Grid(*(v[part] for v in self.grid)), self.symbols[part], pairs

    def push(self, message):
        return ans.push(message, self.starts, self.freqs, self.bounds)


@settings(max_examples=60)
@given(seeds, lane_counts, vector_sizes)
def test_pop_inverts_push(seed, lanes, sizes):
    rng = np.random.default_rng(seed)
    before, data = random_message(rng, lanes), Symbols(rng, sizes)
    message = data.push(before)
    for mix, grid, symbols, _ in data.vectors():
        message, found = mixture_codec.codec(mix, grid).pop(message)
        assert found.tolist() == symbols.tolist()
    assert same(message, before)


@settings(max_examples=60)
@given(seeds, lane_counts, vector_sizes)
def test_push_and_pop_agree_with_the_reference(seed, lanes, sizes):
    rng = np.random.default_rng(seed)
    before, data = random_message(rng, lanes), Symbols(rng, sizes)
    message = data.push(before)
    vectors = list(data.vectors())
    heads, words = reference.push(before.heads.tolist(), before.words.tolist(), [pairs for *_, pairs in vectors])
    assert (message.heads.tolist(), message.words.tolist()) == (heads, words)
    for mix, grid, symbols, _ in vectors:
        message, _ = mixture_codec.codec(mix, grid).pop(message)
        heads, words, found = reference.pop(heads, words, *as_lists(mix, grid))
        assert (message.heads.tolist(), message.words.tolist(), found) == (heads, words, symbols.tolist())


@settings(max_examples=40)
@given(seeds, lane_counts)
def test_push_inverts_pop(seed, lanes):
    """Decoding any bits is sampling: they come back."""
    rng = np.random.default_rng(seed)
    before = ans.Message(random_message(rng, lanes).heads, rng.integers(0, 1 << 32, 60, np.uint32))
    mix, grid = random_mixture(rng, 40, 2), random_grid(rng, 40)
    after, symbols = mixture_codec.codec(mix, grid).pop(before)
    assert same(ans.push(after, *intervals(mix, grid, symbols), np.array([0, 40])), before)


def test_messages_are_values():
    rng = np.random.default_rng(1)
    before, data = random_message(rng, 3), Symbols(rng, [7, 5])
    copy = ans.Message(before.heads.copy(), before.words.copy())
    message = data.push(before)
    assert same(before, copy)
    pushed = ans.Message(message.heads.copy(), message.words.copy())
    mix, grid, *_ = next(iter(data.vectors()))
    mixture_codec.codec(mix, grid).pop(message)
    assert same(message, pushed)


@given(lane_counts)
def test_a_stack_that_runs_dry_is_corrupt(lanes):
    flat = Mixture(*(np.full((4 * lanes, 1), v, np.int32) for v in (1 << 12, 0, 255)))
    with pytest.raises(CorruptFile, match="ends before"):
        mixture_codec.codec(flat, uniform_grid(4 * lanes, 1, -1023, 2047)).pop(ans.empty(lanes))


@given(st.binary(max_size=80), lane_counts, seeds)
def test_garbage_gives_symbols_of_the_grid_or_our_errors(blob, lanes, seed):
    rng = np.random.default_rng(seed)
    grid = random_grid(rng, 20)
    with suppress(CorruptFile):
        message, symbols = mixture_codec.codec(random_mixture(rng, 20, 2), grid).pop(ans.read(blob, lanes))
        assert ((symbols >= grid.low) & (symbols < grid.low + grid.count)).all()
        assert ((message.heads >= ans.HEAD_LOW) & (message.heads < 1 << 63)).all()


@settings(max_examples=20)
@given(seeds, lane_counts)
def test_the_price_is_that_of_the_intervals(seed, lanes):
    data = Symbols(np.random.default_rng(seed), [400] * 5)
    estimate = 22 * 2000 - np.log2(data.freqs).sum()
    assert abs(data.push(ans.empty(lanes)).bits - estimate) <= 64 * lanes + 1
