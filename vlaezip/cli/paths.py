"""Files that commands read and write: whole or not at all, through links, and what stands for stdin and stdout."""

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

STREAM = Path("-")  # stdin as a source, stdout as a target


def standard(name: str) -> Any:
    """sys.stdin or sys.stdout. Raises OSError if whoever started this closed it."""
    stream = getattr(sys, name)
    if stream is None:
        raise OSError(errno.EBADF, "is closed", name)
    return stream


def is_terminal(stream: Any) -> bool:
    """Whether a person reads along: a closed stream is none."""
    return stream is not None and bool(stream.isatty())


def read(path: Path) -> bytes:
    """Inverse of write."""
    with reading(path) as file:
        return file.read()


def reading(path: Path) -> IO[bytes]:
    """A file to be read. Inverse of writing."""
    return BytesIO(standard("stdin").buffer.read()) if path == STREAM else path.open("rb")


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with writing(path) as file:
        file.write(data)


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """A file to be written whole or not at all. Where a link stands, the file that it names. Raises OSError, whose
    filename is the path.
    """
    try:
        if path == STREAM:
            yield (whole := BytesIO())
            standard("stdout").buffer.write(whole.getbuffer())
            standard("stdout").buffer.flush()
        elif path.exists() and not path.is_file():  # a device or a pipe stays what it is
            yield (whole := BytesIO())
            path.write_bytes(whole.getbuffer())
        else:
            with beside(followed(path)) as file:
                yield file
    except OSError as error:
        error.filename, error.filename2 = ("stdout" if path == STREAM else str(path)), None
        raise


def followed(path: Path) -> Path:
    """The place that links lead to. Raises OSError if they lead in a circle."""
    place = Path(os.path.realpath(path))
    if place.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return place


@contextmanager
def beside(path: Path) -> Iterator[IO[bytes]]:
    """A file beside its place, renamed once it is whole. It takes the permissions of the one that it replaces."""
    new = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            yield file
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
        for folder in new:
            with suppress(OSError):  # what holds something stays
                folder.rmdir()


def check_target(source: Path, target: Path, force: bool) -> None:
    """Raises OSError if the target must not be written."""
    if target == STREAM:
        if is_terminal(standard("stdout")):
            raise OSError("the result is binary and stdout a terminal: use -o")
    elif target.exists():
        if source.exists() and source.samefile(target):
            raise OSError("would overwrite its own source")
        if target.is_file() and not force:
            raise FileExistsError(
                errno.EEXIST, f"{target} exists: name another file with -o, or --force to overwrite this one"
            )
    elif target.is_symlink() and not force:
        raise FileExistsError(errno.EEXIST, f"{target} is a link to nothing: name another file with -o")


def resemble(source: Path, target: Path) -> None:
    """Give the target the permissions and times of its source, if both are regular files."""
    if source.is_file() and target.is_file():
        shutil.copystat(source, target)
