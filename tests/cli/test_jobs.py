"""What stands in the way of one file does not stop the others, and is told in a line that names it."""

import os
import warnings
from pathlib import Path

import click
import pytest

from vlaezip import errors
from vlaezip.cli import jobs

WANTED = frozenset({".png"})


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "tree/a.png", "tree/deep/b.png", "tree/x.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    return tmp_path


def planned(*names, out=None, recursive=False):
    return [(str(j.source), str(j.target), j.fault) for j in jobs.plan(names, out, ".vlz", WANTED, recursive)]


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


def test_a_job_with_a_fault_is_not_tried(capsys):
    found = jobs.plan(["tree", "a.png"], None, ".vlz", WANTED, False)
    done = []
    with pytest.raises(click.exceptions.Exit):
        jobs.run(found, lambda job: done.append(str(job.source)) or "")
    assert done == ["a.png"]
    assert capsys.readouterr().err == ("vlaezip: tree: is a directory: add -r to go into it\n1 of 2 files failed\n")


def test_warnings_are_lines(capsys):
    def work(job):
        warnings.warn("of a colour", errors.VlaezipWarning, stacklevel=1)
        return "done"

    jobs.run([jobs.Job(Path("a.png"), Path("a.vlz"))], work)
    assert capsys.readouterr().err == "vlaezip: a.png: warning: of a colour\n"


def test_only_stdout_may_end_it_all():
    def work(job):
        raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        jobs.outcome(jobs.Job(Path("a.png"), jobs.STREAM), work)
    assert jobs.outcome(jobs.Job(Path("a.png"), Path("pipe")), work) == (False, "vlaezip: a.png: Broken pipe")


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
    assert jobs.reason(error, Path("a.png")) == line
