"""Lines on stderr, and a bar."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vlaezip
from vlaezip.cli.terminal import grouped, reason, search_bar, tell_of_compiling
from vlaezip.exact import kernel_cache


@given(st.integers(0, 10**12))
def test_grouped_numbers_keep_their_digits(number):
    assert int(grouped(number).replace(" ", "")) == number


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(28, "No space left on device", "b.vlz"), "b.vlz: No space left on device"),
        (OSError(2, "No such file or directory", "a.png"), "No such file or directory"),
        (ValueError("two\nlines"), "two lines"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_reasons(error, line):
    assert reason(error, Path("a.png")) == line


@pytest.mark.parametrize("kept", [False, True])
def test_a_first_run_says_that_it_compiles(kept, tmp_path):
    """The child keeps what it compiles in a folder of its own."""
    code = (
        "from vlaezip.cli import terminal; from vlaezip.exact import kernel_cache\n"
        "print(kernel_cache.folder()); terminal.tell_of_compiling()"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(vlaezip.__file__).parents[1]), "NUMBA_CACHE_DIR": str(tmp_path)}

    def told():
        words = [sys.executable, "-c", code]
        return subprocess.run(words, capture_output=True, text=True, env=environment, check=True)

    place = Path(told().stdout.strip())
    if kept:
        (place / "vlaezip.model.local_kernels.encode_share.0").touch()
    assert ("compiling" in told().stderr) == (not kept)


def test_a_run_that_can_keep_nothing_says_that_it_compiles(monkeypatch, capsys):
    monkeypatch.setattr(kernel_cache, "folder", lambda: None)
    tell_of_compiling()
    assert "compiling for this processor, each time" in capsys.readouterr().err


def test_a_search_shows_how_far_it_is(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with search_bar("a.png", True) as progress:
        progress(0.5)
        progress(1.0)
    assert "a.png" in capsys.readouterr().err
    with search_bar("a.png", False) as progress:
        progress(1.0)
    assert capsys.readouterr().err == ""
