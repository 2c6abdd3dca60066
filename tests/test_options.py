"""Whatever is wrong with options is one OptionError, on every door, before any picture is looked at."""

import subprocess
import sys

import numpy as np
import pytest
from pictures import photo
from PIL import Image

import vlaezip
import vlaezip.pillow_plugin
from vlaezip.errors import OptionError
from vlaezip.format.settings import RATES
from vlaezip.options import Options, options
from vlaezip.search.effort import DEFAULT_EFFORT, EFFORTS, settings_tried

WRONG = [
    ({"seed": -1}, "seed -1 is outside 0..4294967295"),
    ({"seed": 2**32}, "seed 4294967296 is outside"),
    ({"seed": 1.5}, "seed is a whole number in 0..4294967295, not 1.5"),
    ({"quality": 0}, "quality 0 is outside 1..8"),
    ({"quality": 9}, "quality 9 is outside 1..8"),
    ({"quality": "best"}, "quality is a whole number in 1..8, not 'best'"),
    ({"effort": 10}, "effort 10 is outside 0..9"),
    ({"effort": "most"}, "effort is a whole number in 0..9, not 'most'"),
    ({"temperature": float("nan")}, "temperature nan is outside"),
    ({"temperature": "warm"}, "temperature is a number in"),
    ({"device": "tpu"}, "there is no device 'tpu', only auto, cpu, cuda"),
    ({"model": "nobody"}, "model nobody is not installed; installed: "),
    ({"model": "photo-fast"}, "model photo-fast makes lossless files only"),
    ({"model": "mnist-static", "lossless": True}, "model mnist-static takes archives only"),
    ({"lossless": True, "quality": 3}, "lossless keeps every pixel: it has no quality"),
    ({"lossless": True, "temperature": 1.0}, "it has no temperature"),
    ({"lossless": True, "seed": 3}, "it has no seed"),
    ({"qualty": 3}, "'qualty'"),
]
KNOWN = [pair for pair in WRONG if "qualty" not in pair[0]]


class Unread:
    """A picture that must not be looked at."""

    def __getattr__(self, name):
        raise AssertionError(name)


@pytest.mark.parametrize(("given", "message"), KNOWN, ids=str)
def test_one_picture(given, message):
    with pytest.raises(OptionError, match=f".*{message}"):
        vlaezip.compress(Unread(), **given)


@pytest.mark.parametrize(("given", "message"), WRONG, ids=str)
def test_many_pictures(given, message):
    with pytest.raises(OptionError, match=f".*{message}"):
        vlaezip.compress_batch([Unread()], **given)


@pytest.mark.parametrize(("given", "message"), KNOWN, ids=str)
def test_pillow(given, message, tmp_path):
    with pytest.raises(ValueError, match=f".*{message}"):
        photo(8, 8).save(tmp_path / "x.vlz", **given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("draws", [0, 65, 1.5, "many"])
def test_archives(draws):
    with pytest.raises(OptionError, match=r"draws .*1\.\.64"):
        vlaezip.compress_archive({"a": Unread()}, draws=draws)
    with pytest.raises(OptionError, match="nobody is not installed"):
        vlaezip.compress_archive({"a": Unread()}, model="nobody")


def test_devices_on_the_way_back():
    data = vlaezip.compress(photo(8, 8, "P"))
    for door in (
        vlaezip.decompress,
        vlaezip.decompress_archive,
        lambda x, device: vlaezip.decompress_batch([x], device=device),
    ):
        with pytest.raises(OptionError, match="no device 'tpu'"):
            door(data, device="tpu")


def test_an_option_error_is_a_value_error():
    assert issubclass(OptionError, ValueError)
    assert issubclass(OptionError, vlaezip.errors.VlaezipError)


def test_integers_of_numpy_are_whole_numbers():
    assert options(quality=np.int64(3), seed=np.uint32(7)) == Options(quality=3, seed=7)


@pytest.mark.parametrize("given", [{"device": "cuda"}, {"effort": 1}])
def test_what_needs_torch_says_what_to_install(given):
    code = f"import sys; sys.modules['torch'] = None; from vlaezip.options import options; options(**{given})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "OptionError" in done.stderr
    assert "needs torch, which is not installed: pip install 'vlaezip[torch]'" in done.stderr


@pytest.mark.parametrize("given", [{"lossless": True, "effort": 9}, {"lossless": True}, {"effort": 0}, {}])
def test_what_needs_no_torch_works_without(given):
    code = f"import sys; sys.modules['torch'] = None; from vlaezip.options import options; options(**{given})"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_default_effort_learns_where_every_pixel_is_kept_and_searches_nothing_else():
    assert (options(lossless=True).work, options().work) == (DEFAULT_EFFORT, 0)
    for exact in (True, False):
        assert [options(lossless=exact, effort=n).work for n in range(EFFORTS)] == list(range(EFFORTS))
    for pixels in (1, 1 << 14, 1 << 20):
        assert [bool(settings_tried(n, pixels)) for n in range(EFFORTS)] == [False] + [True] * (EFFORTS - 1)
        assert all(s.rate in RATES for n in range(EFFORTS) for s in settings_tried(n, pixels))


def test_a_side_that_is_too_long_is_called_so():
    with pytest.raises(vlaezip.errors.ImageError, match="a side of 16777217 pixels"):
        vlaezip.compress(Image.new("1", (2**24 + 1, 1)))
