"""Archives: a file of many pictures, and their folder."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from vlaezip.cli.jobs import PICTURES, Job
from vlaezip.cli.paths import STREAM, check_target, read, write
from vlaezip.cli.run import run
from vlaezip.cli.terminal import fail, grouped, usable
from vlaezip.errors import ImageError, VlaezipError
from vlaezip.options import check_draws


def pack(files: Sequence[str], out: str | None, force: bool, draws: int, model: str, device: str) -> None:
    """Compress pictures to one archive. Inverse of unpack. Raises click.UsageError."""
    target = target_of(out)
    usable(check_draws, draws)
    paths = members(files)

    def work(job: Job) -> str:
        from vlaezip import api

        for path in paths:
            check_target(path, job.target, force)
        data = api.compress_archive(map(read_named, paths), model=model, draws=draws, device=device)
        write(job.target, data)
        return f"{len(paths)} pictures -> {job.target}  {grouped(len(data))} bytes"

    run([Job(target, target)], work)


def target_of(out: str | None) -> Path:
    """The file of an archive. Raises click.UsageError where it has no name, or options that it does not know."""
    context = click.get_current_context()
    for name in ("quality", "seed", "temperature", "effort", "recursive", "preserve"):
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--archive keeps every pixel of one folder: it has no --{name}")
    if out is None or out.endswith("/") or os.path.isdir(out):
        raise click.UsageError("--archive makes one file: name it with -o")
    return Path(out)


def members(names: Sequence[str]) -> list[Path]:
    """The pictures of an archive, sorted by what they will be called in it. Raises click.UsageError."""
    paths = list(map(Path, names))
    if len(paths) == 1 and os.path.isdir(paths[0]):
        try:
            paths = [p for p in paths[0].iterdir() if p.suffix.lower() in PICTURES and p.is_file()]
        except OSError as error:
            fail(names[0], error)
    elif len(paths) == 1 or any(map(os.path.isdir, paths)):
        raise click.UsageError("--archive takes one directory or several files")
    if not paths:
        raise click.UsageError(f"no {' '.join(sorted(PICTURES))} in {names[0]}")
    return sorted(paths, key=lambda p: (p.stem, p.name))


def read_named(path: Path) -> tuple[str, Any]:
    """What a picture is called in an archive, and the picture."""
    from vlaezip.format import pixels

    try:
        return path.stem, pixels.load(read(path))
    except VlaezipError as error:
        raise ImageError(f"{path}: {error}") from None


def folder_of(job: Job, out: str | None, alone: bool) -> Path:
    """Where the pictures of an archive go; of several files, each has a folder in that after -o. Raises OSError."""
    if job.target == STREAM:
        raise OSError("an archive has several pictures: name a directory with -o")
    if out is None:
        return job.source.with_suffix("")
    return Path(out) if alone else job.target.with_suffix("")


def unpack(data: bytes, folder: Path, force: bool, device: str) -> int:
    """Write the pictures of an archive into a folder, all or, where some are there already, none. -> how many."""
    from vlaezip import api
    from vlaezip.format import pixels

    images = [(folder / f"{name}.png", image) for name, image in api.decompress_archive(data, device=device)]
    for path, _ in images:
        if path.parent != folder:
            raise ImageError(f"{path.name} would not lie in {folder}")
        check_target(folder, path, force)
    for path, image in images:
        write(path, pixels.save(image, ".png"))
    return len(images)
