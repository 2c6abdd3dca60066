"""Dreams: do they hold their colour, and how warm should they be?

python -m benchmarks.dream --data FOLDER [--levels Q ...] [--seeds S ...] [--temperatures T ...]

The first table is over all seeds, at each temperature; choose the temperature on pictures that no benchmark is made of.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import vlaezip
from benchmarks import lossy
from benchmarks.lib import metrics, pictures, report, texture
from benchmarks.lib.report import Table
from vlaezip.format import container
from vlaezip.format.container import Kind
from vlaezip.options import DEFAULT_TEMPERATURE, Options

Pixels = NDArray[np.uint8]
BOUND = 12.0  # levels that the mean colour of no 64x64 block may stray


@dataclass(frozen=True, slots=True)
class Dream:
    """One dream of one picture. stray: levels, of the worst block; temperature None: the preview itself."""

    picture: str
    quality: int
    temperature: float | None
    seed: int
    stray: float
    psnr: float
    ms_ssim_db: float
    texture: dict[str, float]


def dreams(name: str, x: Pixels, quality: int, temperatures: list[float], seeds: list[int]) -> Iterator[Dream]:
    """The preview, and then a dream for each temperature and seed, all of one z."""
    data = vlaezip.compress(Image.fromarray(x), quality=quality)
    preview = np.asarray(vlaezip.decompress(data, preview=True))
    statistics = {n: measure(x) for n, measure in texture.MEASURES.items()}

    def judged(y: Pixels, temperature: float | None, seed: int) -> Dream:
        distances = {n: texture.distance(statistics[n], m(y)) for n, m in texture.MEASURES.items()}
        stray = float(metrics.drift(preview, y).max())
        ms_ssim_db = metrics.decibels(metrics.ms_ssim(x, y))
        return Dream(name, quality, temperature, seed, stray, metrics.psnr(x, y), ms_ssim_db, distances)

    yield judged(preview, None, 0)
    for temperature in temperatures:
        for seed in seeds:
            y = np.asarray(vlaezip.decompress(warmed(data, temperature, seed)))
            yield judged(y, temperature, seed)


def warmed(data: bytes, temperature: float, seed: int) -> bytes:
    """The same lossy file with another temperature and seed in its header; what is stored has neither."""
    file = container.read(data)
    if file.header.kind is not Kind.LOSSY:
        return data
    header = replace(file.header, temperature=Options(temperature=temperature).warmth, seed=seed)
    return container.write(replace(file, header=header))


def row(label: object, found: list[Dream]) -> list[object]:
    """Means, and the worst stray, of some dreams."""
    worst = max(found, key=lambda d: d.stray)
    return [
        label,
        *(float(np.mean([d.texture[n] for d in found])) for n in texture.MEASURES),
        float(np.mean([d.psnr for d in found])),
        float(np.mean([d.ms_ssim_db for d in found])),
        worst.stray,
        f"{worst.picture} {worst.quality}, seed {worst.seed}",
    ]


def tables(found: list[Dream]) -> list[Table]:
    """By temperature, and by temperature and quality."""
    columns = [*texture.MEASURES, "PSNR", "MS-SSIM dB", "worst stray", "where"]
    warmths = list(dict.fromkeys(d.temperature for d in found))
    qualities = list(dict.fromkeys(d.quality for d in found))
    label = {t: "preview" if t is None else f"{t:.2f}" for t in warmths}
    groups = {(q, t): [d for d in found if (d.quality, d.temperature) == (q, t)] for q in qualities for t in warmths}
    note = (
        "Texture distances (texture.py), means. Worst stray: of the mean colour of any 64x64 block of any dream from "
        f"the preview's, levels of 255, the worst channel. The default temperature is {DEFAULT_TEMPERATURE}."
    )
    return [
        Table(
            "By temperature",
            ["temperature", *columns],
            [row(label[t], [d for d in found if d.temperature == t]) for t in warmths],
            note=note,
        ),
        Table(
            "By quality and temperature",
            ["quality, temperature", *columns],
            [row(f"{q}, {label[t]}", group) for (q, t), group in groups.items()],
        ),
    ]


def parser() -> argparse.ArgumentParser:
    result = pictures.arguments(__doc__)
    result.add_argument("--levels", type=int, nargs="+", help="qualities; without it, all")
    result.add_argument("--seeds", type=int, nargs="+", default=list(range(5)), help="default: 0 to 4")
    result.add_argument(
        "--temperatures", type=float, nargs="+", default=[DEFAULT_TEMPERATURE, 1.0], help="default: %(default)s"
    )
    result.add_argument("--name", default="dream", help="of the file in results/ (default: %(default)s)")
    return result


def main() -> None:
    options = parser().parse_args()
    pictures.use_threads(options.threads)
    loaded = pictures.load(options.data, options.limit)
    qualities = options.levels or lossy.levels(pictures.crop(loaded))
    found: list[Dream] = []
    for name, x in loaded.items():
        for quality in qualities:
            new = list(dreams(name, x, quality, options.temperatures, options.seeds))
            stray = max(d.stray for d in new)
            print(name, quality, f"worst stray {stray:.2f} levels", file=sys.stderr, flush=True)
            found += new
    report.publish(options.name, f"Dreams, {len(loaded)} pictures", tables(found))
    if any(d.stray > BOUND for d in found):
        raise SystemExit(f"a block strays by more than {BOUND:.0f} levels")


if __name__ == "__main__":
    main()
