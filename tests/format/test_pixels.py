"""Laws of pictures: what goes in comes out, or is refused in one line."""

from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms

from vlaezip.errors import ImageError
from vlaezip.format import pixels, tiles
from vlaezip.format.container import MODES
from vlaezip.format.pixels import assemble, join, load, prepare, save, save_into, split

CHANNELS = {"1": 1, "L": 1, "LA": 2, "P": 1, "RGB": 3, "RGBA": 4}
EXIF = Image.Exif()
EXIF[274], EXIF[271] = 6, "maker"
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
METADATA = {"icc_profile": ICC, "exif": EXIF.tobytes(), "xmp": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"}

sides = st.integers(1, 12)
planes = st.tuples(sides, sides).flatmap(lambda s: hnp.arrays(np.uint8, s))


@st.composite
def images(draw, modes=MODES):
    mode = draw(st.sampled_from(modes))
    height, width, c = draw(sides), draw(sides), CHANNELS[mode]
    samples = draw(hnp.arrays(np.uint8, (height, width) if c == 1 else (height, width, c)))
    if mode == "1":
        return Image.fromarray(samples > 127)
    image = Image.fromarray(samples)
    if mode == "P":
        image.putpalette(draw(st.binary(min_size=3, max_size=768).map(lambda b: b[: len(b) // 3 * 3])))
        if draw(st.booleans()):
            image.info["transparency"] = draw(st.binary(min_size=1, max_size=5))
    return image


def photo(mode="RGB", size=(24, 16)):
    x = np.add.outer(np.arange(size[1]) * 5, np.arange(size[0]) * 3)
    return Image.merge("RGBA", [Image.fromarray((x * k % 256).astype(np.uint8)) for k in (1, 2, 3, 7)]).convert(mode)


def same(a, b):
    return (a.mode, a.size, a.tobytes()) == (b.mode, b.size, b.tobytes())


def as_file(image, kind, **options):
    out = BytesIO()
    image.save(out, kind, **options)
    return Image.open(BytesIO(out.getvalue()))


@given(images(), st.dictionaries(st.sampled_from(sorted(METADATA)), st.binary(min_size=1)))
def test_join_inverts_split(image, info):
    image.info |= info
    back = join(split(image))
    assert same(back, image)
    assert back.getpalette(None) == image.getpalette(None)
    assert back.info == image.info


def test_what_is_split_can_be_stripped():
    image = photo()
    image.info |= METADATA
    picture = split(image)
    assert split(picture) is picture
    assert (split(picture, strip=True).icc, picture.icc) == (None, ICC)


@pytest.mark.parametrize("mode", ["I;16", "I", "F", "CMYK", "YCbCr", "LAB", "HSV", "PA"])
def test_other_modes_are_refused_by_name(mode):
    with pytest.raises(ImageError, match=f"mode {mode} is not taken"):
        split(Image.new(mode, (2, 2)))


@pytest.mark.parametrize("mode", ["1", "P"])
def test_palette_pictures_are_split_into_indices(mode):
    picture = split(Image.new(mode, (3, 2), 1))
    assert (picture.mode, picture.pixels.shape, picture.pixels.dtype) == (mode, (2, 3, 1), np.uint8)
    assert (picture.pixels == 1).all()


def test_an_empty_picture_is_refused():
    with pytest.raises(ImageError, match="0 x 2"):
        split(Image.new("L", (0, 2)))


def test_a_picture_over_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(pixels, "MAX_PIXELS", 100)
    with pytest.raises(ImageError, match="24 x 16"):
        prepare(photo())


def test_animations_are_refused():
    frames = [Image.new("L", (4, 4), 99 * i) for i in range(3)]
    with pytest.raises(ImageError, match="frames"):
        prepare(as_file(frames[0], "GIF", save_all=True, append_images=frames[1:]))


def test_of_an_mpo_the_first_picture_is_taken():
    image = as_file(photo(), "MPO", save_all=True, append_images=[photo()])
    assert image.n_frames == 2
    assert prepare(image).mode == "RGB"


def test_16_bit_colour_is_refused_not_rounded():
    ppm = b"P6 2 1 65535\n" + bytes(range(12))
    with pytest.raises(ImageError, match="16 bits"):
        prepare(load(ppm))
    with pytest.raises(ImageError, match="16 bits"):
        prepare(load(png_16()))


def png_16():
    """A 1 x 1 RGB picture of 16 bits a sample, which Pillow cannot write."""
    import struct
    import zlib

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0\1\2\3\4\5\6"))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("mode", "colour"), [("L", 3), ("RGB", (3, 6, 9))])
def test_one_transparent_colour_becomes_alpha(mode, colour):
    image = as_file(photo(mode), "PNG", transparency=colour)
    ready = prepare(image)
    assert ready.mode == mode + "A"
    assert ready.convert("RGBA").tobytes() == image.convert("RGBA").tobytes()


def test_a_file_cut_short_is_an_image_error():
    data = save(photo(), ".png")
    with pytest.raises(ImageError, match="cannot be read"):
        split(load(data[: len(data) // 2]))


@given(st.binary(max_size=64))
def test_load_refuses_garbage(blob):
    with suppress(ImageError):
        prepare(load(blob))


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg", ".tiff"])
def test_save_keeps_metadata(suffix):
    image = photo()
    image.info |= METADATA
    back = load(save(image, suffix))
    assert back.info["icc_profile"] == ICC
    assert (back.getexif()[274], back.getexif()[271]) == (6, "maker")
    assert back.info["xmp"] == METADATA["xmp"]
    picture = split(back)
    assert picture.icc == ICC
    assert join(picture).getexif()[271] == "maker"
    assert picture.xmp == METADATA["xmp"]


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["PNG", "TIFF", "GIF", "JPEG", "WEBP"]), st.data())
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_raise_only_our_errors(kind, data):
    blob = bytearray(save(photo(), f".{kind.lower()}"))
    for _ in range(data.draw(st.integers(1, 6))):
        blob[data.draw(st.integers(0, min(len(blob), 300) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ImageError):
        split(load(bytes(blob)))


def test_strip_leaves_metadata_out():
    image = photo()
    image.info |= METADATA
    picture = split(image, strip=True)
    assert (picture.icc, picture.exif, picture.xmp) == (None, None, None)


def test_tiff_tags_of_layout_are_dropped():
    picture = split(as_file(photo(), "TIFF", software="vlaezip"))
    assert dict(join(picture).getexif()) == {305: "vlaezip"}


def test_a_full_disk_is_no_image_error():
    class Full(BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        save_into(Full(), photo(), ".png")


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_tiles_are_assembled_in_any_order(mode):
    image = photo(mode)
    samples = split(image).pixels
    parts = [(tile, samples[tile.slices]) for tile in tiles.split(16, 24, 5)]
    assert same(assemble(24, 16, mode == "L", iter(parts[::-1])), image)


@pytest.mark.parametrize(("mode", "suffix"), [("RGBA", ".jpg"), ("RGB", ".nonsense"), ("RGB", "")])
def test_what_cannot_be_saved_is_an_image_error(mode, suffix):
    with pytest.raises(ImageError, match="cannot"):
        save(photo(mode), suffix)
