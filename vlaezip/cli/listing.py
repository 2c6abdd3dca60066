"""`vlaezip info` and `vlaezip models`: what files hold, and which models there are."""

from pathlib import Path

import click

from vlaezip.cli.paths import read
from vlaezip.cli.terminal import TROUBLE, exit_if_failed, grouped, reason, tell
from vlaezip.format import container, settings
from vlaezip.format.container import Kind
from vlaezip.options import TEMPERATURE_ONE


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def info(files: tuple[str, ...]) -> None:
    """Tell what .vlz files hold, and check that they are whole."""
    failed = 0
    for name in files:
        try:
            data = read(Path(name))
            told = container.info(data)
            more = how_learned(data) if told.header.kind == Kind.LOSSLESS else []
        except TROUBLE as error:
            tell(f"vlaezip: {name}: {reason(error, name)}")
            failed += 1
        else:
            click.echo(describe(name, told, more))
    exit_if_failed(failed, len(files))


def describe(name: str, told: container.Info, more: list[str]) -> str:
    """A few lines about a file, and more of them."""
    h = told.header
    rate = f"{grouped(told.total)} bytes, {told.bits_per_pixel:.3f} bpp"
    shape = f"{h.mode} {h.width} x {h.height}"
    if h.kind == Kind.ARCHIVE:
        shape = f"{grouped(h.count)} pictures of {shape}"
        rate += f", {8 * told.total / h.count:.2f} bits a picture"
    lines = [f"{name}: {h.kind.name.lower()}, {shape}, {rate}"]
    if h.kind == Kind.ARCHIVE:
        lines.append(f"  model {h.model.hex()}")
    elif h.kind != Kind.STORED:
        lines.append(f"  model {h.model.hex()}, tiles of {h.tile}, {h.lanes} lanes")
    if h.kind == Kind.LOSSY:
        lines.append(f"  quality {h.quality + 1}, temperature {h.temperature / TEMPERATURE_ONE:.2f}, seed {h.seed}")
    lines += more
    lines.append("  " + ", ".join(f"{chunk} {grouped(count)}" for chunk, count in told.sizes.items()))
    return "\n".join(lines)


def how_learned(data: bytes) -> list[str]:
    """A line about the learner of a lossless file, if it has one."""
    file = container.read(data)
    if not container.is_learned(file.data):
        return []
    how = settings.read(memoryview(file.data)[container.PROLOGUE.size :], file.header.width * file.header.height)
    pace = f"{how.places} places an update, rate {how.real_rate:.2g}"
    return [f"  learned: {pace}; decoding takes {how.decoding_times:.0f} times as long as at effort 0"]


@click.command()
def models() -> None:
    """List the models that are installed."""
    from vlaezip.model import weights

    for model in weights.available():
        click.echo(f"{model.id}  {model.name}  {', '.join(model.sets)}  {grouped(model.size)} bytes  {model.path}")
    for wrong in weights.broken().values():
        tell(f"vlaezip: {wrong}")
    exit_if_failed(len(weights.broken()), len(weights.available()) + len(weights.broken()))
