"""Laws of stored pictures: what is stored comes back, in few bytes, and damage is found out."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import photo as scenery
from PIL import Image, ImageDraw
from test_pixels import as_file, images, photo, planes, same

from vlaezip import api
from vlaezip.errors import CorruptFile
from vlaezip.format import contest, stored
from vlaezip.format.container import BANDS, VERSION_2, Container, Header, Kind, read, write
from vlaezip.format.pixels import join, prepare, save, split
from vlaezip.format.stored import pack_alpha, store, unpack_alpha, unstore


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


def drawing(width, height, mode="RGB"):
    """Text-like strokes on a ground of few colours."""
    image, rng = Image.new("RGB", (width, height), (250, 250, 240)), np.random.default_rng(0)
    pen = ImageDraw.Draw(image)
    for x, y, w, h in rng.integers(0, [width, height, 40, 9], (width * height // 900, 4)).tolist():
        pen.rectangle((x, y, x + w, y + h), outline=tuple(rng.integers(0, 255, 3).tolist()))
    image.putalpha(image.getchannel(0))
    return image.convert(mode)


@pytest.fixture
def small_bands(monkeypatch):
    monkeypatch.setattr(stored, "WHOLE", 4000)
    monkeypatch.setattr(stored, "BAND", 1500)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_large_pictures_are_stored_in_bands(mode, small_bands):
    image = drawing(70, 101, mode)
    data = store(image)
    assert data[:2] == BANDS + b"\5"
    assert same(unstore(data, mode, 70, 101), image)
    file = api.compress(image, lossless=True, effort=0)
    assert read(file).header.kind is Kind.STORED
    assert (file[3], same(api.decompress(file), image)) == (VERSION_2, True)


def test_large_alpha_is_stored_in_bands(small_bands):
    alpha = np.asarray(drawing(70, 101, "L"))
    data = pack_alpha(alpha)
    assert data[:1] == BANDS
    assert np.array_equal(unpack_alpha(data, *alpha.shape), alpha)
    header = Header(Kind.LOSSLESS, "RGBA", 70, 101, b"abcd", 1024)
    assert write(Container(header, b"", data))[3] == VERSION_2
    assert write(Container(header, b"", BANDS))[3] < VERSION_2  # a plane of one value


def test_palettes_and_wide_pictures_are_not_cut(small_bands):
    for image in (drawing(70, 101).quantize(9), drawing(70, 101).convert("1"), Image.new("L", (16384, 2))):
        assert store(image)[:1] == b"\x89"
        assert same(unstore(store(image), image.mode, *image.size), image)


def test_bands_that_are_damaged_are_refused(small_bands):
    data = store(drawing(70, 101))
    for spoilt in (
        data[:-1],
        data + b"x",
        data[:1],
        BANDS + b"\1" + data[2:],
        BANDS + b"\x66" + data[2:],
        BANDS + data,
    ):
        with pytest.raises(CorruptFile):
            unstore(spoilt, "RGB", 70, 101)
    for mode, size in (("P", (70, 101)), ("RGB", (70, 100)), ("RGB", (71, 101)), ("L", (70, 10))):
        with pytest.raises(CorruptFile):
            unstore(store(drawing(70, 101)), mode, *size)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60))
def test_garbage_in_bands_raises_only_our_errors(blob):
    with suppress(CorruptFile):
        unstore(BANDS + blob, "RGB", 5, 7)


def dithered(mode):
    """On this WebP's last method saves more than a glance can miss."""
    return scenery(240, 320).quantize(16).convert("RGBA").convert(mode)


def flat(mode, size=(200, 160)):
    return Image.new("RGBA", size, (120, 130, 140, 99)).convert(mode)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("make", [flat, lambda mode: drawing(300, 200, mode), dithered])
def test_a_search_that_stops_takes_no_more_bytes(make, mode, monkeypatch):
    image = make(mode)
    thorough = store(image)
    monkeypatch.setattr(stored, "GLANCE", 30_000)
    monkeypatch.setattr(stored, "SEARCHED", 100)
    quick = store(image)
    assert len(quick) <= len(thorough)
    assert same(unstore(quick, mode, *image.size), image)


@pytest.mark.parametrize("lossless", [False, True])
def test_large_flat_pictures_are_stored_unmodelled(lossless, monkeypatch):
    monkeypatch.setattr(api.lossless, "encode", None)
    monkeypatch.setattr(api.lossy, "encode", None)
    image = flat("RGB", (2400, 1800))
    file = api.compress(image, lossless=lossless)
    assert len(file) < 1000
    assert same(api.decompress(file), image)


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_a_model_that_falls_behind_is_not_asked_on(mode, monkeypatch):
    image = drawing(200, 160, mode)
    before = api.compress(image, lossless=True)
    assert read(before).header.kind is Kind.STORED
    monkeypatch.setattr(contest, "LARGE", 100)
    monkeypatch.setattr(api, "TILE", 64)
    monkeypatch.setattr(api, "hopeless", lambda kept: 10)
    monkeypatch.setattr(api, "finished", None)
    assert api.compress(image, lossless=True) == before


def test_a_model_that_does_well_on_a_large_picture_is_taken(monkeypatch):
    image = scenery(160, 120)
    before = api.compress(image, lossless=True)
    assert read(before).header.kind is Kind.LOSSLESS
    monkeypatch.setattr(contest, "LARGE", 100)
    monkeypatch.setattr(contest, "SCREEN", 9.0)
    assert api.compress(image, lossless=True) == before
