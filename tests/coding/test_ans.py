"""The stack: what is pushed pops again, as plain Python would have it, and nothing is read that is not there."""

from contextlib import suppress

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import as_lists, random_grid, random_mixture, random_symbols, seeds

from vlaezip.coding import ans, mixture_codec
from vlaezip.coding.logistic import TOTAL, Grid, Mixture, intervals, uniform_grid
from vlaezip.errors import CorruptFile

lane_counts = st.integers(1, 9)
vector_sizes = st.lists(st.integers(0, 13), max_size=8)


def random_message(rng, lanes):
    """A message that holds something already."""
    heads = rng.integers(ans.HEAD_LOW, 1 << 63, lanes, np.uint64)
    return ans.Message(heads, rng.integers(0, 1 << 32, int(rng.integers(0, 9)), np.uint32))


def same(a, b):
    return a.heads.tolist() == b.heads.tolist() and a.words.tolist() == b.words.tolist()


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


@given(seeds, lane_counts, st.integers(0, 1 << 64 - 1))
def test_whitening_is_its_own_inverse_and_keeps_heads_in_their_range(seed, lanes, number):
    message = random_message(np.random.default_rng(seed), lanes)
    white = ans.whiten(message, number)
    assert same(ans.whiten(white, number), message)
    assert same(ans.read(ans.write(white), lanes), white)
    assert not same(white, message)


def test_what_a_whitened_stack_shows_is_uniform_whatever_was_pushed():
    """A rare symbol leaves its own narrow interval on top, and a plain pop would find nothing but the tail of q."""
    rare = np.full(100, TOTAL - 100, np.uint32), np.full(100, 100, np.uint32)
    message = ans.push(ans.empty(1), *rare, np.array([0, 100]))
    plain, *white = (m.heads[0] % TOTAL / TOTAL for m in (message, *(ans.whiten(message, n) for n in range(1000))))
    assert plain > 0.9999
    assert np.histogram(white, 10, (0, 1))[0] == pytest.approx(np.full(10, 100), abs=40)


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


@given(seeds, lane_counts)
def test_read_inverts_write(seed, lanes):
    message = random_message(np.random.default_rng(seed), lanes)
    data = ans.write(message)
    assert 8 * len(data) == message.bits
    assert same(ans.read(data, lanes), message)


def test_the_bytes_are_little_endian_heads_first():
    message = ans.Message(np.array([0x0102030405060708], np.uint64), np.array([0x0A0B0C0D], np.uint32))
    assert ans.write(message).hex() == "0807060504030201" + "0d0c0b0a"


@given(lane_counts)
def test_an_empty_message_is_empty(lanes):
    message = ans.empty(lanes)
    assert ans.is_empty(message)
    assert not ans.is_empty(ans.push(message, np.array([5], np.uint32), np.array([9], np.uint32), np.array([0, 1])))
    assert not ans.is_empty(ans.Message(message.heads, np.zeros(1, np.uint32)))


@pytest.mark.parametrize("size", [0, 7, 8, 15, 17, 18, 19, 21])
def test_data_of_a_wrong_length_is_refused(size):
    with pytest.raises(CorruptFile, match="lanes need"):
        ans.read(b"\x7f" * size, 2)


@pytest.mark.parametrize("head", [0, ans.HEAD_LOW - 1, 1 << 63, (1 << 64) - 1])
def test_heads_out_of_range_are_refused(head):
    with pytest.raises(CorruptFile, match="head"):
        ans.read(b"".join(v.to_bytes(8, "little") for v in (ans.HEAD_LOW, head)), 2)


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
