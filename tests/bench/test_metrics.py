"""Likeness: MS-SSIM against a plain reading of its paper, and decibels."""

import math

import numpy as np
import pytest

from benchmarks import example
from benchmarks.lib import metrics


def noisy(x, deviation):
    noise = np.random.default_rng(1).normal(0, deviation, x.shape)
    return np.clip(np.round(x + noise), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def picture():
    return example.make(192, 224)


def plain_ms_ssim(x, y):
    """Wang, Simoncelli, Bovik 2003, in double precision, a channel and a window at a time."""
    bell = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(bell, bell) / bell.sum() ** 2

    def smooth(values):
        views = np.lib.stride_tricks.sliding_window_view(values, (11, 11))
        return np.einsum("ijkl,kl->ij", views, window)

    def channel(a, b):
        result = 1.0
        for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
            ma, mb = smooth(a), smooth(b)
            va, vb, cov = smooth(a * a) - ma**2, smooth(b * b) - mb**2, smooth(a * b) - ma * mb
            term = (2 * cov + 58.5225) / (va + vb + 58.5225)
            if scale == 4:
                term = term * (2 * ma * mb + 6.5025) / (ma**2 + mb**2 + 6.5025)
            result *= max(term.mean(), 0) ** weight
            a, b = (v.reshape(v.shape[0] // 2, 2, v.shape[1] // 2, 2).mean((1, 3)) for v in (a, b))
        return result

    return np.mean([channel(x[..., c].astype(float), y[..., c].astype(float)) for c in range(3)])


def test_ms_ssim_is_that_of_the_paper(picture):
    y = noisy(picture, 25)
    assert metrics.ms_ssim(picture, y) == pytest.approx(plain_ms_ssim(picture, y), abs=1e-5)


def test_equal_pictures_are_perfect(picture):
    assert metrics.ms_ssim(picture, picture) == pytest.approx(1, abs=1e-6)
    assert metrics.psnr(picture, picture) == math.inf


def test_noise_lowers_every_likeness(picture):
    pictures = [noisy(picture, deviation) for deviation in (4, 12, 36)]
    for measure in (metrics.psnr, metrics.ms_ssim):
        found = [measure(picture, y) for y in pictures]
        assert found == sorted(set(found), reverse=True)


def test_small_pictures_have_no_ms_ssim():
    with pytest.raises(ValueError, match="176"):
        metrics.ms_ssim(np.zeros((175, 200, 3), np.uint8), np.zeros((175, 200, 3), np.uint8))


@pytest.mark.parametrize(("similarity", "decibels"), [(0.9, 10), (0.99, 20), (0.0, 0), (1.0, math.inf)])
def test_decibels_of_a_similarity(similarity, decibels):
    assert metrics.decibels(similarity) == pytest.approx(decibels)


def test_drift_sees_a_block_that_changes_colour():
    x = np.full((128, 128, 3), 100, np.uint8)
    y = x.copy()
    y[64:, :64, 2] += 9
    assert metrics.drift(x, y).tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 9], [0, 0, 0]]
