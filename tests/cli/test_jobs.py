"""Which file is made of which, and what stands in the way of one."""

import os
from pathlib import Path

import click
import pytest

from vlaezip.cli.jobs import plan

WANTED = frozenset({".png"})


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "tree/a.png", "tree/deep/b.png", "tree/x.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    return tmp_path


def planned(*names, out=None, recursive=False):
    return [(str(j.source), str(j.target), j.fault) for j in plan(names, out, ".vlz", WANTED, recursive)]


def test_two_sources_of_one_target():
    assert planned("a.png", "tree/a.png", out="out") == [
        ("a.png", "out/a.vlz", ""),
        ("tree/a.png", "out/a.vlz", "would go to out/a.vlz, as a.png does"),
    ]


def test_folders_among_files():
    assert planned("tree", "a.png")[0][2] == "is a directory: add -r to go into it"
    with pytest.raises(click.UsageError, match="tree is a directory: add -r"):
        planned("tree")


def test_folders_that_cannot_be_read(monkeypatch):
    plain = os.scandir

    def scandir(path):
        if Path(path).name == "deep":
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert planned("tree", recursive=True) == [
        ("tree/a.png", "tree/a.vlz", ""),
        ("tree/deep", "tree/deep.vlz", "tree/deep: Permission denied"),
    ]


def test_links_to_nothing_are_not_passed_over():
    Path("tree/gone.png").symlink_to("nowhere")
    os.mkfifo("tree/pipe.png")  # would be waited for for ever
    assert ("tree/gone.png", "tree/gone.vlz", "") in planned("tree", recursive=True)
    assert "pipe" not in str(planned("tree", recursive=True))


def test_names_that_are_too_long():
    long = "n" * 300 + ".png"
    assert [fault for _, _, fault in planned(long, "a.png")] == ["", ""]  # told of when it is opened
    assert [fault for _, _, fault in planned(long, "a.png", out="o" * 300)] == ["", ""]
