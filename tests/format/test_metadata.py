"""What stands beside the samples: kept, written back, or named in a warning."""

import struct
import warnings
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin
from PIL.PngImagePlugin import PngInfo, iTXt

from vlaezip import api
from vlaezip.errors import MetadataWarning
from vlaezip.format.container import VERSION, VERSION_2, read
from vlaezip.format.pixels import load, save, split

CICP = bytes([9, 16, 0, 1])
GAMMA, CHROMA = 0.45455, (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
TEXT = {"Title": "a house", "Größe": "naïve – 10 €", "comment": "lower", "parameters": "steps: 20\nseed: 7"}


def picture(mode="RGB"):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 4), np.uint8)).convert(mode)


def as_file(image, kind, **options):
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png_info(*chunks):
    info = PngInfo()
    for name, body in chunks:
        info.add(name, body)
    return info


def png(*chunks, after=(), mode="RGB", **options):
    """A PNG with chunks that Pillow may not write: some before the samples, some after them."""
    data = as_file(picture(mode), "PNG", **options)
    first, last = data.index(b"IDAT") - 4, data.index(b"IEND") - 4
    return data[:first] + b"".join(map(chunk, chunks)) + data[first:last] + b"".join(map(chunk, after)) + data[last:]


def chunk(name_body):
    name, body = name_body
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def numbers(*values):
    return struct.pack(f">{len(values)}I", *(round(100000 * value) for value in values))


def through(data, **options):
    """A picture file, through a .vlz."""
    return api.decompress(api.compress(load(data), lossless=True, **options))


def written(data, suffix=".png"):
    """And written again."""
    back = load(save(through(data), suffix))
    back.load()
    return back


PNG = png((b"gAMA", numbers(GAMMA)), (b"cHRM", numbers(*CHROMA)), (b"sRGB", b"\1"), (b"cICP", CICP), dpi=(300, 150))


def test_colours_and_density_of_a_png_are_kept_and_written():
    for back in (through(PNG), written(PNG)):
        found = {key: back.info[key] for key in ("gamma", "chromaticity", "srgb")}
        assert found == {"gamma": GAMMA, "chromaticity": CHROMA, "srgb": 1}
        assert back.info["dpi"] == load(PNG).info["dpi"]
    assert through(PNG).info["cICP"] == CICP
    assert b"cICP" + CICP in save(through(PNG), ".png")


def texts(after=False):
    info = PngInfo()
    for key, value in TEXT.items():
        info.add_text(key, value)
    info.add_itxt("Author", "Zoë", "nl", "Auteur")
    info.add_text("Long", "many words " * 400, zip=True)
    chunks = [(name, body) for name, body, _ in info.chunks]
    return png(after=chunks) if after else png(*chunks)


@pytest.mark.parametrize("after", [False, True])
def test_texts_of_a_png_are_kept_and_written_wherever_they_stand(after):
    data = texts(after)
    assert written(data).text == TEXT | {"Author": "Zoë", "Long": "many words " * 400}
    author = through(data).info["Author"]
    assert isinstance(author, iTXt)
    assert (author.lang, author.tkey) == ("nl", "Auteur")


def test_the_comment_of_a_jpeg_is_kept_and_written():
    data = as_file(picture(), "JPEG", comment=b"caf\xe9", dpi=(200, 200))
    assert through(data).info["comment"] == b"caf\xe9"
    assert through(data).info["dpi"] == (200, 200)
    again = written(data, ".jpg")
    assert (again.info["comment"], again.info["dpi"]) == (b"caf\xe9", (200, 200))
    assert written(data).text == {"Comment": "café"}
    assert written(data).info["dpi"] == pytest.approx((200, 200), abs=0.01)


def test_iptc_of_a_jpeg_is_kept_and_written():
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", 5) + b"\x1c\x02\x78\0\0\0"
    body = b"Photoshop 3.0\0" + resource
    data = as_file(picture(), "JPEG", extra=b"\xff\xed" + struct.pack(">H", len(body) + 2) + body)
    assert written(data, ".jpg").info["photoshop"][0x0404] == b"\x1c\x02\x78\0\0"


def test_the_texts_and_colours_of_a_tiff_are_kept():
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270], tags[269], tags[285], tags[318] = "a field", "doc", "page", (0.3, 0.4)
    data = as_file(picture(), "TIFF", tiffinfo=tags, dpi=(72, 72))
    back = through(data)
    exif = back.getexif()
    assert (exif[270], exif[269], exif[285]) == ("a field", "doc", "page")
    assert [float(v) for v in exif[318]] == pytest.approx([0.3, 0.4])
    assert back.info["dpi"] == (72, 72)
    assert written(data, ".tif").info["dpi"] == (72, 72)


def test_hdr_colours_of_an_avif_are_kept():
    data = as_file(picture(), "AVIF")
    place = data.index(b"colrnclx") + 8
    assert read(api.compress(load(data), lossless=True)).notes is None
    hdr = data[:place] + struct.pack(">HH", 9, 16) + data[place + 4 :]
    assert through(hdr).info["cICP"] == CICP


PLAIN = {
    "PNG": as_file(picture(), "PNG"),
    "JPEG": as_file(picture(), "JPEG"),
    "JPEG with EXIF": as_file(picture(), "JPEG", exif=Image.Exif().tobytes()),
    "progressive": as_file(picture(), "JPEG", progressive=True),
    "GIF": as_file(picture().quantize(5), "GIF"),
    "TIFF": as_file(picture(), "TIFF", compression="tiff_lzw"),
    "TGA": as_file(picture(), "TGA", compression="tga_rle"),
    "WEBP": as_file(picture(), "WEBP", lossless=True),
    "BMP": as_file(picture(), "BMP", dpi=(0, 0)),
    "PPM": as_file(picture(), "PPM"),
    "AVIF": as_file(picture(), "AVIF"),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_the_layout_of_a_file_is_no_metadata(kind):
    data = api.compress(load(PLAIN[kind]), lossless=True, effort=0)
    assert read(data).notes is None
    assert data[3] == VERSION


def test_only_files_with_notes_have_the_second_version():
    assert api.compress(load(PNG), lossless=True, effort=0)[3] == VERSION_2
    assert api.compress(load(PNG), lossless=True, strip=True) == api.compress(load(PLAIN["PNG"]), lossless=True)


def test_every_kind_of_file_keeps_notes():
    for mode in ("1", "P", "L", "LA", "RGBA"):
        assert through(png((b"gAMA", numbers(GAMMA)), mode=mode)).info["gamma"] == GAMMA
    assert api.decompress(api.compress(load(PNG))).info["gamma"] == GAMMA
    assert api.decompress(api.compress(load(PNG)), preview=True).info["gamma"] == GAMMA


def told(call):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    assert {w.category for w in found} <= {MetadataWarning}
    return " ".join(str(w.message) for w in found)


LOST = {
    "bKGD": png((b"bKGD", bytes(6))),
    "caBX": png(after=[(b"caBX", b"who made it")]),
    "all comments but the last": as_file(picture(), "JPEG", extra=b"\xff\xfe\0\5one", comment=b"two"),
    "APP11 'JP'": as_file(picture(), "JPEG", extra=b"\xff\xeb\0\6JP\0\1"),
    "gain map": as_file(picture(), "MPO", save_all=True, append_images=[picture()]),
    "GeoKeyDirectoryTag": as_file(picture(), "TIFF", tiffinfo={34735: (1, 1, 0, 0)}),
}


@pytest.mark.parametrize("name", LOST)
def test_what_is_not_kept_is_named(name):
    assert name in told(lambda: api.compress(load(LOST[name]), lossless=True))
    assert told(lambda: api.compress(load(LOST[name]), lossless=True, strip=True)) == ""


def test_values_that_are_none_of_pillows_are_named():
    for key, value in {"gamma": "2.2", "dpi": (-1, 1), "mine": object(), "exif:\0": "text", 7: "x"}.items():
        image = picture()
        image.info[key] = value
        assert str(key) in told(lambda image=image: split(image))


WRITTEN = {".jpg": ["gamma", "cICP", "text 'Title'"], ".webp": ["gamma", "dpi"], ".bmp": ["ICC", "text 'Title'"]}


@pytest.mark.parametrize("suffix", WRITTEN)
def test_what_a_file_has_no_room_for_is_named(suffix):
    image = picture()
    image.info |= {"gamma": GAMMA, "cICP": CICP, "dpi": (90, 90), "Title": "x", "icc_profile": b"colours"}
    found = told(lambda: save(image, suffix))
    assert [name for name in WRITTEN[suffix] if name not in found] == []
    assert ("dpi" in found) == (suffix == ".webp")
    assert "not kept in the" in found
    assert suffix in found


@pytest.mark.parametrize(("key", "value"), [("exif", bytes(70000)), ("xmp", bytes(70000)), ("comment", bytes(70000))])
def test_what_is_too_long_for_a_jpeg_is_named(key, value):
    image = picture()
    image.info[key] = value
    assert key.upper() in told(lambda: save(image, ".jpg")).upper()


def test_density_of_a_jpeg_is_that_of_its_pixels():
    image = picture()
    image.info["dpi"] = (254000, 254000)
    assert "dpi" in told(lambda: save(image, ".jpg"))
    assert load(save(image, ".png")).info["dpi"] == (254000, 254000)


def test_pixels_that_are_not_square_are_told():
    data = bytearray(as_file(picture(), "JPEG"))
    place = data.index(b"JFIF\0") + 7
    data[place : place + 5] = bytes([0, 0, 2, 0, 1])
    assert through(bytes(data)).info["aspect"] == (2, 1)


def test_archives_say_what_they_leave_out():
    found = told(lambda: api.compress_archive([("a", load(PLAIN["PNG"])), ("b", load(PNG))]))
    assert "the archive" in found
    assert "gamma" in found
    assert "'b'" in found
    assert told(lambda: api.compress_archive([("a", load(PLAIN["PNG"]))])) == ""
