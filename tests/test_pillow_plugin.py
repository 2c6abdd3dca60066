"""Pillow's doors: open, load, save, register."""

import os
import pickle
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

import vlaezip.pillow_plugin
from vlaezip.format.container import Container, Header, Kind, write
from vlaezip.format.stored import store

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
    assert (image.info["icc_profile"], image.info["exif"]) == (b"colours", b"Exif\0\0")
    assert image.load()[5, 7] == NOISE.getpixel((5, 7))
    assert image.tobytes() == NOISE.tobytes()
    assert (image.info["icc_profile"], image.info["exif"]) == (b"colours", b"Exif\0\0")
    assert image.load() is not None


def test_open_works_on_a_header_alone():
    assert Image.open(BytesIO(STORED[:7])).size == (24, 16)
    for end in range(7, len(STORED), 5):
        assert Image.open(BytesIO(STORED[:end])).getexif() == {}


EXIF = Image.Exif()
EXIF[274], EXIF[271] = 6, "maker"
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><a/></x:xmpmeta>"


def rich(**more):
    image = NOISE.copy()
    image.info |= {"exif": EXIF.tobytes(), "xmp": XMP, "icc_profile": b"colours", "gamma": 0.5, "Title": "a"} | more
    return image


def test_metadata_is_there_before_the_samples():
    image = Image.open(BytesIO(saved(rich(), lossless=True)))
    assert image._im is None
    assert (image.info["gamma"], image.info["Title"], image.info["icc_profile"]) == (0.5, "a", b"colours")
    assert (image.getexif()[274], image.getexif()[271]) == (6, "maker")
    assert image.info["xmp"] == XMP
    assert image._im is None
    image.load()
    assert (image.getexif()[274], image.info["Title"]) == (6, "a")


def test_what_is_changed_before_load_stays_changed():
    image = Image.open(BytesIO(saved(rich())))
    image.info["Title"] = "b"
    image.getexif()[271] = "other"
    image.load()
    assert (image.info["Title"], image.getexif()[271]) == ("b", "other")


def test_verify_checks_every_checksum():
    good = saved(rich())
    image = Image.open(BytesIO(good))
    image.verify()
    with pytest.raises(OSError, match="open it anew"):
        image.load()
    for where in range(10, len(good), 7):
        with pytest.raises(OSError, match=r"checksum|needs|follow|after|identify|bytes"):
            Image.open(BytesIO(good[:where] + bytes([good[where] ^ 1]) + good[where + 1 :])).verify()
    for cut in (good[:-1], good + b"x"):
        with pytest.raises(OSError, match=r"checksum|needs|follow|after|identify|bytes"):
            Image.open(BytesIO(cut)).verify()


def test_a_path_is_closed_by_verify(tmp_path):
    (tmp_path / "a.vlz").write_bytes(STORED)
    image = Image.open(tmp_path / "a.vlz")
    image.verify()
    assert image.fp is None


def test_an_image_that_was_closed_says_so(tmp_path):
    (tmp_path / "a.vlz").write_bytes(STORED)
    with Image.open(tmp_path / "a.vlz") as image:
        pass
    with pytest.raises(OSError, match="closed"):
        image.load()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"exif": EXIF}, ("exif", EXIF.tobytes())),
        ({"exif": EXIF.tobytes()}, ("exif", EXIF.tobytes())),
        ({"exif": Image.Exif()}, ("exif", None)),
        ({"exif": None}, ("exif", None)),
        ({"exif": b""}, ("exif", None)),
        ({"icc_profile": None}, ("icc_profile", None)),
        ({"icc_profile": b"other"}, ("icc_profile", b"other")),
        ({"xmp": None}, ("xmp", None)),
        ({"xmp": XMP.decode()}, ("xmp", XMP)),
        ({"dpi": (300, 300)}, ("dpi", (300, 300))),
        ({"dpi": [300, 150]}, ("dpi", (300, 150))),
        ({"dpi": None}, ("dpi", None)),
        ({"comment": "hé"}, ("comment", "hé".encode())),
        ({"comment": b"x"}, ("comment", b"x")),
        ({"comment": None}, ("comment", None)),
        ({"strip": True, "dpi": None}, ("gamma", None)),
        ({"optimize": True}, ("dpi", (90, 90))),
    ],
)
def test_save_takes_what_other_plugins_take(given, found):
    image = rich(dpi=(90, 90), comment=b"mine")
    before = dict(image.info)
    key, value = found
    assert Image.open(BytesIO(saved(image, **given))).info.get(key) == value
    assert image.info == before


def test_save_takes_the_info_of_a_png():
    info = PngInfo()
    info.add_text("Title", "new")
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    info.add(b"cICP", bytes([9, 16, 0, 1]))
    back = Image.open(BytesIO(saved(NOISE, pnginfo=info)))
    assert (back.info["Title"], back.info["xmp"], back.info["cICP"]) == ("new", XMP, bytes([9, 16, 0, 1]))


def test_tags_of_a_tiff_are_kept_whatever_is_given():
    tiff = BytesIO()
    NOISE.save(tiff, "TIFF", description="a field")
    image = Image.open(tiff)
    assert Image.open(BytesIO(saved(image, icc_profile=b"mine"))).getexif()[270] == "a field"


def test_an_image_that_is_not_loaded_yet_can_be_worked_with():
    def fresh():
        return Image.open(BytesIO(saved(rich(), lossless=True)))

    for same in (fresh().copy(), pickle.loads(pickle.dumps(fresh())), fresh().convert("RGB"), fresh().crop()):
        assert (same.tobytes(), same.info["Title"]) == (NOISE.tobytes(), "a")
    small = fresh()
    small.thumbnail((12, 12))
    assert small.size == (12, 8)
    with fresh() as image:
        assert image.transpose(Image.Transpose.ROTATE_90).size == (16, 24)
    assert ImageOps.exif_transpose(fresh()).size == (16, 24)
    png = BytesIO()
    fresh().save(png, "PNG")
    assert Image.open(png).tobytes() == NOISE.tobytes()


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
    with pytest.raises(OSError, match="version 4"):
        Image.open(BytesIO(b"VLZ\4" + bytes(20)))


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
