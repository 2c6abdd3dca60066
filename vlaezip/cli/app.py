"""The command line, and its commands on files. Only this module exits; heavy imports wait until they are needed."""

import errno
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from vlaezip import __version__
from vlaezip.cli import research
from vlaezip.cli.jobs import TROUBLE, Job, fail, finish, grouped, plan, reason, run, together, usable
from vlaezip.cli.paths import STREAM, check_target, is_terminal, read, reading, resemble, write, writing
from vlaezip.device.choose import DEVICES
from vlaezip.errors import ImageError, VlaezipError, VlaezipWarning
from vlaezip.format import container
from vlaezip.options import (
    DEFAULT_QUALITY,
    DEFAULT_TEMPERATURE,
    MAX_SEED,
    QUALITIES,
    TEMPERATURE_ONE,
    Options,
    check_draws,
)
from vlaezip.options import options as checked
from vlaezip.search.effort import EFFORTS

PICTURES = frozenset(
    {".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".tga", ".tif"}
    | {".tiff", ".webp"}
)
DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Options)}
SHARES = 1000  # steps of a bar
SIGNALLED = 128  # plus the number of a signal: what shells report


class Stopped(BaseException):
    """A signal that ends the program, as an exception: what stands half written goes away first."""


def stop(number: int, frame: Any) -> None:
    raise Stopped(number)


def main() -> None:
    """Entry point. Exits with 0 if all went well, 1 if a file failed, 2 on wrong usage, 128 and more on a signal."""
    for name in ("SIGTERM", "SIGHUP"):
        if (number := getattr(signal, name, None)) and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stop)
    try:
        code = commands.main(standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
        sys.exit(code)
    except click.Abort:
        sys.exit(SIGNALLED + signal.SIGINT)
    except Stopped as stopped:
        sys.exit(SIGNALLED + stopped.args[0])
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except OSError as error:  # of stdout: all others belong to a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would try once more at its end
        if not isinstance(error, BrokenPipeError):  # click is as quiet about those that it meets first
            click.echo(f"vlaezip: stdout: {reason(error, 'stdout')}", err=True)
        sys.exit(1)


@click.group(name="vlaezip", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vlaezip")
def commands() -> None:
    """Pictures to .vlz files and back, with a variational lossy autoencoder."""


for command in research.COMMANDS:
    commands.add_command(command)


def shared(command: Callable[..., None]) -> Callable[..., None]:
    """The options that compress and decompress have in common."""
    for option in (
        click.option("-r", "--recursive", is_flag=True, help="Go into directories; -o mirrors their tree."),
        click.option("-f", "--force", is_flag=True, help="Overwrite files that exist."),
        click.option("--preserve", is_flag=True, help="Give files the permissions and times of their sources."),
        click.option("--device", type=click.Choice(DEVICES), default=DEFAULTS["device"], show_default=True),
        click.option("-o", "--out", help="File or directory to write; - is stdout.  [default: beside the source]"),
    ):
        command = option(command)
    return command


@commands.command()
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
    show_default=True,
    help=f"Fit the model to the picture first: about a minute at {EFFORTS - 1}, decoding takes no longer.",
)
@click.option("--model", default=DEFAULTS["model"], help="photo; or photo-fast, a smaller one for lossless files.")
@click.option(
    "--archive", is_flag=True, help="One lossless file of a folder of small pictures, all of one size and mode."
)
@click.option(
    "--draws",
    type=click.IntRange(1, container.MAX_DRAWS),
    default=1,
    show_default=True,
    help="Of z, for each picture of an archive: more are smaller, and slower both ways.",
)
@shared
def compress(
    files: tuple[str, ...],
    out: str | None,
    recursive: bool,
    force: bool,
    preserve: bool,
    archive: bool,
    draws: int,
    strip: bool,
    **options: Any,
) -> None:
    """Compress pictures to .vlz files; - is stdin."""
    if archive:
        target = target_of(out)
        usable(check_draws, draws)
        pack(members(files), target, force, draws, options["model"], options["device"])
        return
    if draws > 1:
        raise click.UsageError("--draws are of archives: it wants --archive")
    wanted = usable(checked, strip=strip, **options)
    jobs = plan(files, out, ".vlz", PICTURES, recursive)

    def one(job: Job) -> bytes:
        from vlaezip import api

        with heard(job, len(jobs) == 1 and wanted.effort > 0) as progress:
            return api.encode(samples(job.source, strip), wanted, progress)

    def many(some: list[Job]) -> list[bytes]:
        from vlaezip import batch

        return batch.compress_batch([samples(job.source, strip) for job in some], **options)

    coded = together(jobs, one, many) if batched(jobs, options["device"]) and options["lossless"] else one

    def work(job: Job) -> str:
        check_target(job.source, job.target, force)
        data = coded(job)
        write(job.target, data)
        if preserve:
            resemble(job.source, job.target)
        if wanted.lossless:
            warn_if_larger(data, job.source)
        header = container.read_header(data)[0]
        return f"{job.source} -> {job.target}  {size(data, header.width * header.height)}"

    run(jobs, work)


@contextmanager
def heard(job: Job, alone: bool) -> Iterator[Callable[[float], None]]:
    """On a terminal, a bar for a search in one file; of several files, each is a step of another bar."""
    if not (alone and is_terminal(sys.stderr)):
        yield lambda _: None
        return
    with click.progressbar(length=SHARES, label=str(job.source), file=sys.stderr) as bar:
        yield lambda share: bar.update(round(SHARES * share) - bar.pos)


def warn_if_larger(data: bytes, source: Path) -> None:
    """Pixels take more than the JPEG that they came from."""
    if source.is_file() and len(data) > (before := source.stat().st_size):
        warnings.warn(
            f"{grouped(len(data))} bytes, its source has {grouped(before)}: lossless keeps the pixels, not the file",
            VlaezipWarning,
            stacklevel=2,
        )


def samples(path: Path, strip: bool) -> Any:
    """The Picture of a file. What Pillow made of it is free again by then."""
    from vlaezip.format import pixels

    with reading(path) as file:
        return pixels.split(pixels.load(file), strip)


@commands.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--preview", is_flag=True, help="Only the mean picture: fast, and without texture.")
@shared
def decompress(
    files: tuple[str, ...], out: str | None, recursive: bool, force: bool, preserve: bool, **options: Any
) -> None:
    """Decompress .vlz files to .png files, or to what the name after -o says; - is stdin.

    The pictures of an archive go into a directory: that after -o, or one beside the file, named like it.
    """
    from vlaezip.device.choose import check_device

    usable(check_device, options["device"])
    alone = len(files) == 1 and not os.path.isdir(files[0])
    jobs = plan(files, out, ".png", frozenset({".vlz"}), recursive)

    def one(job: Job) -> Any:
        from vlaezip import api

        return api.decompress(read(job.source), **options)

    def many(some: list[Job]) -> list[Any]:
        from vlaezip import batch

        return batch.decompress_batch([read(job.source) for job in some], device=options["device"])

    several = batched(jobs, options["device"]) and not options["preview"]
    decoded = together(jobs, one, many) if several else None

    def work(job: Job) -> str:
        from vlaezip import api
        from vlaezip.format import pixels

        data = read(job.source)
        kind = container.read_header(data)[0].kind
        if kind == container.Kind.ARCHIVE:
            if options["preview"]:
                raise ImageError("an archive has no preview")
            folder = folder_of(job, out, alone)
            return f"{job.source} -> {folder}  {unpack(data, folder, force, options['device'])} pictures"
        if kind == container.Kind.LOSSY or options["preview"]:
            check_dream(job)
        check_target(job.source, job.target, force)
        image = decoded(job) if decoded else api.decompress(data, **options)
        with writing(job.target) as file:
            pixels.save_into(file, image, ".png" if job.target == STREAM else job.target.suffix)
        if preserve:
            resemble(job.source, job.target)
        return f"{job.source} -> {job.target}  {image.mode} {image.width} x {image.height}"

    run(jobs, work)


def check_dream(job: Job) -> None:
    """Raise OSError where a picture that may be the original would make way for one that is not."""
    if job.target != STREAM and job.target.exists() and not job.named:
        raise FileExistsError(
            errno.EEXIST, f"{job.target} exists, and what this file decodes to is another picture: name one with -o"
        )


@commands.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def info(files: tuple[str, ...]) -> None:
    """Tell what .vlz files hold, and check that they are whole."""
    failed = 0
    for name in files:
        try:
            told = describe(name, container.info(read(Path(name))))
        except TROUBLE as error:
            click.echo(f"vlaezip: {name}: {reason(error, name)}", err=True)
            failed += 1
        else:
            click.echo(told)
    finish(failed, len(files))


@commands.command()
def models() -> None:
    """List the models that are installed."""
    from vlaezip.model import weights

    for model in weights.available():
        click.echo(f"{model.id}  {model.name}  {', '.join(model.sets)}  {grouped(model.size)} bytes  {model.path}")
    for wrong in weights.broken().values():
        click.echo(f"vlaezip: {wrong}", err=True)
    finish(len(weights.broken()), len(weights.available()) + len(weights.broken()))


def batched(jobs: list[Job], device: str) -> bool:
    """Whether files may be worked on together: several regular ones, and not on the CPU."""
    if len(jobs) < 2 or device == "cpu" or any(job.source == STREAM for job in jobs):
        return False
    from vlaezip.device.choose import choose_for

    return choose_for(device, len(jobs)) != "cpu"


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


def target_of(out: str | None) -> Path:
    """The file of an archive. Raises click.UsageError where it has no name, or options that it does not know."""
    context = click.get_current_context()
    for name in ("quality", "seed", "temperature", "effort", "recursive", "preserve"):
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--archive keeps every pixel of one folder: it has no --{name}")
    if out is None or out.endswith("/") or os.path.isdir(out):
        raise click.UsageError("--archive makes one file: name it with -o")
    return Path(out)


def pack(paths: list[Path], target: Path, force: bool, draws: int, model: str, device: str) -> None:
    """Compress pictures to one archive."""

    def work(job: Job) -> str:
        from vlaezip import api

        for path in paths:
            check_target(path, job.target, force)
        data = api.compress_archive(map(named, paths), model=model, draws=draws, device=device)
        write(job.target, data)
        return f"{len(paths)} pictures -> {job.target}  {grouped(len(data))} bytes"

    run([Job(target, target)], work)


def named(path: Path) -> tuple[str, Any]:
    """A picture and what it is called in an archive."""
    from vlaezip.format import pixels

    try:
        return path.stem, pixels.load(read(path))
    except VlaezipError as error:
        raise ImageError(f"{path}: {error}") from None


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


def folder_of(job: Job, out: str | None, alone: bool) -> Path:
    """Where the pictures of an archive go; of several files, each has a folder in that after -o. Raises OSError."""
    if job.target == STREAM:
        raise OSError("an archive has several pictures: name a directory with -o")
    if out is None:
        return job.source.with_suffix("")
    return Path(out) if alone else job.target.with_suffix("")


def describe(name: str, told: container.Info) -> str:
    """A few lines about a file."""
    h = told.header
    rate = f"{grouped(told.total)} bytes, {told.bits_per_pixel:.3f} bpp"
    shape = f"{h.mode} {h.width} x {h.height}"
    if h.kind == container.Kind.ARCHIVE:
        shape = f"{grouped(h.count)} pictures of {shape}"
        rate += f", {8 * told.total / h.count:.2f} bits a picture"
    lines = [f"{name}: {h.kind.name.lower()}, {shape}, {rate}"]
    if h.kind == container.Kind.ARCHIVE:
        lines.append(f"  model {h.model.hex()}")
    elif h.kind != container.Kind.STORED:
        lines.append(f"  model {h.model.hex()}, tiles of {h.tile}, {h.lanes} lanes")
    if h.kind == container.Kind.LOSSY:
        lines.append(f"  quality {h.quality + 1}, temperature {h.temperature / TEMPERATURE_ONE:.2f}, seed {h.seed}")
    lines.append("  " + ", ".join(f"{chunk} {grouped(count)}" for chunk, count in told.sizes.items()))
    return "\n".join(lines)


def size(data: bytes, pixels: int) -> str:
    return f"{grouped(len(data))} bytes, {8 * len(data) / pixels:.2f} bpp"
