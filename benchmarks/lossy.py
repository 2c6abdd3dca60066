"""Lossy: every quality of vlaezip beside JPEG, WebP, AVIF and JPEG XL at the same number of bytes.

python -m benchmarks.lossy --data FOLDER
"""

import argparse
import math
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import vlaezip
from benchmarks import metrics, peers, pictures, report
from benchmarks.peers import LossyPeer
from benchmarks.report import Table
from vlaezip.errors import ImageError

Pixels = NDArray[np.uint8]
STEADY = 6.0  # a block whose mean colour moves by more levels has drifted


@dataclass(frozen=True, slots=True)
class Match:
    """A peer's picture of at most the bytes asked for; its smallest picture where none is so small.

    interpolated: PSNR at exactly those bytes, on a line in log(bytes) between the neighbouring qualities.
    """

    size: int
    psnr: float
    interpolated: float
    ms_ssim: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """One picture at one quality of vlaezip. drift: [blocks, 3] levels between preview and dream."""

    picture: str
    places: int
    size: int
    png_size: int
    preview_psnr: float
    preview_ms_ssim: float
    dream_psnr: float
    dream_ms_ssim: float
    drift: NDArray[np.float64]
    matches: dict[str, Match]


class Curve:
    """What a peer makes of one picture, each quality encoded once."""

    def __init__(self, peer: LossyPeer, x: Pixels) -> None:
        self.peer, self.x = peer, x
        self.files: dict[int, bytes] = {}

    def size(self, quality: int) -> int:
        if quality not in self.files:
            self.files[quality] = self.peer.encode(self.x, quality)
        return len(self.files[quality])

    def decode(self, quality: int) -> Pixels:
        self.size(quality)
        return self.peer.decode(self.files[quality])

    def match(self, budget: int) -> Match:
        """The best picture within a budget of bytes. Sizes are taken to rise with quality."""
        low, high = 0, self.peer.steps - 1
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.size(middle) <= budget else (low, middle - 1)
        y = self.decode(low)
        psnr = metrics.psnr(self.x, y)
        return Match(self.size(low), psnr, self.interpolate(low, psnr, budget), metrics.ms_ssim(self.x, y))

    def interpolate(self, quality: int, psnr: float, budget: int) -> float:
        """PSNR at exactly `budget` bytes; never less than that of the file within the budget."""
        above = quality + 1
        if self.size(quality) >= budget or above == self.peer.steps or self.size(above) <= self.size(quality):
            return psnr
        share = math.log(budget / self.size(quality)) / math.log(self.size(above) / self.size(quality))
        return psnr + share * max(metrics.psnr(self.x, self.decode(above)) - psnr, 0)


def levels(x: Pixels) -> list[int]:
    """The qualities that the model has: 1, 2, ... until one is refused."""
    found: list[int] = []
    while True:
        try:
            vlaezip.compress(Image.fromarray(x), quality=len(found) + 1)
        except ImageError:
            return found
        found.append(len(found) + 1)


def measure(name: str, x: Pixels, quality: int, png_size: int, curves: dict[str, Curve]) -> Outcome:
    """One picture at one quality, and its peers at the same bytes."""
    data = vlaezip.compress(Image.fromarray(x), quality=quality)
    preview, dream = (np.asarray(vlaezip.decompress(data, preview=p)) for p in (True, False))
    return Outcome(
        name,
        x.shape[0] * x.shape[1],
        len(data),
        png_size,
        metrics.psnr(x, preview),
        metrics.ms_ssim(x, preview),
        metrics.psnr(x, dream),
        metrics.ms_ssim(x, dream),
        metrics.drift(preview, dream),
        {peer: curve.match(len(data)) for peer, curve in curves.items()},
    )


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def rate_row(quality: int, outcomes: list[Outcome]) -> list[object]:
    """Rates and distances of one quality, means over the pictures."""
    return [
        quality,
        mean([8 * o.size / o.places for o in outcomes]),
        sum(o.png_size for o in outcomes) / sum(o.size for o in outcomes),
        min(o.png_size / o.size for o in outcomes),
        mean([o.preview_psnr for o in outcomes]),
        mean([o.preview_ms_ssim for o in outcomes]),
        mean([o.dream_psnr for o in outcomes]),
        mean([o.dream_ms_ssim for o in outcomes]),
    ]


def drift_row(quality: int, outcomes: list[Outcome]) -> list[object]:
    """How steady the dreams of one quality are, over the blocks of all pictures."""
    channels = np.concatenate([o.drift for o in outcomes])
    worst = channels.max(1)
    return [
        quality,
        len(worst),
        float(np.mean(worst)),
        *(float(np.percentile(worst, p)) for p in (95, 99)),
        100 * float(np.mean(worst <= STEADY)),
        100 * min(float(np.mean(o.drift.max(1) <= STEADY)) for o in outcomes),
        *(float(c) for c in channels.max(0)),
    ]


def peer_row(quality: int, peer: str, outcomes: list[Outcome]) -> list[object]:
    """vlaezip's preview against one peer at the same bytes."""
    matches = [o.matches[peer] for o in outcomes]
    return [
        f"{quality} {peer}",
        mean([8 * m.size / o.places for m, o in zip(matches, outcomes, strict=True)]),
        mean([m.psnr for m in matches]),
        mean([m.interpolated for m in matches]),
        mean([m.ms_ssim for m in matches]),
        mean([o.preview_psnr - m.interpolated for m, o in zip(matches, outcomes, strict=True)]),
        sum(o.preview_psnr > m.interpolated for m, o in zip(matches, outcomes, strict=True)),
        sum(m.size > o.size for m, o in zip(matches, outcomes, strict=True)),
    ]


def picture_row(quality: int, o: Outcome) -> list[object]:
    steady = 100 * float(np.mean(o.drift.max(1) <= STEADY))
    jpeg = o.matches["JPEG"].interpolated if "JPEG" in o.matches else None
    return [
        f"{o.picture} {quality}",
        o.size,
        8 * o.size / o.places,
        o.png_size / o.size,
        o.preview_psnr,
        jpeg,
        o.dream_psnr,
        steady,
    ]


def tables(outcomes: dict[int, list[Outcome]], names: list[str]) -> list[Table]:
    """All that is published."""
    rates = ["quality", "bpp", "PNG / size", "least", "preview dB", "MS-SSIM", "dream dB", "MS-SSIM"]
    drifts = ["quality", "blocks", "mean", "95 %", "99 %", "% within 6", "worst picture", "max R", "max G", "max B"]
    matched = ["quality, codec", "bpp", "dB", "dB, same bytes", "MS-SSIM", "preview's lead", "pictures led", "too big"]
    single = ["picture, quality", "bytes", "bpp", "PNG / size", "preview dB", "JPEG dB", "dream dB", "% within 6"]
    return [
        Table("Qualities", rates, [rate_row(q, o) for q, o in outcomes.items()]),
        Table(
            "Drift of dreams",
            drifts,
            [drift_row(q, o) for q, o in outcomes.items()],
            2,
            "Mean colour of each 64x64 block of the dream against the preview's: levels of 255, of the worst channel.",
        ),
        Table(
            "Peers at the same bytes",
            matched,
            [peer_row(q, peer, o) for q, o in outcomes.items() for peer in names],
            note="dB: the best file that is not bigger. Same bytes: interpolated between its qualities. "
            "Too big: pictures where the peer's smallest file is bigger.",
        ),
        Table("Pictures", single, [picture_row(q, o) for q, list_ in outcomes.items() for o in list_], 2),
    ]


def parser() -> argparse.ArgumentParser:
    result = pictures.arguments(__doc__)
    result.add_argument("--levels", type=int, nargs="+", help="qualities to measure; without it, all")
    result.add_argument(
        "--peers", nargs="*", choices=peers.LOSSY, default=list(peers.LOSSY), help="codecs to compare with"
    )
    return result


def main() -> None:
    options = parser().parse_args()
    pictures.use_threads(options.threads)
    found = pictures.load(options.data, options.limit)
    qualities = options.levels or levels(pictures.crop(found))
    outcomes: dict[int, list[Outcome]] = {q: [] for q in qualities}
    for name, x in found.items():
        png_size = len(peers.LOSSLESS["PNG"].encode(x))
        curves = {peer: Curve(peers.LOSSY[peer], x) for peer in options.peers}
        for q in qualities:
            outcomes[q].append(measure(name, x, q, png_size, curves))
            print(
                name,
                q,
                f"{outcomes[q][-1].size} bytes, {outcomes[q][-1].preview_psnr:.2f} dB",
                file=sys.stderr,
                flush=True,
            )
    report.publish("lossy", f"Lossy, {len(found)} pictures", tables(outcomes, options.peers))


if __name__ == "__main__":
    main()
