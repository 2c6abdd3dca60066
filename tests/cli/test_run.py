"""What stands in the way of one file does not stop the others, and is told in a line that names it."""

import sys
import warnings
from pathlib import Path

import click
import pytest

from vlaezip.cli.jobs import Job
from vlaezip.cli.paths import STREAM
from vlaezip.cli.run import outcome, run
from vlaezip.errors import VlaezipWarning


def job_of(name, fault=""):
    return Job(Path(name), Path(name).with_suffix(".vlz"), fault=fault)


def test_a_job_with_a_fault_is_not_tried(capsys):
    found = [job_of("tree", "is a directory: add -r to go into it"), job_of("a.png")]
    done = []
    with pytest.raises(click.exceptions.Exit):
        run(found, lambda job: done.append(str(job.source)) or "")
    assert done == ["a.png"]
    assert capsys.readouterr().err == ("vlaezip: tree: is a directory: add -r to go into it\n1 of 2 files failed\n")


def test_warnings_are_lines(capsys):
    def work(job):
        warnings.warn("of a colour", VlaezipWarning, stacklevel=1)
        return "done"

    run([job_of("a.png")], work)
    assert capsys.readouterr().err == "vlaezip: a.png: warning: of a colour\n"


def test_only_stdout_may_end_it_all():
    def work(job):
        raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        outcome(Job(Path("a.png"), STREAM), work)
    assert outcome(Job(Path("a.png"), Path("pipe")), work) == (False, "vlaezip: a.png: Broken pipe")


def test_a_terminal_hears_of_success(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("vlaezip.cli.run.tell_of_compiling", lambda: None)
    run([job_of("palette.png")], lambda job: f"{job.source} done")
    assert capsys.readouterr().err == "palette.png done\n"
    with pytest.raises(click.exceptions.Exit):
        run([job_of("palette.png"), job_of("missing.png")], fail_on_missing)
    heard = capsys.readouterr().err
    assert "palette.png done\nvlaezip: missing.png: missing\n1 of 2 files failed\n" in heard


def fail_on_missing(job):
    if job.source.name == "missing.png":
        raise OSError("missing")
    return f"{job.source} done"
