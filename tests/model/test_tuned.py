"""Tunings of old files: laws of reading and applying, and hostile ones."""

from contextlib import suppress
from fractions import Fraction
from functools import cache
from math import floor

import numpy as np
import pytest
import random_nets
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.lib.tunings import write
from vlaezip.codec import block
from vlaezip.codec.block import Refund
from vlaezip.coding import ans
from vlaezip.errors import CorruptFile
from vlaezip.exact import law
from vlaezip.model import local_ar, tuned
from vlaezip.model.tuned import Change, Tuning

SHAPE = (1, 9, 11)


@cache
def model():
    return random_nets.vlae(random_nets.vlae_config())


def pixels(seed=0, shape=SHAPE):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3)).astype(np.int32)


def coded_bits(net, x, grey=False):
    scene = net.pixel_scene(block.first_latent(net, x), x.shape[:3], grey)
    return local_ar.encode_intervals(net.pixel, scene, x).bits


@st.composite
def tunings(draw, grey=False):
    """Changes of every kind, from none to the wildest."""
    rank, seed, most = draw(st.integers(0, tuned.MAX_RANK)), draw(st.integers(0, 999)), draw(st.integers(0, 255))
    random, parts = np.random.default_rng(seed), {}
    for layer in tuned.tunable(model(), grey):
        for kind, shape in tuned.shapes(layer, rank):
            if draw(st.booleans()):
                exponent = draw(st.integers(0, tuned.EXPONENT_MAX[kind]))
                values = random.integers(-most, most + 1, shape)
                if values.any():
                    parts[layer.name, kind] = Change(values, exponent)
    return Tuning(rank, parts)


def plain(tuning):
    return tuning.rank, {key: (part.values.tolist(), part.exponent) for key, part in tuning.changes.items()}


@given(tunings(), st.booleans())
def test_read_inverts_write(tuning, grey):
    layers = tuned.tunable(model(), grey)
    names = {layer.name for layer in layers}
    tuning = Tuning(tuning.rank, {key: part for key, part in tuning.changes.items() if key[0] in names})
    assert plain(tuned.read(write(tuning, layers), layers)) == plain(tuning)


def test_no_changes_change_nothing():
    layers = tuned.tunable(model(), False)
    same = tuned.apply(model(), Tuning(2, {}), layers)
    assert all(a is b for a, b in zip(same.pixel.layers, model().pixel.layers, strict=True))
    assert coded_bits(same, pixels()) == coded_bits(model(), pixels())


@settings(max_examples=40, deadline=None)
@given(tunings())
def test_tuned_models_obey_the_law_or_are_refused(tuning):
    layers = tuned.tunable(model(), False)
    with suppress(CorruptFile):
        net = tuned.apply(model(), tuning, layers)
        for layer in layers:
            weight, bias, shift = tuned.integers(tuned.find(net.pixel, layer))
            law.prove(layer.name, weight, bias, shift, layer.largest)


@settings(max_examples=15, deadline=None)
@given(tunings(), st.booleans())
def test_pixels_come_back_through_a_tuned_model(tuning, grey):
    layers = tuned.tunable(model(), False)
    try:
        net = tuned.apply(model(), tuning, layers)
    except CorruptFile:
        return
    x = pixels()
    if grey:
        x = np.repeat(x[..., :1], 3, 3)
    message = block.push_blocks(net, ans.empty(2), [x, x], grey, Refund.WHITE)
    for found in block.pop_blocks(net, message, [SHAPE, SHAPE], grey, Refund.WHITE):
        assert np.array_equal(found, x)


def test_changes_are_those_of_the_format():
    """W (1 + gain) + left right^T and b + bias in real units, each term rounded half up to the layer's integers."""
    random, layer = np.random.default_rng(0), tuned.tunable(model(), False)[0]
    part = {
        kind: Change(random.integers(-20, 21, shape), exponent)
        for (kind, shape), exponent in zip(tuned.shapes(layer, 2), (3, 5, 4, 0), strict=True)
    }
    old = tuned.integers(tuned.find(model().pixel, layer))
    new = tuned.integers(
        tuned.changed(model().pixel.stem, layer, Tuning(2, {(layer.name, k): p for k, p in part.items()}))
    )
    steps, units = layer.steps.tolist(), layer.units.tolist()

    def rounded(value):
        return floor(value + Fraction(1, 2))

    for o in range(len(steps)):
        assert new[2][o] == old[2][o]  # nothing here is so large that a row is halved
        row = Fraction(2) ** int(old[2][o]) / Fraction(steps[o])
        assert new[1][o] == old[1][o] + rounded(int(part["bias"].values[o]) * row / 2**5)
        for i in range(len(units)):
            gain = rounded(Fraction(int(old[0][o, i] * part["gain"].values[o]), 2**7))
            product = int(part["left"].values[o] @ part["right"].values[i])
            assert new[0][o, i] == old[0][o, i] + gain + rounded(product * row * Fraction(units[i]) / 2**12)


def test_rows_that_grow_too_large_are_halved():
    layer = tuned.tunable(model(), False)[0]
    before = model().pixel.stem
    wide = Tuning(0, {(layer.name, "gain"): Change(np.full(len(layer.steps), 64), 8)})  # five times as large
    after = tuned.changed(before, layer, wide)
    assert (after.shift < before.shift).any()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 4), st.booleans())
def test_garbage_raises_only_corrupt_file(blob, rank, grey):
    count = sum(1 for layer in tuned.tunable(model(), grey) for _ in tuned.shapes(layer, rank))
    head = np.array([ans.HEAD_LOW * 5], "<u8").tobytes()
    for data in (blob, bytes([rank]) + blob, bytes([rank]) + blob[:count].ljust(count, b"\x35") + head + blob[:40]):
        with suppress(CorruptFile):
            tuned.read_into(model(), data, grey)


@pytest.mark.parametrize("data", [b"", b"\0", b"\5", b"\1\0\0"])
def test_tunings_cut_short_are_refused(data):
    with pytest.raises(CorruptFile):
        tuned.read_into(model(), data, False)
