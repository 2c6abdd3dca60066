"""Options that commands share, and the defaults of all: where the library has the option, those of options.py."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from vlaezip.device.choose import DEVICES
from vlaezip.options import Options

Command = Callable[..., None]
Decorator = Callable[[Command], Command]

DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Options)} | {
    "draws": 1,
    "minutes": 25,  # of training
    "samples": 64,  # of z, for a likelihood
    "held": 100,  # pictures at a time, by a likelihood
    "reconstructed": 32,  # pictures of a sheet
    "sampled": 64,
}

EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
COUNT = click.IntRange(1)
SHEET_COUNT = click.IntRange(1, 4096)


def all_of(*options: Decorator) -> Decorator:
    """One decorator of several options, which --help tells of in this order."""

    def joined(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return joined


file_options = all_of(  # of compress and decompress
    click.option("-o", "--out", help="File or directory to write; - is stdout.  [default: beside the source]"),
    click.option("--device", type=click.Choice(DEVICES), default=DEFAULTS["device"], show_default=True),
    click.option("--preserve", is_flag=True, help="Give files the permissions and times of their sources."),
    click.option("-f", "--force", is_flag=True, help="Overwrite files that exist."),
    click.option("-r", "--recursive", is_flag=True, help="Go into directories; -o mirrors their tree."),
)
sheet_options = all_of(  # of reconstruct and sample
    click.option("--seed", type=click.IntRange(0), default=DEFAULTS["seed"], show_default=True),
    click.option("--zoom", type=click.IntRange(1, 64), default=1, show_default=True, help="Side of a pixel."),
    click.option("-o", "--out", required=True, type=FILE),
)
training_device = click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
