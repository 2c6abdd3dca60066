"""Compiled kernels that are older than the code: numba keeps each by the file that it stands in, and does not see that
a kernel which it calls, in another file, has changed since."""

from contextlib import suppress
from pathlib import Path


def drop(package: Path) -> None:
    """Forget what numba keeps beside the modules of a package if it is older than any module that has kernels."""
    kept = {index: index.parents[1] / f"{index.name.split('.')[0]}.py" for index in package.rglob("__pycache__/*.nbi")}
    with suppress(OSError):  # of a process beside this one, or of a folder that is not ours
        newest = max((module.stat().st_mtime for module in kept.values() if module.exists()), default=0.0)
        for index in kept:
            if index.stat().st_mtime < newest:
                index.unlink()
