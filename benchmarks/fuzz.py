"""Fuzz: a spoilt file ends in a picture or in a VlaezipError, within two seconds and 200 MB.

python -m benchmarks.fuzz [--count N] [--seed S] [--only I]

Every file is made from its own number, so that `--only` makes one again.
"""

import argparse
import faulthandler
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

import vlaezip
from benchmarks import example
from benchmarks.lib import report
from benchmarks.lib.mutations import BLIND, RARE, SEALED, Mutation
from benchmarks.lib.report import Table
from vlaezip.errors import VlaezipError
from vlaezip.format.container import Kind

TUNED = Path(__file__).parents[1] / "tests" / "golden" / "0.4.0-lossless-tuned.vlz"
MAX_SECONDS = 2.0
MAX_BYTES = 200 * 10**6
STOP_SECONDS = 10.0  # of CPU: then a case is stopped
HANG_SECONDS = 600  # of the clock: then all is stopped, for what does not even listen
RARE_SHARE = 0.002
KNOWN = ("decoded", "CorruptFile", "UnsupportedVersion", "UnknownModel", "other")


class Stopped(BaseException):
    """A case took too long. No Exception, lest what is tested should swallow it."""


class Case(NamedTuple):
    """A spoilt file: its number, how it was made, its bytes, and whether only its preview is asked for."""

    number: int
    mutation: str
    data: bytes
    preview: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a case. error: "decoded" or the name of a class; ours: whether it was a VlaezipError."""

    number: int
    mutation: str
    size: int
    error: str
    ours: bool
    message: str
    seconds: float
    rise_bytes: int

    @property
    def bad(self) -> bool:
        return not self.ours or self.seconds >= MAX_SECONDS or self.rise_bytes >= MAX_BYTES

    def __str__(self) -> str:
        spent = f"{self.seconds:.2f} s, {self.rise_bytes / 1e6:.0f} MB above rest"
        return f"case {self.number}, {self.mutation}, {self.size} bytes: {self.error} {self.message} ({spent})"


def files() -> list[bytes]:
    """Small valid files of every kind."""
    x = example.make(64, 96)
    photo = Image.fromarray(x)
    alpha = Image.fromarray(np.tile(np.arange(96, dtype=np.uint8) * 2, (64, 1)))
    see_through = photo.copy()
    see_through.putalpha(alpha)
    marked = photo.crop((0, 0, 40, 24))
    exif = marked.getexif()
    exif[0x010E] = "a lake"
    marked.info |= {"icc_profile": bytes(range(200)), "xmp": b"<x/>" * 20, "exif": exif.tobytes()}
    marked.info |= {"Title": "a lake", "comment": b"cold", "gamma": 0.45455}
    flat = Image.new("RGB", (48, 48), (9, 8, 7))
    return [
        vlaezip.compress(photo.crop((0, 20, 33, 41)), lossless=True),
        vlaezip.compress(photo.crop((0, 0, 1, 1)), lossless=True),
        vlaezip.compress(photo.convert("L").crop((8, 8, 32, 32)), lossless=True),
        vlaezip.compress(see_through.crop((20, 20, 44, 40)), lossless=True),
        vlaezip.compress(marked, lossless=True),
        vlaezip.compress(photo.resize((1100, 5)), lossless=True),
        TUNED.read_bytes(),
        vlaezip.compress(photo),
        vlaezip.compress(marked, quality=1, seed=77),
        vlaezip.compress(see_through.convert("LA")),
        vlaezip.compress(photo.quantize(16)),
        vlaezip.compress(photo.convert("1")),
        vlaezip.compress(flat, lossless=True),
        vlaezip.compress_archive((str(n), photo.crop((n, 30, n + 9, 37))) for n in range(19)),
        vlaezip.compress_archive((f"grey {n}", photo.convert("L").crop((30, n, 40, n + 6))) for n in range(3)),
    ]


def decode(data: bytes, preview: bool = False) -> None:
    """Through the door for what the header says."""
    if vlaezip.info(data).header.kind is Kind.ARCHIVE:
        vlaezip.decompress_archive(data)
    else:
        vlaezip.decompress(data, preview=preview)


def case(valid: list[bytes], seed: int, number: int) -> Case:
    """The case of that number: always the same."""
    random = np.random.default_rng([seed, number])
    mutation = choose(random)
    data, other = (valid[i] for i in random.integers(len(valid), size=2))
    return Case(number, mutation.__name__, mutation(random, data, other), bool(random.random() < 0.2))


def choose(random: np.random.Generator) -> Mutation:
    """A blind mutation in a third of the cases, else a sealed one."""
    draw = random.random()
    kind = RARE if draw < RARE_SHARE else BLIND if draw < 1 / 3 else SEALED
    return kind[random.integers(len(kind))]


def stop(*_: object) -> None:
    raise Stopped


def judge(spoilt: Case) -> Verdict:
    """Decode a case, with an eye on the clock and on memory."""
    rest = reset_peak()
    signal.signal(signal.SIGPROF, stop)
    faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
    clocks = (time.perf_counter, time.process_time)  # the lesser counts, so that other work on the machine does not
    starts = [clock() for clock in clocks]
    signal.setitimer(signal.ITIMER_PROF, STOP_SECONDS)
    error, ours, message = attempt(spoilt)
    signal.setitimer(signal.ITIMER_PROF, 0)
    seconds = min(clock() - start for clock, start in zip(clocks, starts, strict=True))
    faulthandler.cancel_dump_traceback_later()
    rise = max(peak() - rest, 0)
    return Verdict(spoilt.number, spoilt.mutation, len(spoilt.data), error, ours, message, seconds, rise)


def attempt(spoilt: Case) -> tuple[str, bool, str]:
    """Name of what came out, whether it may, and its message."""
    try:
        decode(spoilt.data, spoilt.preview)
    except VlaezipError as error:
        return type(error).__name__, True, str(error)
    except (Exception, Stopped) as error:  # the very thing that is looked for
        return type(error).__name__, False, str(error)
    return "decoded", True, ""


def reset_peak() -> int:
    """Forget the peak of resident memory; the bytes that are resident now. Linux only, elsewhere 0."""
    clear = Path("/proc/self/clear_refs")
    if not os.access(clear, os.W_OK):
        return 0
    clear.write_text("5")
    return peak()


def peak() -> int:
    """The peak of resident memory in bytes. Linux only, elsewhere 0."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def run(cases: Iterable[Case]) -> Iterable[Verdict]:
    """Judge cases; the bad ones are told at once."""
    for spoilt in cases:
        verdict = judge(spoilt)
        if verdict.bad:
            print("BAD:", verdict, file=sys.stderr, flush=True)
        yield verdict


def table(verdicts: list[Verdict]) -> Table:
    """A row for each mutation, and one for all."""
    names = sorted({v.mutation for v in verdicts})
    rows = [row(name, [v for v in verdicts if v.mutation == name]) for name in names]
    columns = ["mutation", "files", *KNOWN, "not ours", "slowest s", "MB above rest"]
    return Table("", columns, [*rows, row("all", verdicts)], 2)


def row(name: str, verdicts: list[Verdict]) -> list[object]:
    """Counts of outcomes, and the worst of clock and memory."""
    counts = Counter(v.error if v.error in KNOWN else "other" for v in verdicts if v.ours)
    return [
        name,
        len(verdicts),
        *(counts[known] for known in KNOWN),
        sum(not v.ours for v in verdicts),
        max(v.seconds for v in verdicts),
        max(v.rise_bytes for v in verdicts) / 1e6,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=24_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="the number of one case, to look at it")
    options = parser.parse_args()
    valid = files()
    for data in valid:
        decode(data)
    if options.only is not None:
        spoilt = case(valid, options.seed, options.only)
        print(spoilt.data[:64].hex(), judge(spoilt), sep="\n")
        return
    verdicts = list(run(case(valid, options.seed, i) for i in range(options.count)))
    report.publish("fuzz", f"Fuzz, {len(verdicts)} spoilt files", [table(verdicts)])
    if bad := [v for v in verdicts if v.bad]:
        raise SystemExit(f"{len(bad)} cases went wrong")


if __name__ == "__main__":
    main()
