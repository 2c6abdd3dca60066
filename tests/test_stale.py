"""Compiled kernels go when the code is newer, and stay when it is not."""

import os

import pytest

from vlaezip import stale

OLD, MIDDLE, NEW = 1_000_000_000, 1_500_000_000, 2_000_000_000


@pytest.fixture
def package(tmp_path):
    """Two modules with kernels, one that they are made of, one without, and what numba keeps of them."""
    names = "a.py", "made_of.py", "plain.py", "__pycache__/a.f-3.py311.nbi", "__pycache__/a.f-3.py311.1.nbc"
    for name in (*names, "part/c.py", "part/__pycache__/c.g-1.py311.nbi"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("" if path.stem == "plain" else "import numba")
        os.utime(path, (MIDDLE, MIDDLE) if path.suffix.startswith(".nb") else (OLD, OLD))
    return tmp_path


def indices(package):
    return sorted(path.name[0] for path in package.rglob("*.nbi"))


def test_what_is_newer_than_the_code_stays(package):
    os.utime(package / "plain.py", (NEW, NEW))  # has no kernels
    stale.drop(package)
    assert indices(package) == ["a", "c"]


@pytest.mark.parametrize("changed", ["a.py", "made_of.py", "part/c.py"])
def test_all_goes_when_one_kernel_has_changed(package, changed):
    os.utime(package / changed, (NEW, NEW))
    stale.drop(package)
    assert indices(package) == []


def test_what_is_left_of_a_module_that_is_gone_is_no_error(package):
    (package / "a.py").unlink()
    stale.drop(package)
    assert indices(package) == ["a", "c"]


def test_nothing_is_kept_at_first(tmp_path):
    stale.drop(tmp_path)
    assert indices(tmp_path) == []
