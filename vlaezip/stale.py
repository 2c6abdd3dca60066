"""Compiled kernels that are older than the code: numba keeps each by the file that it stands in, and does not see that
what it is made of, in another file, has changed since."""

from contextlib import suppress
from pathlib import Path


def drop(package: Path) -> None:
    """Forget what numba keeps beside the modules of a package if it is older than any module that speaks of numba."""
    kept = list(package.rglob("__pycache__/*.nbi"))
    modules = package.rglob("*.py") if kept else ()
    with suppress(OSError):  # of a process beside this one, or of a folder that is not ours
        newest = max((m.stat().st_mtime for m in modules if b"numba" in m.read_bytes()), default=0.0)
        for index in kept:
            if index.stat().st_mtime < newest:
                index.unlink()
