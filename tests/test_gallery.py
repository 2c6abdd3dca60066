"""Sheets of reconstructions and samples."""

import numpy as np

from tests import random_nets
from vlaezip import gallery

MODEL = random_nets.vlae(random_nets.vlae_config(), seed=2)


def test_samples_are_pictures_and_depend_on_the_seed():
    first, again, other = (gallery.sample(MODEL, 3, 24, 16, seed) for seed in (0, 0, 1))
    assert first.shape == (3, 24, 16, 3)
    assert (first == again).all()
    assert (first != other).any()


def test_reconstructions_know_z_alone():
    x = np.random.default_rng(0).integers(0, 256, (2, 16, 24, 3)).astype(np.int32)
    shown, bits = gallery.reconstruct(MODEL, x)
    assert (shown.shape, shown.dtype) == (x.shape, np.uint8)
    assert bits > 0


def test_a_sheet_has_every_picture_in_its_place():
    pictures = [np.full((4, 6, 1), n, np.uint8) for n in range(5)]
    page = np.asarray(gallery.sheet(pictures, 3))
    assert page.shape == (2 * 6 + 2, 3 * 8 + 2)
    assert [page[4, 4], page[4, 12], page[4, 20], page[10, 4], page[10, 12], page[10, 20]] == [0, 1, 2, 3, 4, 255]
