"""Seconds: coding and decoding by number of threads, and how long the command takes to start.

python -m benchmarks.speed --data FOLDER

Each number of threads is measured in a process of its own, which is bound to as many cores.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median
from typing import Any

from PIL import Image

from benchmarks import example
from benchmarks.lib import report
from benchmarks.lib.report import Table

THREADS = (1, 2)
STARTS = 7
ENVIRONMENT = os.environ | {"PYTHONPATH": str(report.ROOT)}
JOBS = (
    "lossless encode", "lossless decode", "lossless preview", "photo-fast encode", "photo-fast decode",
    "learning encode", "learning decode", "lossy encode", "lossy dream", "lossy preview",
)  # fmt: skip

COMMANDS = (
    ["--help"], ["compress", "-f", "--lossless", "--effort", "0", "f.png"],
    ["compress", "-f", "--lossless", "f.png"], ["decompress", "-f", "f.vlz"], ["compress", "-f", "f.png"],
    ["info", "f.vlz"],
)  # fmt: skip

Seconds = dict[str, dict[str, float]]  # of each picture and job


def jobs(options: argparse.Namespace) -> Seconds:
    """Measure all jobs in this process: the best of `--repeats`."""
    import numpy as np

    import vlaezip
    from benchmarks.lib import pictures

    def both_ways(x: pictures.Pixels, **given: Any) -> tuple[bytes, float, float]:
        data, encode = pictures.timed(vlaezip.compress, Image.fromarray(x), lossless=True, **given)
        back, decode = pictures.timed(vlaezip.decompress, data)
        if not np.array_equal(np.asarray(back), x):
            raise SystemExit("a picture did not come back bit for bit")
        return data, encode, decode

    def run(x: pictures.Pixels) -> dict[str, float]:
        static, first, second = both_ways(x, effort=0)
        preview = pictures.timed(vlaezip.decompress, static, preview=True)[1]
        fast, learning = both_ways(x, effort=0, model="photo-fast")[1:], both_ways(x)[1:]
        lossy, encode = pictures.timed(vlaezip.compress, Image.fromarray(x))
        dreams = [pictures.timed(vlaezip.decompress, lossy, preview=preview)[1] for preview in (False, True)]
        return dict(zip(JOBS, (first, second, preview, *fast, *learning, encode, *dreams), strict=True))

    pictures.use_threads(options.child)
    found = pictures.load(options.data, options.limit)
    run(pictures.crop(found))
    seconds: Seconds = {}
    for name, x in found.items():
        rounds = [run(x) for _ in range(options.repeats)]
        seconds[name] = {job: min(r[job] for r in rounds) for job in JOBS}
        print(options.child, name, *(f"{s:.2f}" for s in seconds[name].values()), file=sys.stderr, flush=True)
    return seconds


def measure(threads: int) -> Seconds:
    """jobs in a process with so many threads, on so many cores."""
    words = [sys.executable, "-m", "benchmarks.speed", *sys.argv[1:], "--child", str(threads)]
    counts = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < threads:
        raise SystemExit(f"{threads} threads need as many cores, this machine lends {len(cores)}")
    done = subprocess.run(
        words,
        env=ENVIRONMENT | counts,
        stdout=subprocess.PIPE,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores[:threads]),
    )
    return json.loads(done.stdout)


def vlaezip(words: list[str], folder: str) -> float:
    """Seconds that a command takes, all of its process included."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "vlaezip", *words]
    subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def starts() -> Table:
    """How long whole commands take, on a picture of 64 x 64: nearly all of it is starting."""
    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(example.make()).crop((0, 0, 64, 64)).save(f"{folder}/f.png")
        rows: list[list[object]] = []
        for words in COMMANDS:
            vlaezip(words, folder)
            seconds = [vlaezip(words, folder) for _ in range(STARTS)]
            rows.append([f"vlaezip {' '.join(words)}", min(seconds), median(seconds), max(seconds)])
    note = f"Whole processes, {STARTS} each, on a picture of 64 x 64."
    return Table("Starting", ["command", "best s", "median s", "worst s"], rows, note=note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of pictures; without it, the example picture")
    parser.add_argument("--limit", type=int, help="take only so many pictures")
    parser.add_argument("--repeats", type=int, default=1, help="the best of so many rounds counts")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(jobs(options)))
        return
    measured = {threads: measure(threads) for threads in THREADS}
    rows = [
        [f"{job}, {threads} threads", mean(all_ := [s[job] for s in seconds.values()]), median(all_), max(all_)]
        for job in JOBS
        for threads, seconds in measured.items()
    ]
    each = [[f"{name}, {threads}", *s.values()] for threads, seconds in measured.items() for name, s in seconds.items()]
    note = (
        "Imports, compilation and the loading of the model apart. lossless and photo-fast are at effort 0, learning at "
        "the default one. A preview of a lossless file decodes z alone."
    )
    report.publish(
        "speed",
        f"Speed, {len(measured[1])} pictures",
        [
            Table("Seconds a picture", ["job", "mean", "median", "worst"], rows, note=note),
            starts(),
            Table("Pictures", ["picture, threads", *JOBS], each, 2),
        ],
    )


if __name__ == "__main__":
    main()
