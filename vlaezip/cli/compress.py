"""`vlaezip compress`."""

import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from vlaezip.cli import archives
from vlaezip.cli.jobs import PICTURES, Job, plan
from vlaezip.cli.options import DEFAULTS, file_options
from vlaezip.cli.paths import check_target, reading, resemble, write
from vlaezip.cli.run import in_batches, pays_together, run
from vlaezip.cli.terminal import grouped, search_bar, usable
from vlaezip.errors import VlaezipWarning
from vlaezip.format.container import MAX_DRAWS, read_header
from vlaezip.options import DEFAULT_QUALITY, DEFAULT_TEMPERATURE, MAX_SEED, QUALITIES, Options
from vlaezip.options import options as checked
from vlaezip.search.effort import DEFAULT_EFFORT, EFFORTS


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--lossless", is_flag=True, help="Keep every pixel.")
@click.option("-q", "--quality", type=int, help=f"1 is smallest, {QUALITIES} is best.  [default: {DEFAULT_QUALITY}]")
@click.option(
    "--seed", type=click.IntRange(0, MAX_SEED), default=DEFAULTS["seed"], help="Of the texture that is dreamed."
)
@click.option("--temperature", type=float, help=f"How lively that texture is.  [default: {DEFAULT_TEMPERATURE}]")
@click.option("--strip", is_flag=True, help="Leave all metadata out: ICC, EXIF, XMP, density, texts and the like.")
@click.option(
    "--effort",
    type=click.IntRange(0, EFFORTS - 1),
    default=DEFAULTS["effort"],
    help="Lossless: how much the model learns from the picture, both ways; 0 is fastest. Lossy: time for a better z."
    f"  [default: {DEFAULT_EFFORT}; lossy 0]",
)
@click.option("--model", default=DEFAULTS["model"], help="photo; or photo-fast, a smaller one for lossless files.")
@click.option(
    "--archive", is_flag=True, help="One lossless file of a folder of small pictures, all of one size and mode."
)
@click.option(
    "--draws",
    type=click.IntRange(1, MAX_DRAWS),
    default=DEFAULTS["draws"],
    show_default=True,
    help="Of z, for each picture of an archive: more are smaller, and slower both ways.",
)
@file_options
def compress(
    files: tuple[str, ...], out: str | None, recursive: bool, force: bool, preserve: bool, archive: bool, draws: int,
    **options: Any,
) -> None:  # fmt: skip
    """Compress pictures to .vlz files; - is stdin."""
    if archive:
        archives.pack(files, out, force, draws, options["model"], options["device"])
    elif draws > 1:
        raise click.UsageError("--draws are of archives: it wants --archive")
    else:
        wanted = usable(checked, **options)
        jobs = plan(files, out, ".vlz", PICTURES, recursive)
        compress_each(jobs, wanted, force, preserve)


def compress_each(jobs: list[Job], options: Options, force: bool, preserve: bool) -> None:
    """A file of each picture."""
    encode = encoder(jobs, options)

    def work(job: Job) -> str:
        check_target(job.source, job.target, force)
        data = encode(job)
        write(job.target, data)
        if preserve:
            resemble(job.source, job.target)
        if options.lossless:
            warn_if_larger(data, job.source)
        return f"{job.source} -> {job.target}  {size(data)}"

    run(jobs, work)


def encoder(jobs: list[Job], options: Options) -> Callable[[Job], bytes]:
    """What gives the bytes of each job in turn; on a GPU, lossless pictures are coded together."""

    def one(job: Job) -> bytes:
        from vlaezip import api

        with search_bar(str(job.source), len(jobs) == 1 and options.takes_long) as progress:
            return api.encode(read_picture(job.source, options.strip), options, progress)

    def many(some: list[Job]) -> list[bytes]:
        from vlaezip import batch

        return batch.compress_batch([read_picture(job.source, options.strip) for job in some], **asdict(options))

    return in_batches(jobs, one, many) if options.lossless and pays_together(jobs, options.device) else one


def read_picture(path: Path, strip: bool) -> Any:
    """The Picture of a file. What Pillow made of it is free again by then."""
    from vlaezip.format import pixels

    with reading(path) as file:
        return pixels.split(pixels.load(file), strip)


def warn_if_larger(data: bytes, source: Path) -> None:
    """Warn where pixels take more than the JPEG that they came from."""
    if source.is_file() and len(data) > (before := source.stat().st_size):
        warnings.warn(
            f"{grouped(len(data))} bytes, its source has {grouped(before)}: lossless keeps the pixels, not the file",
            VlaezipWarning,
            stacklevel=2,
        )


def size(data: bytes) -> str:
    """How long a file is, and how much that is for a pixel."""
    header = read_header(data)[0]
    return f"{grouped(len(data))} bytes, {8 * len(data) / (header.width * header.height):.2f} bpp"
