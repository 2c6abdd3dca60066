"""Pillow's doors: open, load, save, register."""

import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

import vlaezip.pillow_plugin
from vlaezip.container import Container, Header, Kind, write
from vlaezip.stored import store

RNG = np.random.default_rng(0)
NOISE = Image.fromarray(RNG.integers(0, 256, (16, 24, 3), np.uint8))
STORED = write(Container(Header(Kind.STORED, "RGB", 24, 16), store(NOISE), exif=b"Exif\0\0", icc=b"colours"))


def palette():
    image = NOISE.quantize(7)
    image.info["transparency"] = 3
    return image


def saved(image, **options):
    out = BytesIO()
    image.save(out, "VLZ", **options)
    return out.getvalue()


def test_open_reads_the_header_and_load_the_picture():
    image = Image.open(BytesIO(STORED))
    assert (image.format, image.mode, image.size) == ("VLZ", "RGB", (24, 16))
    assert image.info["vlz"].kind == Kind.STORED
    assert "icc_profile" not in image.info
    assert image.load()[5, 7] == NOISE.getpixel((5, 7))
    assert image.tobytes() == NOISE.tobytes()
    assert (image.info["icc_profile"], image.info["exif"]) == (b"colours", b"Exif\0\0")
    assert image.load() is not None


def test_open_works_on_a_header_alone():
    assert Image.open(BytesIO(STORED[:7])).size == (24, 16)


def test_a_path_is_opened_saved_and_closed(tmp_path):
    path = tmp_path / "a.vlz"
    path.write_bytes(STORED)
    with Image.open(path) as image:
        assert image.get_format_mimetype() == "image/vlz"
        image.load()
        assert image.fp is None
    assert image.convert("L").size == (24, 16)


@pytest.mark.parametrize("image", [palette(), NOISE.convert("1")], ids=["P", "1"])
def test_palettes_survive(image, tmp_path):
    image.save(tmp_path / "a.vlz")
    back = Image.open(tmp_path / "a.vlz")
    back.load()
    assert (back.mode, back.tobytes()) == (image.mode, image.tobytes())
    assert back.convert("RGBA").tobytes() == image.convert("RGBA").tobytes()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_lossless_is_lossless(mode):
    image = NOISE.convert(mode)
    back = Image.open(BytesIO(saved(image, lossless=True, icc_profile=b"mine")))
    assert (back.mode, back.tobytes()) == (mode, image.tobytes())
    assert back.info["icc_profile"] == b"mine"
    assert "icc_profile" not in image.info


def test_lossy_takes_quality_and_seed():
    blobs = [saved(NOISE, quality=quality, seed=seed) for quality, seed in ((1, 0), (5, 0), (1, 7), (1, 0))]
    assert blobs[0] == blobs[3]
    pictures = [Image.open(BytesIO(blob)) for blob in blobs]
    assert {p.info["vlz"].kind for p in pictures} == {Kind.LOSSY}
    assert len({p.tobytes() for p in pictures}) == 3
    assert [p.info["vlz"].seed for p in pictures] == [0, 0, 7, 0]


def test_operations_load_by_themselves():
    assert Image.open(BytesIO(STORED)).convert("RGBA").resize((3, 2)).size == (3, 2)
    assert Image.open(BytesIO(STORED)).getpixel((5, 7)) == NOISE.getpixel((5, 7))


def test_other_bytes_are_left_to_other_plugins():
    with pytest.raises(UnidentifiedImageError):
        Image.open(BytesIO(b"VLZ\1\xff"))
    with pytest.raises(OSError, match="version 3"):
        Image.open(BytesIO(b"VLZ\3" + bytes(20)))


def test_a_damaged_file_is_an_oserror():
    image = Image.open(BytesIO(STORED[:-9]))
    with pytest.raises(OSError, match="needs"):
        image.load()


def test_a_mode_that_is_not_taken_is_an_oserror(tmp_path):
    with pytest.raises(OSError, match="CMYK"):
        Image.new("CMYK", (2, 2)).save(tmp_path / "a.vlz")
    assert not (tmp_path / "a.vlz").exists()


def test_registering_imports_no_nets():
    code = "import sys, vlaezip.pillow_plugin; sys.exit('torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(Path(vlaezip.__file__).parents[1])}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
    assert vlaezip.pillow_plugin.accept(STORED)
