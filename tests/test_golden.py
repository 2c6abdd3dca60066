"""Files of every release decode to the pixels that they had."""

from pathlib import Path

import pytest
from PIL import Image

from tests.make_golden import whole
from vlaezip import api
from vlaezip.format.container import Kind, read_header
from vlaezip.model import weights

FILES = sorted((Path(__file__).parent / "golden").glob("*.vlz"))


def same(a, b):
    return (a.mode, a.size, a.tobytes()) == (b.mode, b.size, b.tobytes())


def test_there_are_golden_files_of_every_kind():
    words = {word for path in FILES for word in path.stem.split("-")}
    assert {"archive", "draws", "learned", "lossless", "tuned", "lossy", "stored"} <= words


def test_there_is_one_of_every_model_that_ships():
    headers = [read_header(path.read_bytes())[0] for path in FILES]
    seen = {(h.model.hex(), "lossy" if h.kind is Kind.LOSSY else "lossless") for h in headers if h.kind != Kind.STORED}
    assert [(m.name, which) for m in weights.available() for which in m.sets if (m.id, which) not in seen] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_decodes_to_the_same_pixels(path):
    assert same(whole(path.read_bytes()), Image.open(path.with_suffix(".png")))


@pytest.mark.parametrize("path", [p for p in FILES if "lossy" in p.stem], ids=lambda path: path.stem)
def test_previews_to_the_same_pixels(path):
    assert same(api.decompress(path.read_bytes(), preview=True), Image.open(path.with_suffix(".preview.png")))
