"""Drawn pictures: the same on every run, none like another, and what is said of them against the better rival."""

import numpy as np
import pytest
from PIL import Image

import vlaezip
from benchmarks import drawn
from benchmarks.lib.drawn import PICTURES, screens, text
from benchmarks.lossless import Outcome
from tests.pictures import photo
from vlaezip.format.container import Kind, read

each = pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES)


@each
def test_a_picture_is_the_same_on_every_run(draw):
    assert np.array_equal(draw(), draw())


@each
def test_a_picture_is_of_a_common_size_and_has_colours(draw):
    x = draw()
    assert x.dtype == np.uint8
    assert 400 <= min(x.shape[:2]) <= max(x.shape[:2]) <= 1200
    assert x.shape[2] == 3
    assert len(np.unique(x.reshape(-1, 3), axis=0)) > 100


def test_there_are_three_of_each_kind():
    kinds = [name.partition("-")[0] for name in PICTURES]
    assert {kind: kinds.count(kind) for kind in kinds} == {"plot": 3, "screen": 3, "scan": 3, "sheet": 3}


def test_the_noise_of_a_grey_scanner_is_grey():
    x = PICTURES["scan-form"]().astype(int)
    paper = x[455:485, 100:400]
    assert paper.std() > 2
    assert np.ptp(paper - paper[..., :1]) == 0


def test_a_rounded_box_is_full_in_its_middle_and_soft_at_its_corners():
    mask = np.asarray(screens.rounded(Image.new("RGB", (40, 30)), (5, 5, 35, 25), 8))
    assert mask[15, 20] == mask[15, 5] == mask[15, 34] == 255
    assert mask[5, 5] == mask[4, 20] == mask[25, 20] == 0
    assert ((mask > 0) & (mask < 255)).sum() >= 8


def test_a_paragraph_stays_in_its_box():
    image = Image.new("RGB", (300, 200))
    face = text.font(12)
    text.paragraph(screens.ImageDraw.Draw(image), np.random.default_rng(0), (40, 30, 220, 150), face, (255, 255, 255))
    left, top, right, bottom = image.getbbox()
    assert left >= 39
    assert top >= 30
    assert right <= 221
    assert bottom <= 151
    assert right - left > 140
    assert bottom - top > 90


def test_what_is_stored_comes_back():
    x = np.asarray(photo(24, 40))
    data = drawn.stored(x)
    assert read(data).header.kind is Kind.STORED
    assert np.array_equal(np.asarray(vlaezip.decompress(data)), x)


def outcomes(*sizes):
    return [Outcome(size, 100, 1.0, 2.0, True) for size in sizes]


def test_the_better_rival_is_chosen_for_every_picture():
    found = {"WebP": outcomes(10, 60), "JPEG XL 9": outcomes(20, 40), "effort 2": outcomes(5, 44)}
    best = drawn.better(found)
    assert [o.size for o in best] == [10, 40]
    name, rate, mean, pictures, smaller, *_ = drawn.summary("effort 2", found["effort 2"], best)
    assert (name, smaller) == ("effort 2", "1 of 2")
    assert [rate, mean, pictures] == pytest.approx([8 * 24.5 / 100, -2, -20])
