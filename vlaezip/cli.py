"""The command line. Only this module prints or exits; heavy imports wait until they are needed."""

import errno
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import click
from click.core import ParameterSource

from vlaezip import __version__, container
from vlaezip.errors import ImageError, VlaezipError

STREAM = Path("-")  # stdin as a source, stdout as a target
PICTURES = frozenset(
    {".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".tga", ".tif"}
    | {".tiff", ".webp"}
)
TROUBLE = (VlaezipError, OSError)
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Job:
    """One file to make from another."""

    source: Path
    target: Path


def main() -> None:
    """Entry point. Exits with 0 if all went well, 1 if a file failed, 2 on wrong usage, 130 if interrupted."""
    try:
        sys.exit(commands.main(standalone_mode=False))
    except click.Abort:
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)


@click.group(name="vlaezip", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vlaezip")
def commands() -> None:
    """Pictures to .vlz files and back, with a variational lossy autoencoder."""


def shared(command: Callable[..., None]) -> Callable[..., None]:
    """The options that compress and decompress have in common."""
    for option in (
        click.option("-r", "--recursive", is_flag=True, help="Go into directories; -o mirrors their tree."),
        click.option("-f", "--force", is_flag=True, help="Overwrite files that exist."),
        click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True),
        click.option("-o", "--out", help="File or directory to write; - is stdout.  [default: beside the source]"),
    ):
        command = option(command)
    return command


@commands.command()
@click.argument("files", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--lossless", is_flag=True, help="Keep every pixel.")
@click.option("-q", "--quality", type=int, help="1 is smallest, 8 is best.  [default: 6]")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, help="Of the texture that is dreamed.")
@click.option("--temperature", type=float, help="How lively that texture is.")
@click.option("--strip", is_flag=True, help="Leave ICC profile, EXIF and XMP out.")
@click.option(
    "--effort",
    type=click.IntRange(0, 9),
    default=0,
    help="Fit the model to the picture first: about a minute at 9, decoding takes no longer.  [default: 0]",
)
@click.option("--model", default="photo", help="photo; or photo-fast, a smaller one for lossless files.")
@click.option(
    "--archive", is_flag=True, help="One lossless file of a folder of small pictures, all of one size and mode."
)
@shared
def compress(
    files: tuple[str, ...], out: str | None, recursive: bool, force: bool, archive: bool, **options: Any
) -> None:
    """Compress pictures to .vlz files; - is stdin."""
    if options["lossless"] and options["quality"] is not None:
        raise click.UsageError("--lossless keeps every pixel: it has no --quality")
    if archive:
        pack(members(files), target_of(out), force, options["model"], options["device"])
        return

    def work(job: Job) -> str:
        from vlaezip import api, pixels

        check_target(job, force)
        image = pixels.load(read(job.source))
        data = api.compress(image, **options)
        write(job.target, data)
        return f"{job.source} -> {job.target}  {size(data, image.width * image.height)}"

    run(plan(files, out, ".vlz", PICTURES, recursive), work)


@commands.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--preview", is_flag=True, help="Only the mean picture: fast, and without texture.")
@shared
def decompress(files: tuple[str, ...], out: str | None, recursive: bool, force: bool, **options: Any) -> None:
    """Decompress .vlz files to .png files, or to what the name after -o says; - is stdin.

    The pictures of an archive go into a directory: that after -o, or one beside the file, named like it.
    """
    alone = len(files) == 1 and not Path(files[0]).is_dir()

    def work(job: Job) -> str:
        from vlaezip import api, pixels

        data = read(job.source)
        if container.read_header(data)[0].kind == container.Kind.ARCHIVE:
            if options["preview"]:
                raise ImageError("an archive has no preview")
            folder = folder_of(job, out, alone)
            return f"{job.source} -> {folder}  {unpack(data, folder, force, options['device'])} pictures"
        check_target(job, force)
        image = api.decompress(data, **options)
        write(job.target, pixels.save(image, ".png" if job.target == STREAM else job.target.suffix))
        return f"{job.source} -> {job.target}  {image.mode} {image.width} x {image.height}"

    run(plan(files, out, ".png", frozenset({".vlz"}), recursive), work)


@commands.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def info(files: tuple[str, ...]) -> None:
    """Tell what .vlz files hold, and check that they are whole."""
    failed = 0
    for name in files:
        try:
            click.echo(describe(name, container.info(read(Path(name)))))
        except TROUBLE as error:
            click.echo(f"vlaezip: {name}: {reason(error)}", err=True)
            failed += 1
    finish(failed, len(files))


@commands.command()
def models() -> None:
    """List the models that are installed."""
    from vlaezip import weights

    try:
        for model in weights.available():
            click.echo(f"{model.id}  {model.name}  {', '.join(model.sets)}  {grouped(model.size)} bytes  {model.path}")
    except TROUBLE as error:
        fail("models", error)


@commands.command()
@click.argument("preset")
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Checkpoint and log.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=25, show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option(
    "--start", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Float weights to begin with."
)
def train(preset: str, data: Path, out: Path, minutes: float, device: str, start: Path | None) -> None:
    """Train PRESET on a directory of pictures, going on where the last run in OUT ended."""
    from vlaezip.train import loop

    if preset not in loop.PRESETS:
        raise click.UsageError(f"no preset {preset!r}, only {', '.join(loop.PRESETS)}")
    try:
        trainer = loop.Trainer(preset, data, out, device, start=start)
        with click.progressbar(length=trainer.recipe.steps, label=preset, file=sys.stderr) as bar:
            bar.update(trainer.step)
            for row in trainer.run(minutes):
                bar.update(int(row["step"]) - bar.pos)
    except TROUBLE as error:
        fail(preset, error)
    click.echo(f"{preset}: step {trainer.step} of {trainer.recipe.steps}; log and checkpoint in {out}", err=True)


@commands.command()
@click.argument("name")
@click.option("--set", "runs", nargs=3, multiple=True, required=True, metavar="SET PRESET RUN", help="Repeatable.")
@click.option("-o", "--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
def export(name: str, runs: tuple[tuple[str, str, str], ...], out: Path) -> None:
    """Turn training runs into the model file of model NAME: proven integers."""
    from vlaezip.train import export as exporter

    try:
        model = exporter.export(name, {which: (preset, Path(run)) for which, preset, run in runs}, out)
    except TROUBLE as error:
        fail(name, error)
    click.echo(f"{model.id}  {model.name}  {grouped(model.size)} bytes  {out}")


@commands.command()
@click.argument("preset")
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--weights", type=click.Path(exists=True, path_type=Path), help="Float weights, or the folder of a run.")
@click.option("--samples", type=click.IntRange(1), default=64, show_default=True, help="Of z, for every picture.")
@click.option("--limit", type=click.IntRange(1), help="Take only the first so many test pictures.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
def evaluate(preset: str, data: Path, weights: Path | None, samples: int, limit: int | None, device: str) -> None:
    """Bounds on the likelihood of PRESET's test pictures: ELBO and importance sampling, in nats a picture."""
    from vlaezip.train import likelihood

    try:
        lines = likelihood.describe(preset, data, weights, samples, limit, device)
        for line in lines:
            click.echo(line)
    except TROUBLE as error:
        fail(preset, error)


@commands.command()
@click.argument("files", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--model", default="photo", show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("-o", "--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
def reconstruct(files: tuple[str, ...], model: str, seed: int, out: Path) -> None:
    """A sheet of pictures of one size, each with what z alone keeps of it on its right."""
    from vlaezip import gallery, pixels, weights

    try:
        net = weights.load(weights.find(model).path, "lossless", "cpu")
        x = gallery.gather(net, [(f"{n} {Path(f).name}", pixels.load(read(Path(f)))) for n, f in enumerate(files)])
        shown, bits = gallery.reconstruct(net, x, seed)
        write(out, pixels.save(gallery.pairs(net, x, shown), out.suffix))
    except TROUBLE as error:
        fail("reconstruct", error)
    click.echo(f"{out}: {len(x)} pictures from {bits:.1f} bits each", err=True)


@commands.command()
@click.option("--model", default="photo", show_default=True)
@click.option("--count", type=click.IntRange(1, 4096), default=64, show_default=True)
@click.option("--side", type=click.IntRange(1, 1024), default=28, show_default=True, help="Of a picture, in pixels.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("-o", "--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
def sample(model: str, count: int, side: int, seed: int, out: Path) -> None:
    """A sheet of pictures drawn from the model: z from p(z), and pixels from p(x|z)."""
    from vlaezip import gallery, pixels, weights

    try:
        net = weights.load(weights.find(model).path, "lossless", "cpu")
        drawn = gallery.sample(net, count, side, side, seed)
        write(out, pixels.save(gallery.sheet(list(drawn), math.isqrt(count - 1) + 1), out.suffix))
    except TROUBLE as error:
        fail("sample", error)


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


def members(names: Sequence[str]) -> list[Path]:
    """The pictures of an archive, sorted by what they will be called in it. Raises click.UsageError."""
    paths = list(map(Path, names))
    folder = paths[0].is_dir()
    if len(paths) == 1 and folder:
        paths = [p for p in paths[0].iterdir() if p.suffix.lower() in PICTURES and p.is_file()]
    elif len(paths) == 1 or any(p.is_dir() for p in paths):
        raise click.UsageError("--archive takes one directory or several files")
    if not paths:
        raise click.UsageError(f"no {' '.join(sorted(PICTURES))} in {names[0]}")
    return sorted(paths, key=lambda p: (p.stem, p.name))


def target_of(out: str | None) -> Path:
    """The file of an archive. Raises click.UsageError where it has no name, or options that it does not know."""
    context = click.get_current_context()
    for name in ("quality", "seed", "temperature", "effort", "recursive"):
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--archive keeps every pixel of one folder: it has no --{name}")
    if out is None or out.endswith("/") or Path(out).is_dir():
        raise click.UsageError("--archive makes one file: name it with -o")
    return Path(out)


def pack(paths: list[Path], target: Path, force: bool, model: str, device: str) -> None:
    """Compress pictures to one archive."""

    def work(job: Job) -> str:
        from vlaezip import api

        for path in paths:
            check_target(Job(path, job.target), force)
        data = api.compress_archive(map(named, paths), model=model, device=device)
        write(job.target, data)
        return f"{len(paths)} pictures -> {job.target}  {grouped(len(data))} bytes"

    run([Job(target, target)], work)


def named(path: Path) -> tuple[str, Any]:
    """A picture and what it is called in an archive."""
    from vlaezip import pixels

    try:
        return path.stem, pixels.load(read(path))
    except VlaezipError as error:
        raise ImageError(f"{path}: {error}") from None


def unpack(data: bytes, folder: Path, force: bool, device: str) -> int:
    """Write the pictures of an archive into a folder, all or, where some are there already, none. -> how many."""
    from vlaezip import api, pixels

    images = [(folder / f"{name}.png", image) for name, image in api.decompress_archive(data, device=device)]
    for path, _ in images:
        if path.parent != folder:
            raise ImageError(f"{path.name} would not lie in {folder}")
        check_target(Job(folder, path), force)
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


def run(jobs: list[Job], work: Callable[[Job], str]) -> None:
    """Do the jobs; one that fails does not stop the others. On a terminal, tell of those that went well too."""
    terminal = sys.stderr.isatty()
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
    return sys.stdin.buffer.read() if path == STREAM else path.read_bytes()


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: beside its place first, and then renamed."""
    if path == STREAM:
        sys.stdout.buffer.write(data)
        return
    if path.exists() and not path.is_file():  # a device or a pipe stays what it is
        path.write_bytes(data)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{uuid4().hex}.part")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


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
        lines.append(f"  quality {h.quality + 1}, temperature {h.temperature / 64:.2f}, seed {h.seed}")
    lines.append("  " + ", ".join(f"{chunk} {grouped(count)}" for chunk, count in told.sizes.items()))
    return "\n".join(lines)


def size(data: bytes, pixels: int) -> str:
    return f"{grouped(len(data))} bytes, {8 * len(data) / pixels:.2f} bpp"


def grouped(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def reason(error: Exception) -> str:
    """One line, without Python's decoration."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())


def fail(name: str, error: Exception) -> NoReturn:
    click.echo(f"vlaezip: {name}: {reason(error)}", err=True)
    raise click.exceptions.Exit(1)
