"""Sets of small pictures: packed files, mosaics, binarisation, batches."""

import numpy as np
import pytest

from vlaezip.model.config import Window
from vlaezip.train import sets

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path):
    """A folder with three binary sets of a few pictures."""
    binary = tmp_path / "binary"
    binary.mkdir()
    bits = RNG.integers(0, 2, (40, 28, 28)).astype(np.uint8)
    rows = np.packbits(bits.reshape(40, -1), axis=1)
    np.savez(binary / "mnist_static_packed.npz", train=rows[:20], valid=rows[20:30], test=rows[30:])
    sideways = np.packbits(bits.swapaxes(1, 2).reshape(40, -1), axis=1)
    np.savez(binary / "caltech101_silhouettes_28_packed.npz", train=sideways[:20], val=sideways[20:30], test=rows[30:])
    np.savez(
        binary / "mnist_grey.npz",
        x_train=bits * 255,
        x_test=bits[:5] * 255,
        y_train=np.arange(40),
        y_test=bits[0, 0, :5],
    )
    return tmp_path, bits


def test_packed_rows_come_back(folder):
    path, bits = folder
    found = sets.load("mnist-static", path)
    assert (np.concatenate([found.train, found.valid, found.test])[..., 0] == bits).all()
    assert (sets.load("caltech", path).train[..., 0] == bits[:20]).all()  # stored column by column


def test_every_twentieth_picture_is_held_out_and_labels_follow(folder):
    path, bits = folder
    found, labels = sets.load("mnist-dynamic", path), sets.LABELS["mnist-dynamic"](path)
    assert (found.valid[..., 0] == 255 * bits[::20]).all()
    assert (len(found.train), len(found.test)) == (38, 5)
    assert labels.train.tolist() == [n for n in range(40) if n % 20]


def test_an_unknown_set_is_refused(folder):
    with pytest.raises(KeyError):
        sets.load("nonsense", folder[0])


def test_a_mosaic_falls_apart_row_by_row():
    x = RNG.integers(0, 256, (sets.MOSAIC**2, 2, 2, 3)).astype(np.uint8)
    whole = x.reshape(sets.MOSAIC, sets.MOSAIC, 2, 2, 3).swapaxes(1, 2).reshape(2 * sets.MOSAIC, 2 * sets.MOSAIC, 3)
    assert (sets.mosaic(whole) == x).all()


def test_grey_is_the_probability_of_a_one():
    grey = np.repeat(np.array([0, 51, 255], np.uint8), 4000)
    drawn = sets.binarise(grey, np.random.default_rng(1)).reshape(3, -1)
    assert (drawn[0] == 0).all()
    assert (drawn[2] == 1).all()
    assert drawn[1].mean() == pytest.approx(0.2, abs=0.03)
    assert (sets.drawn_once(grey, True) == sets.drawn_once(grey, True)).all()
    assert sets.drawn_once(grey, False) is grey


def test_a_part_is_measured_as_it_is_drawn_once(folder):
    path, bits = folder
    assert (sets.measured("mnist-static", path, "valid")[..., 0] == bits[20:30]).all()
    assert (sets.measured("mnist-dynamic", path)[..., 0] == bits[:5]).all()  # 255 is always a 1


def test_a_spread_goes_over_the_whole_set():
    x = np.arange(10)
    assert sets.evenly(x, 3).tolist() == [0, 3, 6]
    assert sets.evenly(x, 10).tolist() == sets.evenly(x, 99).tolist() == x.tolist()
    assert len(sets.evenly(x, 7)) == 7


def test_mosaics_that_are_missing_are_named(folder):
    with pytest.raises(FileNotFoundError, match="train_"):
        sets.load("cifar10", folder[0])


def test_draws_are_pictures_of_the_set_some_of_them_flipped():
    x = np.arange(5 * 3 * 4, dtype=np.uint8).reshape(5, 3, 4, 1)
    draws = sets.Draws(x, False, Window(1, 2, 1), 0, 0, flips=True)
    shown, padded = draws.draw(50)
    assert padded.shape == (50, 4, 7, 1)
    assert (padded[:, 1:, 2:6] == shown).all()
    known = {p.tobytes() for p in x.astype(np.float32)} | {p[:, ::-1].tobytes() for p in x.astype(np.float32)}
    found = {p.tobytes() for p in shown.numpy()}
    assert found <= known
    assert len(found) > len(x)


def test_the_source_of_a_binary_picture_is_found():
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (40, 28, 28)).astype(np.uint8)
    which = rng.permutation(40)[:25]
    assert (sets.sources(sets.binarise(grey[which][..., None], rng), grey) == which).all()
