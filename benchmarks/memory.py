"""Memory: the peak of each command on a picture of 24 megapixels, each in a process of its own.

python -m benchmarks.memory --data FOLDER [--megapixels 100]

With --megapixels, only a lossless round trip of as many; its table is memory-N.md.

The picture is a mosaic of the pictures of the folder. This process stays small, for what a child is started with
counts as its own: it imports neither numpy nor torch.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.lib import report
from benchmarks.lib.report import Table

WIDTH, HEIGHT = 6000, 4000
SMALL = 256, 256
IDLE = "import vlaezip.api"
SAME = """
import sys, numpy as np
from PIL import Image
Image.MAX_IMAGE_PIXELS = None
a, b = (np.asarray(Image.open(name)) for name in sys.argv[1:])
sys.exit(not np.array_equal(a, b))
"""


LOSSLESS = {
    "compress --lossless": ["compress", "picture.png", "--lossless", "-o", "lossless.vlz"],
    "decompress": ["decompress", "lossless.vlz", "-o", "back.png"],
}
LOSSY = {
    "compress": ["compress", "picture.png", "-o", "lossy.vlz"],
    "decompress, dream": ["decompress", "lossy.vlz", "-o", "dream.png"],
    "decompress --preview": ["decompress", "lossy.vlz", "-o", "preview.png", "--preview"],
}


def mosaic(out: Path, data: Path | None, width: int, height: int) -> None:
    """Tile a picture of width x height with squares of the pictures of a folder, mirrored every other time round."""
    import numpy as np
    from PIL import Image

    from benchmarks import example
    from benchmarks.lib import pictures

    found = list(pictures.load(data).values()) if data else [example.make(seed=s) for s in range(4)]
    side = min(min(x.shape[:2]) for x in found)
    canvas = np.empty((height, width, 3), np.uint8)
    places = ((top, left) for top in range(0, height, side) for left in range(0, width, side))
    for number, (top, left) in enumerate(places):
        square = found[number % len(found)][:side, :side]
        room = canvas[top : top + side, left : left + side]
        room[:] = square[:, :: -1 if number // len(found) % 2 else 1][: room.shape[0], : room.shape[1]]
    Image.fromarray(canvas).save(out, compress_level=1)


def run(words: list[str], folder: str | None = None) -> tuple[int, float, float]:
    """Run Python with these words: its peak resident memory in bytes, its seconds, those of CPU. It must succeed."""
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, *words], cwd=folder, env=os.environ | {"PYTHONPATH": str(report.ROOT)})
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"python {' '.join(words)} ended with {child.returncode}")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return peak, time.perf_counter() - start, usage.ru_utime + usage.ru_stime


def measure(folder: str, commands: dict[str, list[str]]) -> list[list[object]]:
    """A row for each command."""
    rows: list[list[object]] = [["import alone", run(["-c", IDLE])[0] / 2**20, None, None, None]]
    for name, words in commands.items():
        peak, seconds, busy = run(["-m", "vlaezip", *words], folder)
        made = (Path(folder) / words[words.index("-o") + 1]).stat().st_size
        rows.append([name, peak / 2**20, seconds, busy, made])
        print(name, f"{peak / 2**20:.0f} MiB, {seconds:.0f} s", file=sys.stderr, flush=True)
    run(["-c", SAME, "picture.png", "back.png"], folder)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of pictures; without it, example pictures")
    parser.add_argument("--size", type=int, nargs=2, default=(WIDTH, HEIGHT), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--megapixels", type=int, help="a picture of 3:2 with so many, and lossless only")
    parser.add_argument("--mosaic", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    width, height = options.size
    if options.megapixels:
        height = round((options.megapixels * 1e6 / 1.5) ** 0.5)
        width = round(options.megapixels * 1e6 / height)
    if options.mosaic:
        mosaic(options.mosaic, options.data, width, height)
        return
    data = ["--data", str(options.data)] if options.data else []
    for size in (SMALL, (width, height)):  # a small picture first: what has to be compiled would count
        with tempfile.TemporaryDirectory() as folder:
            made = ["--size", *map(str, size), "--mosaic", f"{folder}/picture.png"]
            run(["-m", "benchmarks.memory", *data, *made])
            rows = measure(folder, LOSSLESS if options.megapixels else LOSSLESS | LOSSY)
    columns = ["command", "peak MiB", "seconds", "CPU seconds", "bytes written"]
    note = "Peak resident memory of the whole process; the decoded lossless picture was compared bit for bit."
    title = f"Memory, {width} x {height} pixels"
    name = f"memory-{options.megapixels}" if options.megapixels else "memory"
    report.publish(name, title, [Table("", columns, rows, 0, note)])


if __name__ == "__main__":
    main()
