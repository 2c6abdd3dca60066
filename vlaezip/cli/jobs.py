"""Jobs: which file is to be made of which."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from vlaezip.cli.paths import STREAM
from vlaezip.cli.terminal import reason

PICTURES = frozenset(
    {".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".tga", ".tif"}
    | {".tiff", ".webp"}
)


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
