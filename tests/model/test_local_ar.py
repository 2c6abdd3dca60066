"""The local model as a codec: its law on any shape, and integers that no batch, chunk or thread can change."""

import threading
from contextlib import suppress
from itertools import count, pairwise

import numpy as np
import pytest
import random_nets
import reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import seeds
from scenes import KINDS, NETS, random_scene, random_values

from vlaezip.coding import ans
from vlaezip.coding.logistic import intervals
from vlaezip.coding.quantiles import quantiles
from vlaezip.errors import CorruptFile
from vlaezip.exact import threads
from vlaezip.model import local_ar, local_kernels
from vlaezip.model.local_ar import Steps
from vlaezip.model.wavefront import wavefront

SHAPES = [(1, 1, 1), (1, 1, 9), (1, 8, 1), (1, 2, 3), (2, 5, 6), (3, 7, 4)]


def sample(net, scene, seed):
    """What the model thinks likely."""
    rng = np.random.default_rng(seed)
    return local_ar.decode(
        net, scene, lambda mix, grid: quantiles(mix, grid, rng.integers(0, 1 << 22, len(grid.step), np.uint32))
    )


def case(kind, shape, seed, grey=False):
    rng, net = np.random.default_rng(seed), NETS[kind]
    scene = random_scene(rng, net, shape, grey)
    return net, scene, sample(net, scene, seed) if seed % 2 else random_values(rng, scene)


def law(net, scene, x, lanes=2):
    codec, before = (
        local_ar.codec(net, scene),
        ans.Message(np.full(lanes, 1 << 40, np.uint64), np.array([7], np.uint32)),
    )
    after, found = codec.pop(codec.push(before, x))
    assert (found == x).all()
    assert ans.write(after) == ans.write(before)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", NETS)
def test_pop_inverts_push(kind, shape, seed):
    law(*case(kind, shape, seed))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", ["median", "preview"])
def test_pop_inverts_push_of_grey_pictures(kind, seed):
    net, scene, x = case(kind, (2, 5, 6), seed, grey=True)
    law(net, scene, x)
    assert (x == x[..., :1]).all()
    assert len(local_ar.encode_intervals(net, scene, x).freqs) == x.size // 3


@settings(max_examples=15)
@given(
    st.sampled_from(list(NETS)),
    st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 6)),
    seeds,
    st.integers(1, 7),
)
def test_pop_inverts_push_for_any_net(kind, shape, seed, lanes):
    rng, net = np.random.default_rng(seed), random_nets.local(KINDS[kind], seed)
    scene = random_scene(rng, net, shape)
    law(net, scene, random_values(rng, scene), lanes)


def by_vector(found):
    """Intervals as a list of vectors of (start, frequency)."""
    pairs = list(zip(found.starts.tolist(), found.freqs.tolist(), strict=True))
    return [pairs[a:b] for a, b in zip(found.bounds[:-1], found.bounds[1:], strict=True)]


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("kind", NETS)
def test_intervals_are_those_of_int64_one_place_after_another(kind, grey):
    if grey and KINDS[kind].reference == "zero":
        kind = "median"
    net, scene, x = case(kind, (2, 4, 5), 3, grey)
    expected = reference.intervals(net, scene, x)
    order, bounds = wavefront(2, 4, 5)
    vectors = []
    for a, b in pairwise(bounds):
        for group in expected:
            width = len(group) // 40
            vectors.append([pair for place in order[a:b] for pair in group[place * width : (place + 1) * width]])
    assert by_vector(local_ar.encode_intervals(net, scene, x)) == vectors


@pytest.mark.parametrize("kind", NETS)
def test_decoding_meets_the_intervals_in_their_order(kind):
    net, scene, x = case(kind, (2, 4, 5), 1)
    expected = by_vector(local_ar.encode_intervals(net, scene, x))
    met = []

    def draw(mix, grid):
        starts = [start for start, _ in expected[len(met)]]
        symbols = quantiles(mix, grid, np.array(starts, np.uint32))
        met.append(list(zip(*(a.tolist() for a in intervals(mix, grid, symbols)), strict=True)))
        return symbols

    assert (local_ar.decode(net, scene, draw) == x).all()
    assert met == expected


@pytest.mark.parametrize("kind", NETS)
def test_a_batch_gives_what_its_pictures_give(kind):
    net, scene, x = case(kind, (3, 4, 6), 1)
    together = by_vector(local_ar.encode_intervals(net, scene, x))
    alone = []
    for n in range(3):
        part = scene._replace(base=scene.base[n : n + 1], extra=scene.extra[n : n + 1])
        alone.append(by_vector(local_ar.encode_intervals(net, part, x[n : n + 1])))
    assert together == [a + b + c for a, b, c in zip(*alone, strict=True)]


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_chunks_do_not_matter(kind, chunk, monkeypatch):
    net, scene, x = case(kind, (2, 6, 7), 1)
    expected = by_vector(local_ar.encode_intervals(net, scene, x))
    monkeypatch.setattr(local_ar, "CHUNK", chunk)
    assert by_vector(local_ar.encode_intervals(net, scene, x)) == expected


@pytest.mark.parametrize("kind", NETS)
def test_threads_do_not_matter(kind, monkeypatch):
    net, scene, x = case(kind, (2, 24, 30), 1)
    monkeypatch.setattr(local_ar, "CHUNK", 64)
    before, results = torch.get_num_threads(), []
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            results.append((by_vector(local_ar.encode_intervals(net, scene, x)), sample(net, scene, 9).tolist()))
    finally:
        torch.set_num_threads(before)
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("steady", [1, 16])
@pytest.mark.parametrize("kind", NETS)
def test_parts_of_a_step_decode_what_one_thread_does(kind, steady, monkeypatch):
    """Shares as small as this, in a batch: borders fall between rows and between pictures, some parts are empty."""
    monkeypatch.setattr(local_ar, "SHARE", 1)
    monkeypatch.setattr(local_ar, "STEADY", steady)
    monkeypatch.setattr(local_ar, "TAKERS", 3)
    before = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            law(*case(kind, (2, 24, 30), 1))
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def taking_turns(monkeypatch):
    """A picture that two threads decode, and what they find."""
    monkeypatch.setattr(local_ar, "SHARE", 1)
    monkeypatch.setattr(threads, "count", lambda: 2)
    net, scene, _ = case("median", (2, 24, 30), 1)
    targets = np.random.default_rng(1).integers(0, 1 << 22, scene.base.size).astype(np.uint32)

    def decode():
        return local_ar.sample(net, scene, targets)

    return decode, decode()


def in_time(work):
    """The result or the error of what must not wait for ever, and what was said in vain."""
    found = []

    def run():
        try:
            found.append(work())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    return found[0]


def test_a_thread_that_cannot_start_is_done_without(taking_turns, monkeypatch):
    decode, expected = taking_turns
    begin = threading.Thread.start

    def start(thread):
        if "run" not in thread.name:
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    assert (in_time(decode) == expected).all()


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("number", [1, 2])
def test_buffers_that_cannot_be_had_are_an_error(taking_turns, monkeypatch, number, error):
    decode, _ = taking_turns
    make, calls = local_ar.buffers_for, count(1)

    def buffers_for(*words):
        if next(calls) == number:
            raise error
        return make(*words)

    monkeypatch.setattr(local_ar, "buffers_for", buffers_for)
    assert isinstance(in_time(decode), error)


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("whose", [0, 1])
def test_a_thread_that_fails_does_not_leave_the_other_waiting(taking_turns, monkeypatch, whose, error):
    decode, expected = taking_turns
    run = local_kernels.decode_share

    def decode_share(*words):
        if words[-3] == whose:
            raise error
        return run(*words)

    with monkeypatch.context() as patch:
        patch.setattr(local_kernels, "decode_share", decode_share)
        assert isinstance(in_time(decode), error)
    assert (decode() == expected).all()


@pytest.mark.parametrize("kind", NETS)
def test_the_price_is_the_estimate(kind):
    net, scene, x = case(kind, (1, 20, 20), 1)
    found = local_ar.encode_intervals(net, scene, x)
    assert found.bits == pytest.approx(sum(22 - np.log2(f) for f in found.freqs.tolist()))
    bits = local_ar.codec(net, scene).push(ans.empty(1), x).bits
    assert abs(bits - found.bits) <= 0.01 * found.bits + 64 * 8


@settings(max_examples=15)
@given(st.sampled_from(list(NETS)), st.binary(max_size=120), seeds)
def test_garbage_gives_values_of_the_scene_or_our_errors(kind, blob, seed):
    net = NETS[kind]
    scene = random_scene(np.random.default_rng(seed), net, (1, 2, 3))
    message = ans.Message(np.array([1 << 62], np.uint64), np.frombuffer(blob[: len(blob) // 4 * 4], np.uint32))
    with suppress(CorruptFile):
        _, x = local_ar.codec(net, scene).pop(message)
        symbols = x // scene.steps.step
        assert (symbols * scene.steps.step == x).all()
        assert ((symbols >= scene.steps.low) & (symbols < scene.steps.low + scene.steps.count)).all()


def test_too_little_data_is_corrupt():
    net, scene, _ = case("median", (1, 8, 8), 0)
    with pytest.raises(CorruptFile):
        local_ar.codec(net, scene).pop(ans.empty(1))


def test_a_grid_repeats_its_steps():
    steps = Steps(*(np.array(v, np.int32) for v in ([1, 2, 3], [-4, -5, -6], [9, 11, 13])))
    assert [a.tolist() for a in steps.grid(2, (2, 0))] == [[3, 1] * 2, [-6, -4] * 2, [13, 9] * 2]
