"""Seconds and memory against pixels: lossless squares from 32 to 8192 pixels a side, at effort 0, beside other codecs.

python -m benchmarks.scaling --data FOLDER [--sizes 32,64,..] [--threads 1,2]

A square is a piece of a mosaic of the folder's pictures. Each size and codec has a process of its own, whose peak of
resident memory counts, on as many cores as it has threads. This process stays small, as in benchmarks.memory. Writes
scale.md and scale.png.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.lib import report
from benchmarks.lib.report import Table
from benchmarks.memory import run

SIZES = "32,64,128,256,512,1024,2048,4096,8192"
OURS = ("photo", "photo-fast")
PEERS = ("PNG", "WebP", "JPEG XL 7")
LARGEST = {"WebP": 2048}  # side: beyond, method 6 takes minutes
BUDGET = 2.0  # seconds of rounds for one picture: small ones are coded more than once
ROUNDS = 9
ENVIRONMENT = os.environ | {"PYTHONPATH": str(report.ROOT)}


def child(options: argparse.Namespace) -> dict[str, float]:
    """Bytes, seconds of coding and decoding, and peak memory in MiB, of one codec on one picture."""
    import numpy as np
    from PIL import Image

    from benchmarks.lib import peers, pictures

    Image.MAX_IMAGE_PIXELS = None
    pictures.use_threads(options.child_threads)
    codec = peers.lossless(options.child, 0) if options.child in OURS else peers.LOSSLESS[options.child]
    x = np.asarray(Image.open(options.picture))
    codec.decode(codec.encode(np.ascontiguousarray(x[: pictures.CROP, : pictures.CROP])))
    encode = decode = spent = 0.0
    for number in range(ROUNDS):
        data, first = pictures.timed(codec.encode, x)
        back, second = pictures.timed(codec.decode, data)
        if not number and not np.array_equal(back, x):
            raise SystemExit(f"{options.child} did not give the picture back")
        encode, decode = (min(encode, first), min(decode, second)) if number else (first, second)
        spent += first + second
        if spent > BUDGET:
            break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {"bytes": len(data), "encode": encode, "decode": decode, "peak": peak}


def measure(codec: str, threads: int, picture: Path) -> dict[str, float]:
    """child, in a process with so many threads, on so many cores."""
    words = [sys.executable, "-m", "benchmarks.scaling", "--child", codec, "--child-threads", str(threads)]
    counts = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < threads:
        raise SystemExit(f"{threads} threads need as many cores, this machine lends {len(cores)}")
    done = subprocess.run(
        [*words, "--picture", str(picture)],
        env=ENVIRONMENT | counts,
        stdout=subprocess.PIPE,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores[:threads]),
    )
    return json.loads(done.stdout)


def plot(rows: list[list[Any]], out: Path) -> None:
    """Seconds and memory against pixels, both logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4.5))
    for axis, column, label in zip(axes, (4, 5, 8), ("encode, s", "decode, s", "peak memory, MiB"), strict=True):
        for name in dict.fromkeys((row[0], row[1]) for row in rows):
            mine = [row for row in rows if (row[0], row[1]) == name]
            style = "o-" if name[0] in OURS else "x--"
            axis.loglog([r[2] ** 2 for r in mine], [r[column] for r in mine], style, label=f"{name[0]}, {name[1]}")
        axis.set(xlabel="pixels", ylabel=label)
        axis.grid(alpha=0.3, which="both")
    axes[0].legend(title="codec, threads", fontsize=8)
    figure.tight_layout()
    figure.savefig(out, dpi=110)


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of pictures; without it, example pictures")
    parser.add_argument("--sizes", type=numbers, default=SIZES, help=f"sides of the squares; {SIZES}")
    parser.add_argument("--threads", type=numbers, default="1,2", help="of our own codec; others have one")
    for hidden in ("child", "picture"):
        parser.add_argument(f"--{hidden}", help=argparse.SUPPRESS)
    parser.add_argument("--child-threads", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(options)))
        return
    contestants = [(codec, t) for codec in OURS for t in options.threads] + [(codec, 1) for codec in PEERS]
    rows: list[list[Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for side in options.sizes:
            picture = Path(folder) / f"{side}.png"
            data = ["--data", str(options.data)] if options.data else []
            run(["-m", "benchmarks.memory", *data, "--size", str(side), str(side), "--mosaic", str(picture)])
            for codec, threads in contestants:
                if side > LARGEST.get(codec, side):
                    continue
                m = measure(codec, threads, picture)
                speeds = [side**2 / 1e6 / m[job] for job in ("encode", "decode")]
                rate = 8 * m["bytes"] / side**2
                rows.append([codec, threads, side, rate, m["encode"], m["decode"], *speeds, m["peak"]])
                print(*rows[-1][:3], *(f"{v:.4g}" for v in rows[-1][3:]), file=sys.stderr, flush=True)
    rows.sort(key=lambda row: contestants.index((row[0], row[1])))
    columns = ["codec", "threads", "side", "bpp", "encode s", "decode s", "encode MP/s", "decode MP/s", "peak MiB"]
    note = "![seconds and memory against pixels](scale.png)\n\nImports and the loading of the model are in no seconds."
    report.publish("scale", "Lossless coding by size", [Table("", columns, rows, 4, note)])
    plot(rows, report.RESULTS / "scale.png")


if __name__ == "__main__":
    main()
