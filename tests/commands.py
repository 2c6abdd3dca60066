"""The command line, called here or in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner
from PIL import Image

import vlaezip
from vlaezip.cli import app


def call(*words, **options):
    return CliRunner().invoke(app.commands, [str(word) for word in words], **options)


def pixels(path):
    with Image.open(path) as image:
        return image.mode, image.size, image.tobytes()


def python(*words):
    """Stdout of a Python of its own that knows this vlaezip."""
    environment = os.environ | {"PYTHONPATH": str(Path(vlaezip.__file__).parents[1])}
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True, env=environment).stdout
