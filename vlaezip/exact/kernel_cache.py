"""Compiled kernels, and where they are kept between runs: beside the code of no other version, and where that is safe.

numba keeps code by the file that it stands in, and does not see that what it is made of, in another file, has changed
since. Its index of a function may be cut, or mixed up by two processes, and where nothing can be written it gives up.
Here a folder belongs to one state of all sources and one processor, and a file in it to one kernel and its types.
"""

import hashlib
import os
import pickle
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import llvmlite  # type: ignore[import-untyped]
import numba
from numba.core import compiler, registry
from numba.core.caching import NullCache
from numba.core.compiler_lock import global_compiler_lock
from numba.core.serialize import dumps
from platformdirs import user_cache_path

# What kernels are made of, constants included: rooms and modules.
SOURCES = ("coding", "errors", "exact", "format", "model")
NAME = "vlaezip"
CHECKSUM_SIZE = hashlib.sha256().digest_size  # bytes at the beginning of a file

if hasattr(os, "register_at_fork"):  # else a child that is forked while a thread compiles waits for that for ever
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(**options: Any) -> Callable[[Function], Function]:
    """numba.njit with these options, for a function that lets other threads run, and that is kept where it can be."""

    def compiled(function: Function) -> Function:
        dispatcher: Any = numba.njit(nogil=True, **options)(function)
        dispatcher._cache = KernelCache(function)  # what numba's own cache=True does
        return dispatcher  # type: ignore[no-any-return]

    return compiled


def digest_of(package: Path) -> str:
    """The digest of all sources of kernels; nothing where there are none to read."""
    paths = [path for name in SOURCES for path in (package / f"{name}.py", *sorted((package / name).glob("*.py")))]
    try:
        parts = [(path.relative_to(package).as_posix(), path.read_bytes()) for path in paths if path.exists()]
    except OSError:
        return ""
    return hashlib.sha256(repr(parts).encode()).hexdigest() if parts else ""


DIGEST = digest_of(Path(__file__).parents[1])  # now: later there may be the files of another version


@cache
def folder() -> Path | None:
    """Where kernels of this state and for this processor are kept; None where they cannot be."""
    machine = registry.cpu_target.target_context.codegen().magic_tuple()
    state = DIGEST, numba.__version__, llvmlite.__version__, sys.implementation.cache_tag, machine
    name = hashlib.sha256(repr(state).encode()).hexdigest()[:16]
    return next((root / name for root in roots() if is_usable(root / name)), None) if DIGEST else None


def roots() -> Iterator[Path]:
    """Places for kernels, the best first: as numba was told, the user's caches, a temporary folder."""
    if told := numba.config.CACHE_DIR:  # type: ignore[attr-defined]
        yield Path(told) / NAME
    own = user_cache_path(NAME, appauthor=False)
    if own.is_absolute() and is_ours(own):  # a user without a home has ~
        yield own
    with suppress(OSError):  # there may be none
        shared = Path(tempfile.gettempdir()) / f"{NAME}-{os.geteuid() if hasattr(os, 'geteuid') else 'kernels'}"
        if is_ours(shared):
            yield shared


def is_ours(root: Path) -> bool:
    """Whether nobody else can put code there. A folder that is not there yet is made, for its owner alone."""
    with suppress(OSError):
        root.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            root.mkdir(mode=0o700)
        found = root.lstat()
        closed = not hasattr(os, "geteuid") or (found.st_uid == os.geteuid() and not found.st_mode & 0o022)
        return stat.S_ISDIR(found.st_mode) and closed
    return False


def is_usable(place: Path) -> bool:
    """Whether a folder holds kernels, or may."""
    with suppress(OSError):
        place.mkdir(parents=True, exist_ok=True)
        return os.access(place, os.W_OK) or any(place.iterdir())
    return False


class KernelCache(NullCache):
    """The code of one kernel, in files. What cannot be read is not there, what cannot be written is compiled again."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = f"{function.__module__}.{function.__qualname__}"

    @property
    def cache_path(self) -> str | None:
        """What numba shows among a kernel's stats."""
        return None if (place := folder()) is None else str(place)

    def path(self, types: Any) -> Path | None:
        """The file of the code for these types of arguments."""
        number = hashlib.sha256(str(types).encode()).hexdigest()[:16]
        return None if (place := folder()) is None else place / f"{self.name}.{number}"

    def load_overload(self, types: Any, target: Any) -> Any:
        """Load what was compiled for these types of arguments, or None."""
        target.refresh()
        if (path := self.path(types)) is None or (payload := read(path)) is None:
            return None
        return compiler.CompileResult._rebuild(target, *pickle.loads(payload))  # type: ignore[no-untyped-call]

    def save_overload(self, types: Any, compiled: Any) -> None:
        """Inverse of load_overload."""
        path = self.path(types)
        if path is not None and not compiled.library.has_dynamic_globals:  # those are addresses in this process
            write(path, dumps(compiled._reduce()))  # type: ignore[no-untyped-call]


def write(path: Path, payload: bytes) -> None:
    """Write a file whole or not at all, without a word: the disk may be full, or for reading only."""
    beside = path.with_name(f".{uuid4().hex}.part")
    with suppress(OSError):
        try:
            beside.write_bytes(hashlib.sha256(payload).digest() + payload)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def read(path: Path) -> bytes | None:
    """Inverse of write; None where there is nothing, or not what was written."""
    with suppress(OSError):
        data = path.read_bytes()
        if hashlib.sha256(data[CHECKSUM_SIZE:]).digest() == data[:CHECKSUM_SIZE]:
            return data[CHECKSUM_SIZE:]
    return None
