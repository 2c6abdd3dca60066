"""What commands have in common: jobs, each a file to make from another, and what the terminal hears of them."""

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from vlaezip.errors import OptionError, VlaezipError, VlaezipWarning
from vlaezip.files import STREAM, is_terminal

TROUBLE = (VlaezipError, OSError, ImportError)  # the last: of torch, which a machine may be without
BATCH = 64  # files that a GPU gets at once
MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h
LARGE = 1 << 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """One file to make from another. named: the target was told by name. fault: why it cannot be done, if it cannot."""

    source: Path
    target: Path
    named: bool = False
    fault: str = ""


def plan(names: Sequence[str], out: str | None, suffix: str, wanted: frozenset[str], recursive: bool) -> list[Job]:
    """Which file becomes which; what stands in the way of one is its own fault. Raises click.UsageError."""
    folder = out is not None and out != "-" and (
        len(names) > 1 or out.endswith("/") or os.path.isdir(out) or os.path.isdir(names[0])
    )  # fmt: skip
    jobs: list[Job] = []
    makers: dict[Path, Path] = {}
    for source, inside, fault in sources(names, wanted, recursive):
        if out is None:
            target = STREAM if source == STREAM else source.with_suffix(suffix)
        else:
            target = Path(out) / inside.with_suffix(suffix) if folder else Path(out)
        if not fault and makers.setdefault(target, source) is not source:
            if target == STREAM:
                raise click.UsageError("several files would go to stdout")
            fault = f"would go to {target}, as {makers[target]} does"
        jobs.append(Job(source, target, out is not None and not folder, fault))
    if not jobs:
        raise click.UsageError(f"no {' '.join(sorted(wanted))} in {', '.join(names)}")
    if len(jobs) == 1 == len(names) and os.path.isdir(names[0]) and not recursive:
        raise click.UsageError(f"{names[0]} {jobs[0].fault}")
    return jobs


def sources(names: Sequence[str], wanted: frozenset[str], recursive: bool) -> Iterator[tuple[Path, Path, str]]:
    """Each file to read, its path inside the output directory, and what is the matter with it."""
    for path in map(Path, names):
        if not os.path.isdir(path):
            yield path, Path("stdin" if path == STREAM else path.name), ""
        elif recursive:
            yield from ((found, found.relative_to(path), fault) for found, fault in sorted(walk(path, wanted)))
        else:
            yield path, Path(path.name), "is a directory: add -r to go into it"


def walk(top: Path, wanted: frozenset[str]) -> Iterator[tuple[Path, str]]:
    """Files of the wanted kinds in a tree, and what cannot be looked into."""
    faults: list[OSError] = []
    for folder, _, names in os.walk(top, onerror=faults.append):
        for path in (Path(folder, name) for name in names):
            if path.suffix.lower() in wanted and (os.path.isfile(path) or not os.path.exists(path)):
                yield path, ""  # what is not there, a link to nothing, is told of when it is opened
    yield from ((Path(fault.filename), reason(fault)) for fault in faults)


def return_memory() -> None:
    """Have freed arrays go back to the system: glibc keeps blocks of up to 32 MiB, and memory grows tile by tile."""
    import ctypes  # takes two milliseconds, which --help has no need of

    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(MMAP_THRESHOLD, LARGE)


def tell_of_compiling() -> None:
    """That this run takes longer, where no kernels are kept for this processor."""
    from vlaezip import kernel_cache

    folder = kernel_cache.folder()
    if folder is None:
        click.echo("compiling for this processor, each time, as it cannot be kept: some fifteen seconds", err=True)
    elif not any(folder.glob("vlaezip.parts.*")):
        click.echo("compiling for this processor, once: some fifteen seconds", err=True)


def usable(check: Callable[..., T], *values: Any, **options: Any) -> T:
    """What a check makes of options. Raises click.UsageError: what is wrong with all files is told once."""
    try:
        return check(*values, **options)
    except OptionError as error:
        raise click.UsageError(str(error)) from None


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
                tell(held)
                held = []
    tell(held)
    finish(failed, len(jobs))


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


def tell(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line, err=True)


def finish(failed: int, total: int) -> None:
    """Exit with 1 if anything failed."""
    if failed and total > 1:
        click.echo(f"{failed} of {total} files failed", err=True)
    if failed:
        raise click.exceptions.Exit(1)


def together(jobs: list[Job], one: Callable[[Job], T], many: Callable[[list[Job]], list[T]]) -> Callable[[Job], T]:
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


def grouped(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def reason(error: Exception | Warning | str, known: Path | str = "") -> str:
    """One line, without Python's decoration; it names the file that failed where that is not the known one."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    name = getattr(error, "filename", None)
    if name is not None and str(name) != str(known) and str(name) not in text:
        text = f"{name}: {text}"
    return " ".join(text.split())


def fail(name: str, error: Exception) -> NoReturn:
    click.echo(f"vlaezip: {name}: {reason(error, name)}", err=True)
    raise click.exceptions.Exit(1)
