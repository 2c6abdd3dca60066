"""Commands on models, end to end on a set of a few pictures."""

from pathlib import Path

import numpy as np
import pytest
from commands import call, pixels, python
from PIL import Image

from vlaezip.paper import likelihood

FLOATS = Path(__file__).parents[2] / "models/float"
SHAPES = np.random.default_rng(0).integers(0, 2, (8, 28, 28)).astype(np.uint8)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder with silhouettes: four test pictures, three to validate, one to train."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "binary").mkdir()
    rows = np.packbits(SHAPES.reshape(8, -1), axis=1)
    path = tmp_path / "binary" / "caltech101_silhouettes_28_packed.npz"
    np.savez(path, test=rows[:4], val=rows[4:7], train=rows[7:])
    return tmp_path


def test_evaluation_tells_the_parts_of_a_set(data, monkeypatch):
    monkeypatch.setattr(likelihood, "shipped", lambda preset: FLOATS / f"{preset}-lossless.safetensors")
    for words, told in ([], "4 test"), (["--part", "valid", "--batch", "2"], "3 valid"), (["--limit", "2"], "2 test"):
        result = call("evaluate", "caltech", "--data", data, "--samples", "2", *words)
        assert result.exit_code == 0, result.output
        first, *lines = result.stdout.splitlines()
        assert first == f"caltech: {told} pictures of 784 values, 2 draws of z each"
        assert [line[:12].strip() for line in lines] == ["-ELBO", "distortion", "KL", "NLL, 2 impor", "lossy code"]
        assert result.stderr == ""  # no terminal, no bar


def test_what_a_wheel_lacks_is_told(data, monkeypatch):
    monkeypatch.setattr(likelihood, "float_file", lambda path, which: data / "float/caltech.safetensors")
    result = call("evaluate", "caltech", "--data", data)
    assert result.exit_code == 1
    assert result.stderr.endswith("caltech.safetensors: a wheel has no float weights: name some with --weights\n")


def test_a_sheet_of_test_pictures(data):
    result = call("reconstruct", "--set", "caltech", "--data", data, "--count", "2", "--zoom", "3", "-o", "pairs.png")
    assert result.exit_code == 0, result.output
    assert "pairs.png: 2 pictures from" in result.stderr
    mode, size, _ = pixels("pairs.png")
    assert (mode, size) == ("L", (3 * (8 * 59 + 2), 3 * 32))
    with Image.open("pairs.png") as page:
        shown = np.asarray(page)[7::3, 7::3][:28]  # the middle of each pixel
    for place, shape in (0, SHAPES[0]), (59, SHAPES[2]):  # spread over the set, whose columns are its rows
        assert (shown[:, place : place + 28] == 255 * shape.T).all()


def test_samples_have_the_side_of_their_set(data):
    for words, side in ([], 28), (["--side", "12"], 12):
        assert call("sample", "--model", "caltech", "--count", "1", "-o", "drawn.png", *words).exit_code == 0
        assert pixels("drawn.png")[:2] == ("L", (side + 4, side + 4))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "nonsense", "--data", "."], "no preset 'nonsense'"),
        (["evaluate", "photo-lossy", "--data", "."], "is of photographs"),
        (["reconstruct", "-o", "pairs.png"], "name pictures, or a set"),
        (["reconstruct", "--set", "caltech", "-o", "pairs.png"], "name pictures, or a set"),
        (["reconstruct", "x.png", "--set", "caltech", "--data", ".", "-o", "pairs.png"], "name pictures, or a set"),
        (["reconstruct", "--set", "nonsense", "--data", ".", "-o", "pairs.png"], "no set 'nonsense'"),
    ],
)
def test_wrong_usage(data, words, message):
    result = call(*words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_model_of_other_pictures_is_refused(data):
    result = call("reconstruct", "--set", "caltech", "--data", data, "--model", "cifar10", "-o", "pairs.png")
    assert result.exit_code == 1
    assert "these have mode 1" in result.stderr


def test_help_imports_nothing_heavy():
    code = "import sys; from vlaezip.cli import app; app.commands({}, standalone_mode=False); print(*sys.modules)"
    modules = python("-c", code.format(["train", "--help"])).splitlines()[-1]
    assert not {"torch", "numpy", "PIL", "numba"} & set(modules.split())
