"""Bits-back with many draws: its parts, its law, its price; and that more draws are log_weights having."""

import math

import numpy as np
import pytest
import random_nets
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import seeds

from vlaezip.codec import block as codec
from vlaezip.codec import coupled_draws
from vlaezip.codec.block import Refund
from vlaezip.coding import ans
from vlaezip.coding.categorical import categorical, cumulative_table, log2, uniform
from vlaezip.errors import CorruptFile
from vlaezip.model import local_ar

KINDS = {"colour": random_nets.vlae_config(1, "median"), "binary": random_nets.vlae_config(1, "binary")}
RANDOM = {name: random_nets.vlae(sizes, seed=3) for name, sizes in KINDS.items()}
SHAPE = 3, 9, 10


def some_bits(seed, words=400, lanes=1):
    rng = np.random.default_rng(seed)
    return ans.Message(rng.integers(1 << 31, 1 << 63, lanes, np.uint64), rng.integers(0, 1 << 32, words, np.uint32))


def content(message):
    """Bits that a message holds, to a fraction."""
    return np.log2(message.heads.astype(float)).sum() + 32 * len(message.words)


def same(one, other):
    return one.heads.tolist() == other.heads.tolist() and one.words.tolist() == other.words.tolist()


def samples(kind, seed=0, shape=SHAPE):
    c = KINDS[kind]
    return np.random.default_rng(seed).integers(0, c.values, (*shape, c.channels)).astype(np.int32)


def test_log2_is_right_to_two_units():
    every = np.arange(1, (1 << 22) + 1)
    assert abs(log2(every) / 65536 - np.log2(every)).max() < 2 / 65536
    assert (np.diff(log2(every)) >= 0).all()
    assert log2(np.array([1, 2, 1 << 22], np.uint32)).tolist() == [0, 1 << 16, 22 << 16]


@given(seeds, st.integers(1, 70), st.integers(1, 5))
def test_tables_are_the_weights_and_leave_none_out(seed, count, spread):
    rng = np.random.default_rng(seed)
    log_weights = rng.normal(0, 10.0**spread * 65536, (4, count)).astype(np.int64)
    found = cumulative_table(log_weights)
    assert found[:, 0].tolist() == [0] * 4
    assert found[:, -1].tolist() == [1 << 22] * 4
    assert (np.diff(found) > 0).all()
    weights = np.exp2((log_weights - log_weights.max(1, keepdims=True)) / 65536)
    assert abs(np.diff(found) / 2**22 - weights / weights.sum(1, keepdims=True)).max() < 0.02


@settings(max_examples=40)
@given(seeds, st.integers(1, 3), st.integers(0, 30))
def test_symbols_keep_the_law_both_ways(seed, lanes, count):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, rng.choice([2, 5, 1 << 22], count) + 1)
    table = cumulative_table(rng.integers(0, 1 << 20, (count, 5)))
    message = some_bits(seed, 60, lanes)
    for pair, many in ((uniform(counts), counts), (categorical(table), np.full(count, 5))):
        symbols = rng.integers(0, many)
        after, found = pair.pop(pair.push(message, symbols))
        assert same(after, message)
        assert found.tolist() == symbols.tolist()
        after, found = pair.pop(message)
        assert (found >= 0).all()
        assert (found < many).all()
        assert same(pair.push(after, found), message)


def test_uniform_symbols_cost_their_logarithm():
    counts = np.array([1, 2, 3, 100, 9999] * 30)
    message = some_bits(0)
    price = content(uniform(counts).push(message, counts - 1)) - content(message)
    assert price == pytest.approx(np.log2(counts).sum(), abs=0.5)


def test_symbols_from_a_stack_that_runs_dry_are_corrupt():
    for pair in (uniform(np.full(9, 1 << 20)), categorical(cumulative_table(np.zeros((40, 4), np.int64)))):
        with pytest.raises(CorruptFile):
            pair.pop(ans.empty(1))


@given(seeds)
@settings(max_examples=10)
def test_cells_hold_the_points_that_z_is_drawn_at(seed):
    net, x = RANDOM["colour"], samples("colour", seed)
    q = codec.posterior_points(net, codec.posterior(net, x))
    points = np.random.default_rng(seed).integers(0, coupled_draws.POINTS, (SHAPE[0], math.prod(q.shape[1:])))
    first, count = q.cells(q.at(points))
    assert (first <= points).all()
    assert (points < first + count).all()
    for edge in (first, first + count - 1):  # the cell is no wider
        assert (q.at(edge) == q.at(points)).all()
    outside = np.where(first > 0, first - 1, points)
    assert (q.at(outside)[(first > 0).reshape(q.shape)] != q.at(points)[(first > 0).reshape(q.shape)]).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grey", [False, True])
def test_log_weights_is_the_mass_of_each_picture(kind, grey):
    if grey and kind == "binary":
        grey = False
    net, x = RANDOM[kind], samples(kind)
    if grey:
        x[:] = x[..., :1]
    z = codec.first_latent(net, x)
    scene = net.pixel_scene(z, SHAPE, grey)
    found = coupled_draws.log_mass(net.pixel, scene, x)
    for n in range(SHAPE[0]):
        alone = net.pixel_scene(z[n : n + 1], (1, *SHAPE[1:]), grey)
        intervals = local_ar.encode_intervals(net.pixel, alone, x[n : n + 1])
        assert 22 * len(intervals.freqs) - found[n] / 65536 == pytest.approx(intervals.bits, abs=0.05)


def block(kind, draws, grey=False):
    return codec.block_codec(RANDOM[kind], SHAPE, grey, Refund.WHITE, 1, draws)


@pytest.mark.parametrize("draws", [2, 3, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_pop_inverts_push(kind, draws):
    for seed in range(3):
        message, x = some_bits(seed), samples(kind, seed)
        pushed = block(kind, draws).push(message, x)
        after, found = block(kind, draws).pop(pushed)
        assert same(after, message)
        assert (found == x).all()


def price_by_hand(kind, x, message, draws):
    """-log2 of the mean of p(x, z) / q(z|x) over the draws that the stack asks for, picture by picture, summed."""
    net = RANDOM[kind]
    q = codec.posterior_points(net, codec.posterior(net, x))
    noise = uniform(np.full(math.prod(q.shape), coupled_draws.POINTS)).pop(message)[1]
    noise = noise.reshape(len(x), -1)
    logs = []
    for move in coupled_draws.shifts(draws, noise.shape[1]):
        z = q.at((noise + move) % coupled_draws.POINTS)
        log_q = np.log2(q.cells(z)[1] / coupled_draws.POINTS).sum(1)
        bits = np.empty(len(x))
        for n in range(len(x)):
            one, shape = z[n : n + 1], (1, *x.shape[1:3])
            prior = local_ar.encode_intervals(net.prior, net.prior_scene(one.shape[:3], None), one)
            pixels = local_ar.encode_intervals(net.pixel, net.pixel_scene(one, shape), x[n : n + 1])
            bits[n] = prior.bits + pixels.bits
        logs.append(-bits - log_q)
    return -(np.logaddexp2.reduce(logs) - np.log2(draws)).sum()


@pytest.mark.parametrize("draws", [2, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_the_price_is_that_of_importance_sampling(kind, draws):
    for seed in range(3):
        message, x = some_bits(seed), samples(kind, seed)
        price = content(ans.whiten(block(kind, draws).push(message, x), 1)) - content(message)
        assert price == pytest.approx(price_by_hand(kind, x, message, draws), abs=0.1 * len(x))


def test_more_draws_cost_less():
    x = samples("binary")
    prices = [
        sum(content(block("binary", draws).push(m, x)) - content(m) for m in map(some_bits, range(20)))
        for draws in (1, 4, 16)
    ]
    assert prices[0] > prices[1] > prices[2]


def test_too_few_bits_are_corrupt():
    with pytest.raises(CorruptFile):
        block("colour", 4).push(ans.empty(1), samples("colour"))


@given(seeds)
@settings(max_examples=30)
def test_random_bits_decode_to_anything_but_another_error(seed):
    for kind in KINDS:
        try:
            after, x = block(kind, 3).pop(some_bits(seed, 60))
        except CorruptFile:
            continue
        assert same(block(kind, 3).push(after, x), some_bits(seed, 60))
