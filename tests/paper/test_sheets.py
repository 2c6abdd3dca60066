"""Sheets of reconstructions and samples."""

import numpy as np
import pytest

from tests import random_nets
from vlaezip.errors import ImageError
from vlaezip.paper import sheets

MODEL = random_nets.vlae(random_nets.vlae_config(), seed=2)


def test_samples_are_pictures_and_depend_on_the_seed():
    first, again, other = (sheets.sample(MODEL, 3, 24, 16, seed) for seed in (0, 0, 1))
    assert first.shape == (3, 24, 16, 3)
    assert (first == again).all()
    assert (first != other).any()


def test_reconstructions_know_z_alone():
    x = np.random.default_rng(0).integers(0, 256, (2, 16, 24, 3)).astype(np.int32)
    shown, bits = sheets.reconstruct(MODEL, x)
    assert (shown.shape, shown.dtype) == (x.shape, np.uint8)
    assert bits > 0


def test_a_sheet_has_every_picture_in_its_place():
    pictures = [np.full((4, 6, 1), n, np.uint8) for n in range(5)]
    page = np.asarray(sheets.sheet(pictures, 3))
    assert page.shape == (2 * 6 + 2, 3 * 8 + 2)
    assert [page[4, 4], page[4, 12], page[4, 20], page[10, 4], page[10, 12], page[10, 20]] == [
        0,
        1,
        2,
        3,
        4,
        sheets.PAPER,
    ]


def test_pairs_stand_nearer_than_neighbours():
    x = np.full((3, 4, 6, 3), 1, np.int32)
    page = np.asarray(sheets.pairs(MODEL, x, np.full((3, 4, 6, 3), 9, np.uint8), columns=2))
    first = page[2:6, 2:15, 0]
    assert (first[:, :6] == 1).all()
    assert (first[:, 6] == sheets.PAPER).all()
    assert (first[:, 7:] == 9).all()
    assert page.shape == (2 * 6 + 2, 2 * 15 + 2, 3)


def test_enlarged_pixels_are_squares():
    page = sheets.sheet([np.arange(24, dtype=np.uint8).reshape(4, 6, 1)], 1)
    assert (np.asarray(sheets.enlarged(page, 3)) == np.asarray(page).repeat(3, 0).repeat(3, 1)).all()


def test_pictures_of_a_set_are_adapted_by_their_channels():
    assert sheets.adapt(MODEL, np.zeros((2, 5, 5, 3), np.uint8)).shape == (2, 5, 5, 3)
    with pytest.raises(ImageError, match="these have mode 1"):
        sheets.adapt(MODEL, np.zeros((2, 5, 5, 1), np.uint8))
