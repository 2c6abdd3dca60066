"""Drawn: plots, screens, scans and sheets as real lossless files, each decoded and compared bit for bit.

python -m benchmarks.drawn [--out FOLDER]
"""

import argparse
from pathlib import Path
from statistics import mean

import numpy as np
from PIL import Image

import vlaezip
from benchmarks import lossless
from benchmarks.lib import drawn, peers, pictures, report
from benchmarks.lib.peers import Peer
from benchmarks.lib.report import Table
from benchmarks.lossless import Outcome, Pixels
from vlaezip import api
from vlaezip.format import pixels
from vlaezip.format.stored import store
from vlaezip.search.effort import DEFAULT_EFFORT

RIVALS = ("WebP", "JPEG XL 9")


def stored(x: Pixels) -> bytes:
    """The file of a picture that no model takes."""
    picture = pixels.split(Image.fromarray(x), strip=True)
    return api.stored(picture, store(picture))


CODECS = {name: peers.LOSSLESS[name] for name in ("PNG", *RIVALS)} | {
    "stored": Peer(stored, lambda data: np.asarray(vlaezip.decompress(data))),
    **{f"effort {effort}": peers.lossless("photo", effort) for effort in (0, DEFAULT_EFFORT, 9)},
}


def better(outcomes: dict[str, list[Outcome]]) -> list[Outcome]:
    """The smaller file of the rivals, picture by picture."""
    return [min(pair, key=lambda o: o.size) for pair in zip(*(outcomes[name] for name in RIVALS), strict=True)]


def summary(name: str, outcomes: list[Outcome], best: list[Outcome]) -> list[object]:
    """A row of the table of codecs."""
    pairs = list(zip(outcomes, best, strict=True))
    rate = mean(o.rate_bits for o in outcomes)
    return [
        name,
        rate,
        100 * (rate / mean(b.rate_bits for b in best) - 1),
        100 * (mean(o.size / b.size for o, b in pairs) - 1),
        f"{sum(o.size < b.size for o, b in pairs)} of {len(pairs)}",
        mean(o.encode_seconds for o in outcomes),
        mean(o.decode_seconds for o in outcomes),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder to write the pictures to, as PNG")
    parser.add_argument("--threads", type=int, help="threads; without it, as vlaezip chooses")
    options = parser.parse_args()
    pictures.use_threads(options.threads)
    found = drawn.make()
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        for name, x in found.items():
            Image.fromarray(x).save(options.out / f"{name}.png")
    outcomes = lossless.race(CODECS, found)
    best = better(outcomes)
    columns = ["codec", "mean bpd", "against the better, %", "picture by picture, %", "smaller", "encode s", "decode s"]
    note = (
        f"effort {DEFAULT_EFFORT} is the default, stored what every effort keeps where a model's file is larger. "
        "The better is the smaller file of WebP and JPEG XL, chosen for every picture: the mean against its mean, "
        "the mean of the differences, and how many files are smaller. " + lossless.NOTE
    )
    codecs = Table("Codecs", columns, [summary(name, list_, best) for name, list_ in outcomes.items()], note=note)
    report.publish("drawn", f"Lossless, {len(found)} drawn pictures", [codecs, lossless.each(found, outcomes)])
    lossless.check(outcomes)


if __name__ == "__main__":
    main()
