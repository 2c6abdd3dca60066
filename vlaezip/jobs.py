"""What commands have in common: files to read and to write, jobs, and what the terminal hears of them."""

import errno
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, NoReturn, TypeVar
from uuid import uuid4

import click

from vlaezip.errors import VlaezipError

STREAM = Path("-")  # stdin as a source, stdout as a target
TROUBLE = (VlaezipError, OSError, ImportError)  # the last: of torch, which a machine may be without
BATCH = 64  # files that a GPU gets at once
MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h
LARGE = 1 << 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """One file to make from another."""

    source: Path
    target: Path


def plan(names: Sequence[str], out: str | None, suffix: str, wanted: frozenset[str], recursive: bool) -> list[Job]:
    """Which file becomes which. Raises click.UsageError if that cannot work."""
    folder = out is not None and out != "-" and (
        len(names) > 1 or out.endswith("/") or Path(out).is_dir() or Path(names[0]).is_dir()
    )  # fmt: skip
    jobs = []
    for source, inside in sources(names, wanted, recursive):
        if out is None:
            jobs.append(Job(source, STREAM if source == STREAM else source.with_suffix(suffix)))
        else:
            jobs.append(Job(source, Path(out) / inside.with_suffix(suffix) if folder else Path(out)))
    if not jobs:
        raise click.UsageError(f"no {' '.join(sorted(wanted))} in {', '.join(names)}")
    seen: set[Path] = set()
    for job in jobs:
        if job.target in seen:
            name = "stdout" if job.target == STREAM else job.target
            raise click.UsageError(f"several files would go to {name}")
        seen.add(job.target)
    return jobs


def sources(names: Sequence[str], wanted: frozenset[str], recursive: bool) -> Iterator[tuple[Path, Path]]:
    """Each file to read, and its path inside the output directory."""
    for path in map(Path, names):
        if not path.is_dir():
            yield path, Path("stdin" if path == STREAM else path.name)
        elif recursive:
            found = sorted(p for p in path.rglob("*") if p.suffix.lower() in wanted and p.is_file())
            yield from ((p, p.relative_to(path)) for p in found)
        else:
            raise click.UsageError(f"{path} is a directory: add -r to go into it")


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


def run(jobs: list[Job], work: Callable[[Job], str]) -> None:
    """Do the jobs; one that fails does not stop the others. On a terminal, tell of those that went well too."""
    return_memory()
    terminal = sys.stderr.isatty()
    if terminal:
        tell_of_compiling()
    with_bar = terminal and len(jobs) > 1
    failed, held = 0, []
    bar: AbstractContextManager[Iterable[Job]] = nullcontext(jobs)
    if with_bar:
        bar = click.progressbar(jobs, file=sys.stderr)
    with bar as steps:
        for job in steps:
            try:
                line = work(job)
            except TROUBLE as error:
                line = f"vlaezip: {job.source}: {reason(error)}"
                failed += 1
            if with_bar:
                held.append(line)
            elif terminal or line.startswith("vlaezip: "):
                click.echo(line, err=True)
    for line in held:
        click.echo(line, err=True)
    finish(failed, len(jobs))


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


def check_target(job: Job, force: bool) -> None:
    """Raises OSError if the target must not be written."""
    if job.target == STREAM:
        if sys.stdout.isatty():
            raise OSError("the result is binary and stdout a terminal: use -o")
    elif job.target.exists():
        if job.source.exists() and job.source.samefile(job.target):
            raise OSError("would overwrite its own source")
        if job.target.is_file() and not force:
            raise FileExistsError(errno.EEXIST, f"{job.target} exists: use --force to overwrite it")


def read(path: Path) -> bytes:
    """Inverse of write."""
    with reading(path) as file:
        return file.read()


def reading(path: Path) -> IO[bytes]:
    """A file to be read. Inverse of writing."""
    return BytesIO(sys.stdin.buffer.read()) if path == STREAM else path.open("rb")


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with writing(path) as file:
        file.write(data)


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """A file to be written whole or not at all: beside its place first, and then renamed."""
    if path == STREAM or (path.exists() and not path.is_file()):  # a device or a pipe stays what it is
        whole = BytesIO()
        yield whole
        if path == STREAM:
            sys.stdout.buffer.write(whole.getbuffer())
        else:
            path.write_bytes(whole.getbuffer())
        return
    new = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{uuid4().hex}.part")
    try:
        with beside.open("wb") as file:
            yield file
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
        for folder in new:
            with suppress(OSError):  # what holds something stays
                folder.rmdir()


def grouped(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def reason(error: Exception) -> str:
    """One line, without Python's decoration."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())


def fail(name: str, error: Exception) -> NoReturn:
    click.echo(f"vlaezip: {name}: {reason(error)}", err=True)
    raise click.exceptions.Exit(1)
