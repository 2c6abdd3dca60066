"""Files come whole or not at all, links stay links, and what is closed is told of."""

import os
import stat
import sys
from pathlib import Path

import pytest

from vlaezip.cli import paths


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_link_is_followed():
    Path("real").write_text("old")
    Path("link").symlink_to("real")
    paths.write(Path("link"), b"new")
    assert (Path("link").is_symlink(), Path("real").read_text()) == (True, "new")


def test_a_link_to_nothing_is_no_room_without_force():
    Path("link").symlink_to("nothing")
    with pytest.raises(FileExistsError, match="link to nothing"):
        paths.check_target(Path("source"), Path("link"), False)
    paths.check_target(Path("source"), Path("link"), True)
    paths.write(Path("link"), b"new")
    assert (Path("link").is_symlink(), Path("nothing").read_text()) == (True, "new")


def test_a_ring_of_links_is_an_error_of_the_file():
    Path("a").symlink_to("b")
    Path("b").symlink_to("a")
    with pytest.raises(OSError, match="a"):
        paths.write(Path("a"), b"new")


def test_what_is_overwritten_keeps_its_permissions():
    Path("secret").write_text("old")
    Path("secret").chmod(0o600)
    paths.write(Path("secret"), b"new")
    assert stat.S_IMODE(Path("secret").stat().st_mode) == 0o600


def test_permissions_and_times_of_the_source():
    Path("source").write_text("")
    Path("source").chmod(0o640)
    os.utime("source", (1e9, 1e9))
    paths.write(Path("target"), b"new")
    paths.resemble(Path("source"), Path("target"))
    found = Path("target").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_mtime) == (0o640, 1e9)
    paths.resemble(paths.STREAM, Path("target"))  # stdin has none


def test_errors_name_the_file_that_failed():
    Path("file").write_text("")
    with pytest.raises(OSError, match="file") as error:
        paths.write(Path("file/inside"), b"new")
    assert error.value.filename == "file/inside"


@pytest.mark.parametrize("name", ["stdin", "stdout"])
def test_what_is_closed(name, monkeypatch):
    monkeypatch.setattr(sys, name, None)
    with pytest.raises(OSError, match="is closed") as error:
        paths.read(paths.STREAM) if name == "stdin" else paths.write(paths.STREAM, b"")
    assert error.value.filename == name
    assert not paths.is_terminal(None)


def test_binary_does_not_go_to_a_terminal(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(OSError, match="use -o"):
        paths.check_target(Path("a.png"), paths.STREAM, False)
