"""The stack: what is pushed pops again, and nothing is read that is not there."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import random_message, same, seeds

from vlaezip.coding import ans
from vlaezip.coding.tables import PRECISION
from vlaezip.errors import CorruptFile

TOTAL = 1 << PRECISION
lane_counts = st.integers(1, 9)


def pop(message, starts, freqs):
    """One vector of symbols whose intervals are known: each must hold the target that the stack shows."""
    heads, left = message.heads.copy(), len(message.words)
    for i, (start, freq) in enumerate(zip(starts.tolist(), freqs.tolist(), strict=True)):
        lane = i % len(heads)
        assert start <= ans.target(heads[lane]) < start + freq
        heads[lane], left = ans.pop_symbol(heads[lane], message.words, left, start, freq)
    return ans.after_pops(heads, message.words, left)


@settings(max_examples=60)
@given(seeds, lane_counts, st.lists(st.integers(0, 13), max_size=8))
def test_pops_of_known_intervals_undo_a_push(seed, lanes, sizes):
    rng = np.random.default_rng(seed)
    message, bounds = random_message(rng, lanes), np.cumsum([0, *sizes])
    starts = rng.integers(0, TOTAL, bounds[-1]).astype(np.uint32)
    freqs = rng.integers(1, TOTAL - starts + 1).astype(np.uint32)
    pushed = ans.push(message, starts, freqs, bounds)
    for a, b in pairwise(bounds):
        pushed = pop(pushed, starts[a:b], freqs[a:b])
    assert same(pushed, message)


def test_a_stack_without_a_word_to_take_is_corrupt():
    heads = np.array([ans.HEAD_LOW], np.uint64)
    assert ans.pop_symbol(heads[0], np.zeros(0, np.uint32), 0, 0, 1)[1] == -1
    with pytest.raises(CorruptFile, match="ends before"):
        ans.after_pops(heads, np.zeros(0, np.uint32), -1)


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
