"""Commands on models: training, export, likelihood, sheets of pictures. Heavy imports wait."""

import math
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vlaezip.cli.options import (
    COUNT,
    DEFAULTS,
    EXISTING_FILE,
    EXISTING_FOLDER,
    FILE,
    SHEET_COUNT,
    sheet_options,
    training_device,
)
from vlaezip.cli.paths import read, write
from vlaezip.cli.terminal import TROUBLE, fail, grouped, usable
from vlaezip.device.choose import import_torch

if TYPE_CHECKING:
    from vlaezip.train.presets import Recipe
    from vlaezip.train.sets import Pictures


@click.command()
@click.argument("preset")
@click.option("--data", required=True, type=EXISTING_FOLDER)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Checkpoint and log.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=DEFAULTS["minutes"], show_default=True)
@training_device
@click.option("--start", type=EXISTING_FILE, help="Float weights to begin with.")
@click.option("--steps", type=COUNT, help="Of the optimiser, until its rate is zero.")
@click.option("--batch", type=COUNT, help="Pictures, or crops of them, a step.")
@click.option("--optimiser", type=click.Choice(["adam", "adamax", "muon"]))
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Of learning, at its highest.")
@click.option("--stable", type=click.FloatRange(0, 1, max_open=True), help="Part of the run at that rate.")
@click.option("--average", type=click.FloatRange(0, 1, max_open=True), help="Decay of the Polyak average; 0: none.")
@click.option("--beta", type=click.FloatRange(0), help="Weight of the KL.")
@click.option(
    "--free-bits",
    "free",
    type=click.FloatRange(0),
    help="KL that costs nothing, in bits per channel value: 0.0144 are the paper's 0.01 nats.",
)
@click.option(
    "--soft-free-bits",
    "rate_target",
    type=click.FloatRange(0),
    help="KL that the weight of the KL is moved to keep, in bits per channel value; 0: it stays.",
)
@click.option(
    "--final",
    is_flag=True,
    default=None,
    help="Train on the held-out pictures too, once all is chosen: the held-out figures are then of pictures seen.",
)
def train(preset: str, data: Path, out: Path, minutes: float, device: str, start: Path | None, **options: Any) -> None:
    """Train PRESET on a directory of pictures, going on where the last run in OUT ended.

    The last ten options change what the preset says; a run that goes on needs those that it began with.
    """
    usable(import_torch, "training")
    from vlaezip.train import loop

    recipe = changed(known(preset, loop.PRESETS), {k: v for k, v in options.items() if v is not None})
    try:
        trainer = loop.Trainer(recipe, data, out, device, start=start)
        with click.progressbar(length=recipe.steps, label=preset, file=sys.stderr) as bar:
            bar.update(trainer.step)
            for row in trainer.run(minutes):
                bar.update(int(row["step"]) - bar.pos)
    except TROUBLE as error:
        fail(preset, error)
    click.echo(f"{preset}: step {trainer.step} of {recipe.steps}; log and checkpoint in {out}", err=True)


def known(preset: str, presets: "dict[str, Recipe]") -> "Recipe":
    """Raises click.UsageError."""
    if preset not in presets:
        raise click.UsageError(f"no preset {preset!r}, only {', '.join(presets)}")
    return presets[preset]


def changed(recipe: "Recipe", options: dict[str, Any]) -> "Recipe":
    """A recipe with other options. Raises click.UsageError where they mean nothing to it."""
    if recipe.lambdas and options.keys() & {"beta", "free", "rate_target"}:
        raise click.UsageError("a lossy preset weighs its bits by lambdas: it has no --beta and no free bits")
    return replace(recipe, **options)


@click.command()
@click.argument("name")
@click.option("--set", "runs", nargs=3, multiple=True, required=True, metavar="SET PRESET RUN", help="Repeatable.")
@click.option("-o", "--out", required=True, type=FILE)
def export(name: str, runs: tuple[tuple[str, str, str], ...], out: Path) -> None:
    """Turn training runs into the model file of model NAME: proven integers."""
    usable(import_torch, "export")
    from vlaezip.train import export as exporter

    try:
        model = exporter.export(name, {which: (preset, Path(run)) for which, preset, run in runs}, out)
    except TROUBLE as error:
        fail(name, error)
    click.echo(f"{model.id}  {model.name}  {grouped(model.size)} bytes  {out}")


@click.command()
@click.argument("preset")
@click.option("--data", required=True, type=EXISTING_FOLDER)
@click.option("--weights", type=click.Path(exists=True, path_type=Path), help="Float weights, or the folder of a run.")
@click.option("--samples", type=COUNT, default=DEFAULTS["samples"], show_default=True, help="Of z, for every picture.")
@click.option("--batch", type=COUNT, default=DEFAULTS["held"], show_default=True, help="Pictures held at a time.")
@click.option("--part", type=click.Choice(["test", "valid"]), default="test", show_default=True)
@click.option("--limit", type=COUNT, help="Take only the first so many pictures.")
@training_device
def evaluate(
    preset: str, data: Path, weights: Path | None, samples: int, batch: int, part: str, limit: int | None, device: str
) -> None:
    """What the test pictures of PRESET's set cost: ELBO, likelihood by importance sampling, and the lossy code."""
    usable(import_torch, "evaluation")
    from vlaezip.paper import likelihood
    from vlaezip.train import presets, sets

    name = known(preset, presets.PRESETS).data
    if not name:
        raise click.UsageError(f"{preset} is of photographs: only presets of a set are evaluated")
    try:
        net = likelihood.trained(preset, weights, device)
        pictures = sets.measured(name, data, part)[:limit]
    except TROUBLE as error:
        fail(preset, error)
    parts: Iterable[Any] = likelihood.evaluate(net, pictures, samples, batch)
    bar: AbstractContextManager[Iterable[Any]] = nullcontext(parts)
    if sys.stderr.isatty():
        bar = click.progressbar(parts, math.ceil(len(pictures) / batch), preset, file=sys.stderr)
    with bar as done:
        result = likelihood.joined(list(done))
    values = pictures[0].size
    click.echo(f"{preset}: {len(pictures)} {part} pictures of {values} values, {samples} draws of z each")
    for line in likelihood.describe(result, values, samples):
        click.echo(line)


@click.command()
@click.argument("files", nargs=-1, metavar="[IMAGE...]")
@click.option("--set", "name", help="Take test pictures of this set, in place of files.")
@click.option("--data", type=EXISTING_FOLDER, help="Where sets are.")
@click.option(
    "--count", type=SHEET_COUNT, default=DEFAULTS["reconstructed"], show_default=True, help="Pictures of the set."
)
@click.option("--model", help=f"[default: that of the set; of files, {DEFAULTS['model']}]")
@click.option("--search", is_flag=True, help="Look for a z that is worth its bits: small pictures only, seconds each.")
@sheet_options
def reconstruct(
    files: tuple[str, ...], name: str | None, data: Path | None, count: int, model: str | None, search: bool, seed: int,
    zoom: int, out: Path,
) -> None:  # fmt: skip
    """A sheet of pictures of one size, each with what z alone keeps of it on its right."""
    from vlaezip.format import pixels
    from vlaezip.model import weights
    from vlaezip.paper import sheets

    if bool(files) == bool(name) or bool(name) != bool(data):
        raise click.UsageError("name pictures, or a set: --set NAME --data DIR")
    try:
        some = examples(name, data, count) if name and data else None
        net = weights.load(weights.find(model or name or DEFAULTS["model"]).path, "lossless")
        if some is not None:
            x = sheets.adapt(net, some)
        else:
            x = sheets.gather(net, [(f"{n} {Path(f).name}", pixels.load(read(Path(f)))) for n, f in enumerate(files)])
        shown, bits = sheets.reconstruct(net, x, seed, search)
        write(out, pixels.save(sheets.enlarged(sheets.pairs(net, x, shown), zoom), out.suffix))
    except TROUBLE as error:
        fail("reconstruct", error)
    click.echo(f"{out}: {len(x)} pictures from {bits:.1f} bits each", err=True)


def examples(name: str, data: Path, count: int) -> "Pictures":
    """Test pictures of a set, uint8 [N, H, W, C]. Raises click.UsageError."""
    usable(import_torch, "a set of test pictures")
    from vlaezip.train import sets

    if name not in sets.LOADERS:
        raise click.UsageError(f"no set {name!r}, only {', '.join(sets.LOADERS)}")
    return sets.evenly(sets.measured(name, data), count)


@click.command()
@click.option("--model", default=DEFAULTS["model"], show_default=True)
@click.option("--count", type=SHEET_COUNT, default=DEFAULTS["sampled"], show_default=True)
@click.option("--side", type=click.IntRange(1, 1024), help="Of a picture, in pixels.  [default: as in its set, or 28]")
@sheet_options
def sample(model: str, count: int, side: int | None, seed: int, zoom: int, out: Path) -> None:
    """A sheet of pictures drawn from the model: z from p(z), and pixels from p(x|z)."""
    usable(import_torch, "sampling")
    from vlaezip.format import pixels
    from vlaezip.model import weights
    from vlaezip.paper import sheets
    from vlaezip.train.presets import PRESETS

    side = side or (PRESETS[model].crop if model in PRESETS else 28)
    try:
        net = weights.load(weights.find(model).path, "lossless")
        page = sheets.sheet(list(sheets.sample(net, count, side, side, seed)), math.isqrt(count - 1) + 1)
        write(out, pixels.save(sheets.enlarged(page, zoom), out.suffix))
    except TROUBLE as error:
        fail("sample", error)


COMMANDS = (train, export, evaluate, reconstruct, sample)
