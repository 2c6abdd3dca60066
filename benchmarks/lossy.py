"""Lossy: every quality of vlaezip beside JPEG, WebP, AVIF and JPEG XL at the same number of bytes.

python -m benchmarks.lossy --data FOLDER

Writes results/lossy.md, and the curves of it as results/lossy.json, of which benchmarks.curves draws a picture.
"""

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import vlaezip
from benchmarks.lib import metrics, peers, pictures, report, scores
from benchmarks.lib.lossy_tables import curves, tables
from benchmarks.lib.scores import Curve, Original, Outcome
from vlaezip.errors import ImageError

Pixels = NDArray[np.uint8]


def levels(x: Pixels) -> list[int]:
    """The qualities that the model has: 1, 2, ... until one is refused."""
    found: list[int] = []
    while True:
        try:
            vlaezip.compress(Image.fromarray(x), quality=len(found) + 1)
        except ImageError:
            return found
        found.append(len(found) + 1)


def measure(name: str, x: Pixels, *, qualities: list[int], against: list[str], programs: list[str]) -> list[Outcome]:
    """One picture at each quality, and its peers at the same bytes."""
    png_size = len(peers.LOSSLESS["PNG"].encode(x))
    original = Original(x, programs)
    rivals = {peer: Curve(peers.LOSSY[peer], original) for peer in against}
    return [compare(name, original, png_size, quality, rivals) for quality in qualities]


def compare(name: str, original: Original, png_size: int, quality: int, rivals: dict[str, Curve]) -> Outcome:
    """One picture at one quality."""
    data = vlaezip.compress(Image.fromarray(original.x), quality=quality)
    preview, dream = (np.asarray(vlaezip.decompress(data, preview=p)) for p in (True, False))
    size = len(data)
    outcome = Outcome(
        name,
        original.x.shape[0] * original.x.shape[1],
        png_size,
        size,
        original.score(preview, size),
        original.score(dream, size),
        metrics.drift(preview, dream),
        {peer: curve.match(size) for peer, curve in rivals.items()},
    )
    print(name, quality, f"{size} bytes, {outcome.preview.psnr:.2f} dB", file=sys.stderr, flush=True)
    return outcome


def parser() -> argparse.ArgumentParser:
    result = pictures.arguments(__doc__)
    result.add_argument("--levels", type=int, nargs="+", help="qualities to measure; without it, all")
    result.add_argument(
        "--peers", nargs="*", choices=peers.LOSSY, default=list(peers.LOSSY), help="codecs to compare with"
    )
    result.add_argument("--tools", action="store_true", help="also ask the programs of libjxl that are installed")
    result.add_argument("--jobs", type=int, default=1, help="processes, a picture each at a time (default: 1)")
    return result


def main() -> None:
    options = parser().parse_args()
    pictures.use_threads(options.threads)
    found = pictures.load(options.data, options.limit)
    qualities = options.levels or levels(pictures.crop(found))
    programs = scores.tools() if options.tools else []
    work = partial(measure, qualities=qualities, against=options.peers, programs=programs)
    with ProcessPoolExecutor(options.jobs, initializer=pictures.use_threads, initargs=(options.threads,)) as pool:
        outcomes = list(pool.map(work, found, found.values()))
    by_quality = dict(zip(qualities, zip(*outcomes, strict=True), strict=True))
    drawn = curves(by_quality)
    path = report.publish("lossy", f"Lossy, {len(found)} pictures", tables(by_quality, drawn))
    path.with_suffix(".json").write_text(json.dumps({"pictures": len(found), "curves": drawn}, indent=1) + "\n")


if __name__ == "__main__":
    main()
