"""`vlaezip decompress`."""

import errno
import os
from collections.abc import Callable
from typing import Any

import click

from vlaezip.cli import archives
from vlaezip.cli.jobs import Job, plan
from vlaezip.cli.options import file_options
from vlaezip.cli.paths import STREAM, check_target, read, resemble, writing
from vlaezip.cli.run import in_batches, pays_together, run
from vlaezip.cli.terminal import usable
from vlaezip.device.choose import check_device
from vlaezip.errors import ImageError
from vlaezip.format.container import Kind, read_header


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--preview", is_flag=True, help="Only the mean picture: fast, and without texture.")
@file_options
def decompress(
    files: tuple[str, ...], out: str | None, recursive: bool, force: bool, preserve: bool, preview: bool, device: str
) -> None:
    """Decompress .vlz files to .png files, or to what the name after -o says; - is stdin.

    The pictures of an archive go into a directory: that after -o, or one beside the file, named like it.
    """
    usable(check_device, device)
    alone = len(files) == 1 and not os.path.isdir(files[0])
    jobs = plan(files, out, ".png", frozenset({".vlz"}), recursive)
    decode = decoder(jobs, preview, device)

    def work(job: Job) -> str:
        data = read(job.source)
        kind = read_header(data)[0].kind
        if kind == Kind.ARCHIVE:
            if preview:
                raise ImageError("an archive has no preview")
            folder = archives.folder_of(job, out, alone)
            return f"{job.source} -> {folder}  {archives.unpack(data, folder, force, device)} pictures"
        if kind == Kind.LOSSY or preview:
            check_dream(job)
        check_target(job.source, job.target, force)
        image = decode(job, data)
        write_picture(job, image)
        if preserve:
            resemble(job.source, job.target)
        return f"{job.source} -> {job.target}  {image.mode} {image.width} x {image.height}"

    run(jobs, work)


def decoder(jobs: list[Job], preview: bool, device: str) -> Callable[[Job, bytes], Any]:
    """What gives the picture of each job in turn, of its data; on a GPU, files are decoded together."""

    def alone(data: bytes) -> Any:
        from vlaezip import api

        return api.decompress(data, preview=preview, device=device)

    def many(some: list[Job]) -> list[Any]:
        from vlaezip import batch

        return batch.decompress_batch([read(job.source) for job in some], device=device)

    if preview or not pays_together(jobs, device):
        return lambda job, data: alone(data)
    decode = in_batches(jobs, lambda job: alone(read(job.source)), many)
    return lambda job, data: decode(job)


def write_picture(job: Job, image: Any) -> None:
    """Write a picture in the format that its name asks for."""
    from vlaezip.format import pixels

    with writing(job.target) as file:
        pixels.save_into(file, image, ".png" if job.target == STREAM else job.target.suffix)


def check_dream(job: Job) -> None:
    """Raise OSError where a picture that may be the original would make way for one that is not."""
    if job.target != STREAM and job.target.exists() and not job.named:
        raise FileExistsError(
            errno.EEXIST, f"{job.target} exists, and what this file decodes to is another picture: name one with -o"
        )
