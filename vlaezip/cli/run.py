"""Jobs are done: one after another, whatever becomes of the others, or many at once where a GPU works."""

import sys
import warnings
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TypeVar

import click

from vlaezip.cli.jobs import Job
from vlaezip.cli.paths import STREAM, is_terminal
from vlaezip.cli.terminal import TROUBLE, exit_if_failed, reason, tell, tell_of_compiling
from vlaezip.errors import VlaezipWarning

BATCH = 64  # files that a GPU gets at once
MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h
LARGE = 1 << 20

T = TypeVar("T")


def run(jobs: list[Job], work: Callable[[Job], str]) -> None:
    """Do the jobs; one that fails does not stop the others. On a terminal, tell of those that went well too."""
    return_memory()
    terminal = is_terminal(sys.stderr)
    if terminal:
        tell_of_compiling()
    with_bar = terminal and len(jobs) > 1
    failed, held = 0, list[str]()
    bar: AbstractContextManager[Iterable[Job]] = nullcontext(jobs)
    if with_bar:
        bar = click.progressbar(jobs, file=sys.stderr)
    with bar as steps:
        for job in steps:
            done, lines = attempt(job, work)
            failed += not done
            held += lines if terminal or not done else lines[:-1]
            if not with_bar:
                tell(*held)
                held = []
    tell(*held)
    exit_if_failed(failed, len(jobs))


def return_memory() -> None:
    """Have freed arrays go back to the system: glibc keeps blocks of up to 32 MiB, and memory grows tile by tile."""
    import ctypes  # takes two milliseconds, which --help has no need of

    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(MMAP_THRESHOLD, LARGE)


def attempt(job: Job, work: Callable[[Job], str]) -> tuple[bool, list[str]]:
    """Whether a job went well, what it warned of, and the line that tells how it ended. Raises BrokenPipeError if
    nobody reads stdout any more.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", VlaezipWarning)
        done, line = outcome(job, work)
    return done, [f"vlaezip: {job.source}: warning: {reason(w.message)}" for w in caught] + [line]


def outcome(job: Job, work: Callable[[Job], str]) -> tuple[bool, str]:
    """Whether a job went well, and the line that tells."""
    if job.fault:
        return False, f"vlaezip: {job.source}: {job.fault}"
    try:
        return True, work(job)
    except TROUBLE as error:
        if isinstance(error, BrokenPipeError) and job.target == STREAM:
            raise
        return False, f"vlaezip: {job.source}: {reason(error, job.source)}"


def pays_together(jobs: list[Job], device: str) -> bool:
    """Whether files may be worked on together: several regular ones, and not on the CPU."""
    if len(jobs) < 2 or device == "cpu" or any(job.source == STREAM for job in jobs):
        return False
    from vlaezip.device.choose import choose_for

    return choose_for(device, len(jobs)) != "cpu"


def in_batches(jobs: list[Job], one: Callable[[Job], T], many: Callable[[list[Job]], list[T]]) -> Callable[[Job], T]:
    """The result of each job in turn: from `many`, called for BATCH jobs at once; where those fail, from `one`."""
    ready: dict[Job, T] = {}
    tried: set[int] = set()

    def result(job: Job) -> T:
        number = jobs.index(job) // BATCH
        if number not in tried:
            tried.add(number)
            ready.clear()
            some = jobs[number * BATCH :][:BATCH]
            with suppress(*TROUBLE):
                ready.update(zip(some, many(some), strict=True))
        return ready.pop(job) if job in ready else one(job)

    return result
