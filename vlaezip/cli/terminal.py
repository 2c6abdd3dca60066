"""What the terminal hears: lines on stderr, a reason in each, and a bar for what takes long."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

import click

from vlaezip.cli.paths import is_terminal
from vlaezip.errors import OptionError, VlaezipError

TROUBLE = (VlaezipError, OSError, ImportError)  # the last: of torch, which a machine may be without
STEPS = 1000  # of a bar

T = TypeVar("T")


def tell(*lines: str) -> None:
    for line in lines:
        click.echo(line, err=True)


def grouped(number: int) -> str:
    """A number with a space between thousands."""
    return f"{number:,}".replace(",", " ")


def reason(error: Exception | Warning | str, known: Path | str = "") -> str:
    """One line, without Python's decoration; it names the file that failed where that is not the known one."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    name = getattr(error, "filename", None)
    if name is not None and str(name) != str(known) and str(name) not in text:
        text = f"{name}: {text}"
    return " ".join(text.split())


def fail(name: str, error: Exception) -> NoReturn:
    """Tell why, and exit with 1."""
    tell(f"vlaezip: {name}: {reason(error, name)}")
    raise click.exceptions.Exit(1)


def exit_if_failed(failed: int, total: int) -> None:
    """Exit with 1 if anything failed."""
    if failed and total > 1:
        tell(f"{failed} of {total} files failed")
    if failed:
        raise click.exceptions.Exit(1)


def usable(check: Callable[..., T], *values: object, **options: object) -> T:
    """What a check makes of options. Raises click.UsageError: what is wrong with all files is told once."""
    try:
        return check(*values, **options)
    except OptionError as error:
        raise click.UsageError(str(error)) from None


@contextmanager
def search_bar(label: str, wanted: bool) -> Iterator[Callable[[float], None]]:
    """What takes the share that is done: a bar on a terminal, if it is wanted."""
    if not (wanted and is_terminal(sys.stderr)):
        yield lambda _: None
        return
    with click.progressbar(length=STEPS, label=label, file=sys.stderr) as bar:
        yield lambda share: bar.update(round(STEPS * share) - bar.pos)


def tell_of_compiling() -> None:
    """Tell that this run takes longer, where no kernels are kept for this processor."""
    from vlaezip.exact import kernel_cache

    folder = kernel_cache.folder()
    if folder is None:
        tell("compiling for this processor, each time, as it cannot be kept: some fifteen seconds")
    elif not any(folder.glob("vlaezip.model.local_kernels.*")):
        tell("compiling for this processor, once: some fifteen seconds")
