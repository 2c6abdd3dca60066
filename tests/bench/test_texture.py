"""Measures of texture: 0 for the same, blind to where the grain lies, worse with blur and with noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from benchmarks import example
from benchmarks.lib import texture

seeds = st.integers(0, 1000)
few = settings(max_examples=5)
each = pytest.mark.parametrize("measure", texture.MEASURES.values(), ids=texture.MEASURES)


def grain(seed, slope=0.9, side=128):
    """Grey texture of one kind everywhere, another sample for another seed."""
    noise = example.texture(np.random.default_rng(seed), side, side, slope)
    return np.repeat(np.clip(128 + 22 * noise, 0, 255).round().astype(np.uint8)[..., None], 3, 2)


def blurred(x, radius):
    return np.asarray(Image.fromarray(x).filter(ImageFilter.GaussianBlur(radius)))


def noisy(x, deviation):
    noise = np.random.default_rng(7).normal(0, deviation, x.shape[:2])[..., None]
    return np.clip(np.round(x + noise), 0, 255).astype(np.uint8)


def distances(measure, x, others):
    return [texture.distance(measure(x), measure(y)) for y in others]


@each
@few
@given(seeds)
def test_identical_pictures_have_distance_0(measure, seed):
    x = grain(seed)
    assert distances(measure, x, [x.copy()]) == [0]


@each
@few
@given(seeds)
def test_the_distance_is_symmetric(measure, seed):
    a, b = measure(grain(seed)), measure(grain(seed + 1, slope=1.3))
    assert texture.distance(a, b) == texture.distance(b, a) > 0


@each
@few
@given(seeds)
def test_another_sample_of_a_texture_is_nearer_than_a_blurred_or_a_noisy_one(measure, seed):
    """What no measure of fidelity says: the sample shares no pixel with the original."""
    x = grain(seed)
    sample, blur, noise = distances(measure, x, [grain(seed + 1), blurred(x, 1.2), noisy(x, 20)])
    assert sample < blur
    assert sample < noise


@each
@few
@given(seeds, st.integers(1, 127), st.integers(1, 127))
def test_the_phase_hardly_counts(measure, seed, down, right):
    x = grain(seed)
    shift, blur = distances(measure, x, [np.roll(x, (down, right), (0, 1)), blurred(x, 1.2)])
    assert shift < blur


@each
@few
@given(seeds)
def test_blur_counts_the_more_the_stronger_it_is(measure, seed):
    x = grain(seed)
    found = distances(measure, x, [x, *(blurred(x, radius) for radius in (0.7, 1.4, 2.8))])
    assert found == sorted(set(found))


@each
@few
@given(seeds)
def test_noise_counts_the_more_the_stronger_it_is(measure, seed):
    x = grain(seed)
    found = distances(measure, x, [x, *(noisy(x, deviation) for deviation in (3, 9, 27))])
    assert found == sorted(set(found))


@each
def test_what_is_fainter_than_a_level_counts_little(measure):
    flat = np.full((128, 128, 3), 90, np.uint8)
    faint = flat + np.random.default_rng(0).integers(0, 2, flat.shape, np.uint8)
    assert distances(measure, flat, [faint])[0] < 0.5


@each
def test_a_picture_without_a_block_is_refused(measure):
    with pytest.raises(ValueError, match="block"):
        measure(np.zeros((63, 200, 3), np.uint8))


def test_spectra_have_the_power_of_white_noise_in_every_ring():
    x = np.repeat(np.random.default_rng(0).normal(128, 20, (256, 256, 1)).round().astype(np.uint8), 3, 2)
    power = np.exp2(texture.spectra(x)).mean(0)
    assert power[3:] == pytest.approx(400, rel=0.1)  # the bell takes some off the lowest rings


def test_wavelets_know_a_gaussian_by_its_kurtosis():
    x = np.repeat(np.random.default_rng(0).normal(128, 20, (256, 256, 1)).round().astype(np.uint8), 3, 2)
    assert np.exp2(texture.wavelets(x)[:, 1]).mean((1, 2)) == pytest.approx(3, abs=0.3)


def test_wavelets_know_an_edge_by_its_kurtosis():
    edge = np.where(np.arange(128) < 90, 60, 190).astype(np.uint8)[None, :, None].repeat(128, 0).repeat(3, 2)
    across = texture.wavelets(edge)[: -texture.ANGLES : texture.ANGLES, 1]  # waves from left to right, but the longest
    assert (across[:, :, 1] > np.log2(5)).all()
