"""Laws of stored pictures: what is stored comes back, in few bytes, and damage is found out."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_pixels import as_file, images, photo, planes, same

from vlaezip import stored
from vlaezip.errors import CorruptFile
from vlaezip.pixels import join, prepare, save, split
from vlaezip.stored import pack_alpha, store, unpack_alpha, unstore


@settings(deadline=None, max_examples=60)
@given(images(("1", "P")))
def test_what_is_joined_is_stored_as_the_same_bytes(image):
    assert store(join(split(image))) == store(image)


def test_palettes_with_alpha_come_back():
    image = photo("RGBA").quantize(7)
    assert image.palette.mode == "RGBA"
    back = join(split(image))
    assert (back.palette.mode, back.getpalette("RGBA")) == ("RGBA", image.getpalette("RGBA"))
    assert store(back) == store(image)


@settings(deadline=None, max_examples=60)
@given(images())
def test_unstore_inverts_store(image):
    back = unstore(store(image), image.mode, *image.size)
    assert same(back, image)
    assert back.convert("RGBA").tobytes() == image.convert("RGBA").tobytes()
    assert type(back) is Image.Image


@settings(deadline=None, max_examples=60)
@given(planes)
def test_unpack_alpha_inverts_pack_alpha(alpha):
    back = unpack_alpha(pack_alpha(alpha), *alpha.shape)
    assert back.dtype == np.uint8
    assert np.array_equal(back, alpha)


def test_a_constant_plane_is_one_byte():
    assert pack_alpha(np.full((300, 200), 255, np.uint8)) == b"\xff"


@given(planes, st.binary(max_size=80))
def test_hostile_alpha_raises_only_our_errors(alpha, blob):
    good = pack_alpha(alpha)
    for data in (b"", blob, good[: len(good) // 2], good[: len(good) // 2] + blob):
        with suppress(CorruptFile):
            unpack_alpha(data, *alpha.shape)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["PNG", "WEBP"]), st.sampled_from(["L", "P", "RGB", "RGBA"]), st.data())
def test_damaged_stored_pictures_raise_only_our_errors(kind, mode, data):
    image = photo("L").convert("P") if mode == "P" else photo(mode)
    blob = bytearray(save(image, f".{kind.lower()}"))
    for _ in range(data.draw(st.integers(1, 6))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    with suppress(CorruptFile):
        unstore(bytes(blob), mode, *image.size)


@pytest.mark.parametrize(("mode", "size"), [("RGB", (24, 17)), ("RGB", (23, 16)), ("L", (24, 16)), ("P", (24, 16))])
def test_a_stored_picture_must_match_the_header(mode, size):
    png, webp = save(photo(), ".png"), save(photo(), ".webp")
    for data in (png, webp) if mode != "L" else (png,):
        with pytest.raises(CorruptFile, match="header says"):
            unstore(data, mode, *size)


def test_a_huge_webp_is_refused_before_it_is_opened(monkeypatch):
    data = bytearray(save(photo(), ".webp"))
    data[21:25] = b"\xff\xff\xff\x0f"
    monkeypatch.setattr(stored.Image, "open", None)
    with pytest.raises(CorruptFile, match="16384, 16384"):
        unstore(bytes(data), "RGB", 24, 16)


def test_store_takes_the_smaller_of_png_and_webp():
    assert len(store(photo())) <= min(len(save(photo(), ".png")), len(save(photo(), ".webp")))


def test_a_16383_wide_picture_goes_as_png_or_webp_and_a_wider_one_as_png():
    for width in (16383, 16384):
        image = Image.new("RGB", (width, 1), (1, 2, 3))
        assert same(unstore(store(image), "RGB", width, 1), image)


def test_store_prepares_one_transparent_colour():
    image = as_file(photo(), "PNG", transparency=(0, 0, 0))
    assert unstore(store(image), "RGBA", *image.size).tobytes() == prepare(image).tobytes()
