"""The pictures to measure with, and a stopwatch."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import example

KINDS = {".png", ".webp", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff"}
CROP = 96  # side of the warm-up picture

Pixels = NDArray[np.uint8]
P = ParamSpec("P")
T = TypeVar("T")


def arguments(text: str | None) -> argparse.ArgumentParser:
    """A parser with what all benchmarks take."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of pictures; without it, the example picture")
    parser.add_argument("--threads", type=int, help="threads; without it, as vlaezip chooses")
    parser.add_argument("--limit", type=int, help="take only so many pictures")
    return parser


def use_threads(count: int | None) -> None:
    """So many threads for the codec (vlaezip.exact.threads), and for torch where it is or will be imported."""
    if count is not None:
        os.environ["OMP_NUM_THREADS"] = str(count)
        if (torch := sys.modules.get("torch")) is not None:
            torch.set_num_threads(count)


def load(data: Path | None, limit: int | None = None) -> dict[str, Pixels]:
    """Name and RGB pixels of the pictures of a folder, by name."""
    if data is None:
        return {"example": example.make()}
    found = sorted(p for p in data.iterdir() if p.suffix.lower() in KINDS)[:limit]
    if not found:
        raise SystemExit(f"no pictures in {data}")
    return {path.stem: np.asarray(Image.open(path).convert("RGB")) for path in found}


def crop(pictures: dict[str, Pixels]) -> Pixels:
    """A small piece of the first picture: what imports, compiles and loads is done on it, before the clock runs."""
    return np.ascontiguousarray(next(iter(pictures.values()))[:CROP, :CROP])


def timed(work: Callable[P, T], *words: P.args, **options: P.kwargs) -> tuple[T, float]:
    """The result of work(*words, **options), and the seconds it took."""
    start = time.perf_counter()
    result = work(*words, **options)
    return result, time.perf_counter() - start
