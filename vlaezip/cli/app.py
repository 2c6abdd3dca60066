"""The program `vlaezip`: its commands joined in a group, signals, exit codes. Only this module exits."""

import os
import signal
import sys
from typing import Any

import click

from vlaezip import __version__
from vlaezip.cli import research
from vlaezip.cli.compress import compress
from vlaezip.cli.decompress import decompress
from vlaezip.cli.listing import info, models
from vlaezip.cli.terminal import reason

SIGNALLED = 128  # plus the number of a signal: what shells report


class Stopped(BaseException):
    """A signal that ends the program, as an exception: what stands half written goes away first."""


def stop(number: int, frame: Any) -> None:
    raise Stopped(number)


@click.group(name="vlaezip", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vlaezip")
def commands() -> None:
    """Pictures to .vlz files and back, with a variational lossy autoencoder."""


for command in (compress, decompress, info, models, *research.COMMANDS):
    commands.add_command(command)


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
