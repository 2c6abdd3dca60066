"""One original and how like it decoded pictures are; what another codec makes of it at the same number of bytes."""

import math
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.lib import metrics, texture
from benchmarks.lib.peers import LossyPeer

Pixels = NDArray[np.uint8]
TOOLS = {
    "SSIMULACRA 2": "ssimulacra2",
    "Butteraugli": "butteraugli_main",
}  # programs of libjxl (Debian: libjxl-devtools)


def tools() -> list[str]:
    """Names of the measures whose program is installed."""
    return [name for name, program in TOOLS.items() if shutil.which(program)]


@dataclass(frozen=True, slots=True)
class Score:
    """A decoded picture against its original. texture: distances by name, 0 for equal pictures."""

    size: int
    psnr: float
    ms_ssim: float
    texture: dict[str, float]

    @property
    def ms_ssim_db(self) -> float:
        return metrics.decibels(self.ms_ssim)


class Original:
    """A picture, its textures analysed once. programs: the names of further measures, by programs of their own."""

    def __init__(self, x: Pixels, programs: list[str]) -> None:
        self.x, self.programs = x, programs
        self.statistics = {name: measure(x) for name, measure in texture.MEASURES.items()}

    def score(self, y: Pixels, size: int) -> Score:
        """How like the original y is, a picture decoded from so many bytes."""
        found = {n: texture.distance(self.statistics[n], m(y)) for n, m in texture.MEASURES.items()}
        found |= {name: run(TOOLS[name], self.x, y) for name in self.programs}
        return Score(size, metrics.psnr(self.x, y), metrics.ms_ssim(self.x, y), found)


def run(program: str, x: Pixels, y: Pixels) -> float:
    """The first number that a program prints for two pictures."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("x.png", "y.png")]
        for path, pixels in zip(paths, (x, y), strict=True):
            Image.fromarray(pixels).save(path, compress_level=1)
        done = subprocess.run([program, *paths], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[0])


@dataclass(frozen=True, slots=True)
class Match:
    """A peer's best file within some bytes (its smallest where none is so small), and its dB at exactly those bytes."""

    best: Score
    psnr: float
    ms_ssim_db: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """One picture at one quality of vlaezip. drift: [blocks, 3] levels between preview and dream."""

    picture: str
    places: int
    png_size: int
    size: int
    preview: Score
    dream: Score
    drift: NDArray[np.float64]
    matches: dict[str, Match]

    @property
    def rate_bits(self) -> float:
        """Bits a pixel."""
        return 8 * self.size / self.places


class Curve:
    """What a peer makes of one picture, each quality encoded and scored once."""

    def __init__(self, peer: LossyPeer, original: Original) -> None:
        self.peer, self.original = peer, original
        self.files: dict[int, bytes] = {}
        self.scores: dict[int, Score] = {}

    def size(self, quality: int) -> int:
        if quality not in self.files:
            self.files[quality] = self.peer.encode(self.original.x, quality)
        return len(self.files[quality])

    def decode(self, quality: int) -> Pixels:
        self.size(quality)
        return self.peer.decode(self.files[quality])

    def score(self, quality: int) -> Score:
        if quality not in self.scores:
            self.scores[quality] = self.original.score(self.decode(quality), self.size(quality))
        return self.scores[quality]

    def match(self, budget: int) -> Match:
        """The best picture within a budget of bytes; dB on a line in log(bytes) from there to the next quality."""
        quality = self.within(budget)
        best = self.score(quality)
        above = quality + 1
        if best.size >= budget or above == self.peer.steps or self.size(above) <= best.size:
            return Match(best, best.psnr, best.ms_ssim_db)
        share = math.log(budget / best.size) / math.log(self.size(above) / best.size)
        more = self.score(above)
        psnr = best.psnr + share * max(more.psnr - best.psnr, 0)
        return Match(best, psnr, best.ms_ssim_db + share * max(more.ms_ssim_db - best.ms_ssim_db, 0))

    def within(self, budget: int) -> int:
        """The highest quality of at most `budget` bytes, or 0. Sizes are taken to rise with quality."""
        low = max((q for q in self.files if self.size(q) <= budget), default=0)
        high = min((q for q in self.files if self.size(q) > budget), default=self.peer.steps)
        while high - low > 1:
            middle = self.guess(low, high, budget)
            low, high = (middle, high) if self.size(middle) <= budget else (low, middle)
        return low

    def guess(self, low: int, high: int, budget: int) -> int:
        """A quality between two: on a line in log(bytes) if both were encoded, so that few encodings are needed."""
        if low not in self.files or high not in self.files:
            return (low + high) // 2
        share = math.log(budget / self.size(low)) / math.log(self.size(high) / self.size(low))
        return min(max(round(low + share * (high - low)), low + 1), high - 1)
