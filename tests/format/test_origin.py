"""What Pillow rounds or passes over: pictures of more than 8 bits a sample are refused, whatever their file."""

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from test_metadata import chunk
from test_pixels import png_16

from vlaezip import api
from vlaezip.errors import ImageError
from vlaezip.format.pixels import load, prepare


def sgi(packed):
    """A 2 x 1 picture of 16 bits, plain or in runs."""
    head = struct.pack(">hBBHHHH", 474, packed, 2, 3, 2, 1, 3).ljust(512, b"\0")
    if not packed:
        return head + bytes(range(12))
    runs = [struct.pack(">5H", 0x82, 1, 2, 0, 0)] * 3
    starts = [512 + 24 + 10 * n for n in range(3)]
    return head + struct.pack(">6I", *starts, 10, 10, 10) + b"".join(runs)


def tiff_16():
    """A 1 x 1 RGB picture of 16 bits."""
    tags = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 3, 8), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 14)]
    tags += [(277, 3, 1, 3), (278, 4, 1, 1), (279, 4, 1, 6)]
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return (
        struct.pack("<2sHI", b"II", 42, 20)
        + struct.pack("<3H", 16, 16, 16)
        + bytes(6)
        + struct.pack("<H", 9)
        + body
        + bytes(4)
    )


def jpeg_2000(codec):
    """Of 12 bits, by its header; Pillow writes 8."""
    out = BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG2000", no_jp2=codec == "j2k")
    data = bytearray(out.getvalue())
    place = data.index(b"\xff\x4f\xff\x51") + 42
    for component in range(3):
        data[place + 3 * component] = 11
    return bytes(data)


def dds_half():
    """A block of BC6H: floats."""
    head = struct.pack("<4s20I", b"DDS ", 124, 0x1007, 4, 4, 16, 0, 0, *[0] * 11, 32, 4)
    head += b"DX10" + struct.pack("<5I", *[0] * 5) + struct.pack("<5I", 0x1000, 0, 0, 0, 0)
    return head + struct.pack("<5I", 95, 3, 0, 1, 0) + bytes(16)


DEEP = {
    "png": png_16(),
    "ppm": b"P6 2 1 65535\n" + bytes(range(12)),
    "plain ppm": b"P3 1 1 4095 1 2 3\n",
    "tiff": tiff_16(),
    "sgi": sgi(0),
    "packed sgi": sgi(1),
    "jp2": jpeg_2000("jp2"),
    "j2k": jpeg_2000("j2k"),
    "dds": dds_half(),
}


@pytest.mark.parametrize("kind", DEEP)
def test_what_has_more_than_8_bits_is_refused_not_rounded(kind):
    assert load(DEEP[kind]).mode in ("L", "RGB")
    with pytest.raises(ImageError, match="16 bits"):
        prepare(load(DEEP[kind]))


@pytest.mark.parametrize("kind", ["png", "ppm", "tiff", "sgi", "packed sgi", "dds"])
def test_what_pillow_has_rounded_already_is_refused(kind, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(DEEP[kind])
    image = Image.open(path)
    image.load()
    with pytest.raises(ImageError, match="16 bits"):
        api.compress(image, lossless=True)


def test_an_avif_of_10_bits_is_refused():
    """By its header: Pillow writes 8 bits, and looks through what it opens."""
    out = BytesIO()
    Image.new("RGB", (8, 8)).save(out, "AVIF")
    assert prepare(load(out.getvalue())).mode == "RGB"
    image, data = load(out.getvalue()), bytearray(out.getvalue())
    data[data.index(b"av1C\x81") + 6] |= 0x40
    image.fp = BytesIO(data)
    with pytest.raises(ImageError, match="16 bits"):
        prepare(image)


def test_a_tiff_that_was_loaded_tells_its_bits_without_its_file():
    image = Image.open(BytesIO(DEEP["tiff"]))
    image.load()
    with pytest.raises(ImageError, match="16 bits"):
        api.compress(image, lossless=True)


def test_a_picture_whose_file_is_gone_or_another_is_taken(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (5, 4)).save(path)
    image = Image.open(path)
    image.load()
    for others in (png_16(), b"nonsense", None):
        path.unlink() if others is None else path.write_bytes(others)
        assert api.decompress(api.compress(image, lossless=True)).size == (5, 4)


def test_chunks_of_a_loaded_png_are_found_by_its_name(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (5, 4)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[:33] + chunk((b"cICP", bytes([9, 16, 0, 1]))) + data[33:])
    image = Image.open(path)
    image.load()
    assert api.decompress(api.compress(image, lossless=True)).info["cICP"] == bytes([9, 16, 0, 1])


def test_sixteen_bits_a_pixel_are_taken():
    head = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 70, 0, 0, 54, 40, 2, 1, 1, 16, 0, 4, 0, 0, 0, 0)
    bmp = head + np.array([0x7C00, 0x001F], "<u2").tobytes()
    assert prepare(load(bmp)).mode == "RGB"
    fields = struct.pack(
        "<2sIHHIIiiHHIIiiII3I", b"BM", 70, 0, 0, 66, 40, 2, 1, 1, 16, 3, 4, 0, 0, 0, 0, 0xF800, 0x7E0, 0x1F
    )
    assert prepare(load(fields + np.array([0xF800, 0x001F], "<u2").tobytes())).mode == "RGB"
