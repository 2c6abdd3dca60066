"""Lossless data by a model that learns: its law over tiles, its price, previews, and data that nobody wrote."""

from contextlib import suppress
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import photo
from vlaes import MODELS, pictures

from vlaezip.codec import block, learned, lossless
from vlaezip.codec.block import TooLong
from vlaezip.coding import ans
from vlaezip.errors import CorruptFile
from vlaezip.exact import threads
from vlaezip.format.container import CRC, LEARNED, Header, Kind, is_learned, write_varint
from vlaezip.format.settings import MIN_PLACES, RATES, Settings
from vlaezip.format.tiles import split
from vlaezip.model import learning, weights
from vlaezip.model.learner import WINDOW
from vlaezip.search.effort import DEFAULT_EFFORT, settings_tried

(USUAL,) = settings_tried(DEFAULT_EFFORT, 1 << 20)
START = lossless.PROLOGUE.size
SIZES = [(1, 1), (1, 9), (9, 1), (12, 10), (70, 66)]  # height, width; the last has four tiles


def header(height, width, mode="RGB", lanes=1):
    return Header(Kind.LOSSLESS, mode, width, height, b"abcd", 64, lanes)


def colours(head, seed=0):
    """Samples of a picture, uint8 [H, W, 3]."""
    x = pictures((1, head.height, head.width), seed)[0].astype(np.uint8)
    return np.repeat(x[..., :1], 3, 2) if head.grey else x


def joined(head, parts):
    """The picture of its tiles."""
    whole = np.zeros((head.height, head.width, 1 if head.grey else 3), np.uint8)
    for tile, x in parts:
        whole[tile.slices] = x
    return np.broadcast_to(whole, (*whole.shape[:2], 3))


def law(net, head, colour, settings):
    """Decode inverts encode. -> the data."""
    data = lossless.encode_learning(net, head, colour, settings)
    assert is_learned(data)
    assert (joined(head, lossless.decode(net, head, data)) == colour).all()
    return data


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["median", "preview", "direct"])
def test_decode_inverts_encode(kind, size, mode):
    head = header(*size, mode)
    law(MODELS[kind], head, colours(head), USUAL)


@settings(max_examples=20)
@given(
    st.tuples(st.integers(1, 80), st.integers(1, 80)),
    st.booleans(),
    st.integers(0, 4),
    st.integers(MIN_PLACES, WINDOW),
    st.sampled_from(RATES),
    st.integers(0, 99),
)
def test_decode_inverts_encode_of_any_size_lanes_and_settings(size, grey, lanes, places, rate, seed):
    head = header(*size, "L" if grey else "RGB", 1 << lanes)
    law(MODELS["median"], head, colours(head, seed), Settings(places, rate))


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_threads_do_not_matter(mode, monkeypatch):
    head, team, found = header(70, 66, mode), threads.team, []
    for count in (1, 2):
        monkeypatch.setattr(threads, "team", lambda _, count=count: team(count))
        found.append(law(MODELS["median"], head, colours(head), USUAL))
    assert len(set(found)) == 1


@cache
def shipped():
    return weights.load(weights.find(weights.DEFAULT).path, "lossless")


def test_the_learner_goes_on_from_tile_to_tile():
    """What the first tile taught makes the second, which is like it, cheaper than it is alone."""
    tile = np.asarray(photo(64, 64))
    alone, both = (learned.encode(shipped(), header(64, w), np.tile(tile, (1, w // 64, 1)), USUAL) for w in (64, 128))
    assert len(both) < 2 * len(alone) - 100


def test_the_price_is_the_models_estimate():
    net, head, colour = shipped(), header(60, 100), np.asarray(photo(60, 100))
    state, bits = learned.begin(net, False), 0.0
    for tile in split(60, 100, 64):
        x = colour[tile.slices][None].astype(np.int32)
        z = block.first_latent(net, x)
        bits += learning.encode_intervals(net.pixel, state, net.pixel_scene(z, x.shape[:3]), x, USUAL).bits
        bits += block.local_ar.encode_intervals(net.prior, net.prior_scene(z.shape[:3], 0), z).bits
    data = learned.encode(net, head, colour, USUAL)
    assert abs(8 * len(data) - bits) <= 0.01 * bits + 64 * 8


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", SIZES)
def test_a_preview_is_that_of_z(size, mode):
    net, head = MODELS["preview"], header(*size, mode)
    colour = colours(head)
    found = joined(head, lossless.preview(net, head, lossless.encode_learning(net, head, colour, USUAL)))
    for tile in split(*size, 64):
        z = block.first_latent(net, colour[tile.slices][None].astype(np.int32))
        expected = net.preview(z)[0][0, : tile.height, : tile.width]
        assert (found[tile.slices] == (expected[..., :1] if head.grey else expected)).all()


def test_data_that_comes_to_too_much_is_given_up():
    head = header(70, 66)
    size = len(learned.encode(MODELS["median"], head, colours(head), USUAL))
    with pytest.raises(TooLong):
        learned.encode(MODELS["median"], head, colours(head), USUAL, size // 8)


@pytest.mark.parametrize("name", [m.name for m in weights.available() if "lossless" in m.sets])
def test_every_model_that_ships_can_learn(name):
    net = weights.load(weights.find(name).path, "lossless")
    for grey in (False, True):
        assert learned.begin(net, grey).clock[0] == 0


HEAD = header(70, 66, lanes=2)


@cache
def sound():
    return lossless.encode_learning(MODELS["median"], HEAD, colours(HEAD), USUAL)


def decode(data, head=HEAD):
    """All ways to read data."""
    for read in (lossless.decode, lossless.preview):
        list(read(MODELS["median"], head, data))


@pytest.mark.parametrize("size", range(START))
def test_a_prologue_that_is_cut_is_refused(size):
    with pytest.raises(CorruptFile):
        decode(sound()[:size])


def test_data_that_is_cut_is_refused():
    for size in [*range(START, START + 30), *range(START + 30, len(sound()), len(sound()) // 40)]:
        for read in (lossless.decode, lossless.preview):
            with pytest.raises(CorruptFile):
                list(read(MODELS["median"], HEAD, sound()[:size]))


@pytest.mark.parametrize("rate", [0, RATES[0] - 1, RATES[-1] + 1, 255])
def test_rates_that_are_not_known_are_refused(rate):
    data = sound()[: START + 1] + bytes([rate]) + sound()[START + 2 :]
    with pytest.raises(CorruptFile, match=f"rate {rate} is not known"):
        decode(data)


def test_other_settings_than_those_of_the_encoder_are_found_out():
    for places, rate in ((USUAL.places - 2, USUAL.rate), (USUAL.places - 1, USUAL.rate + 1)):
        with pytest.raises(CorruptFile):
            decode(sound()[:START] + bytes([places, rate]) + sound()[START + 2 :])


@pytest.mark.parametrize("more", [4, 1 << 20, (1 << 35) - 1, -4, -1])
def test_lengths_of_tiles_that_do_not_fit_are_refused(more):
    size, offset = learned.read_varint(sound(), START + 2, "length")
    length = write_varint(min(size + more, (1 << 35) - 1))
    with pytest.raises(CorruptFile):
        decode(sound()[: START + 2] + length + sound()[offset:])


def test_what_follows_the_last_tile_is_refused():
    with pytest.raises(CorruptFile, match="left over"):
        decode(sound() + b"\0")


def test_other_pixels_than_the_encoder_s_are_refused():
    spoilt = bytes([sound()[0] ^ 1]) + sound()[1:]
    with pytest.raises(CorruptFile, match="CRC"):
        decode(spoilt)


def test_other_models_lanes_and_modes_are_found_out():
    for net, head in (("direct", HEAD), ("median", header(70, 66)), ("median", header(70, 66, "L", 2)),
                      ("median", header(66, 70, lanes=2))):  # fmt: skip
        with pytest.raises(CorruptFile):
            list(lossless.decode(MODELS[net], head, sound()))


@settings(max_examples=60)
@given(st.integers(0, 70 * 60), st.integers(1, 255))
def test_a_changed_byte_raises_only_our_errors(where, change):
    where %= len(sound())
    with pytest.raises(CorruptFile):
        list(
            lossless.decode(
                MODELS["median"], HEAD, sound()[:where] + bytes([sound()[where] ^ change]) + sound()[where + 1 :]
            )
        )


@settings(max_examples=60)
@given(st.binary(max_size=300), st.integers(1, WINDOW), st.sampled_from(RATES), st.integers(0, 2), st.booleans())
def test_garbage_raises_only_our_errors(blob, places, rate, lanes, grey):
    head = header(20, 12, "L" if grey else "RGB", 1 << lanes)
    start = bytes([0] * CRC.size + [LEARNED])
    heads = np.full(1 << lanes, ans.HEAD_LOW * 3, "<u8").tobytes()
    words = heads + blob[: len(blob) // 4 * 4]
    for data in (blob, bytes([places - 1, rate]) + blob, bytes([places - 1, rate]) + write_varint(len(words)) + words):
        with suppress(CorruptFile):
            decode(start + data, head)
