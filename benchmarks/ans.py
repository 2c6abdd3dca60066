"""Millions of symbols a second that one core pushes and pops: mixtures of a real picture, and bits.

python -m benchmarks.ans --data FOLDER

The mixtures are what the model says of the middle of the first picture. Seconds are those of CPU, the best of a few.
"""

import time
from collections.abc import Callable

import numpy as np

from benchmarks.lib import pictures, report
from benchmarks.lib.pictures import Pixels
from benchmarks.lib.report import Table
from vlaezip.codec import block
from vlaezip.coding import ans, mixture_codec, quantiles
from vlaezip.coding.logistic import Grid, Ints, Mixture, intervals, uniform_grid
from vlaezip.coding.tables import PRECISION
from vlaezip.model import local_ar, weights

SIDE = 192
LANES = (1, 4, 16, 256)
ROUNDS = 9
BIT = 128  # a bit says whether a sample is at least that


def mixtures(x: Pixels, model: str) -> tuple[Mixture, Ints]:
    """Mixtures and values of all samples of a picture, in the order of decoding."""
    net = weights.load(weights.find(model).path, "lossless")
    values = x[None].astype(np.int32)
    scene = net.pixel_scene(block.first_latent(net, values), (1, *x.shape[:2]))
    canvas = local_ar.Canvas(net.config.pixel, scene, values)
    evaluator = local_ar.Evaluator(net.pixel, canvas, scene, int(np.diff(canvas.bounds).max()))
    said: list[Mixture] = []
    found: list[Ints] = []
    for a, b in zip(canvas.bounds[:-1].tolist(), canvas.bounds[1:].tolist(), strict=True):
        places = values.reshape(-1, 3)[canvas.order[a:b]]

        def choose(number: int, mix: Mixture, grid: Grid, places: Ints = places) -> Ints:
            said.append(mix)
            found.append(places[:, list(evaluator.groups[number][1])].reshape(-1))
            return found[-1]

        evaluator.values(a, b, choose)
    return Mixture(*map(np.concatenate, zip(*said, strict=True))), np.concatenate(found)


def best(work: Callable[[], object]) -> float:
    """CPU seconds of this thread, the least of a few rounds."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.thread_time()
        work()
        seconds.append(time.thread_time() - start)
    return min(seconds)


def speeds(mix: Mixture, grid: Grid, symbols: Ints, lanes: int) -> list[float]:
    """Symbols a second: pop, pop with its guesses, push, intervals. Every symbol is checked."""
    starts, freqs = intervals(mix, grid, symbols)
    bounds, guesses, found = np.array([0, len(symbols)]), quantiles.guesses(mix), np.empty(len(symbols), np.int32)
    message = ans.push(ans.empty(lanes), starts, freqs, bounds)
    seconds = [
        best(lambda: mixture_codec.pop_kernel(message.heads.copy(), message.words, 0, mix, guesses, grid, found)),
        best(lambda: mixture_codec.codec(mix, grid).pop(message)),
        best(lambda: ans.push(ans.empty(lanes), starts, freqs, bounds)),
        best(lambda: intervals(mix, grid, symbols)),
    ]
    if not np.array_equal(found, symbols):
        raise SystemExit("symbols did not come back")
    return [len(symbols) / s for s in seconds]


def rows(name: str, mix: Mixture, grid: Grid, symbols: Ints) -> list[list[object]]:
    """A row for each number of lanes."""
    bits = PRECISION - float(np.log2(intervals(mix, grid, symbols)[1]).mean())
    return [[f"{name}, {n} lanes", bits, *(s / 1e6 for s in speeds(mix, grid, symbols, n))] for n in LANES]


def main() -> None:
    parser = pictures.arguments(__doc__)
    parser.add_argument("--model", default="photo")
    options = parser.parse_args()
    pictures.use_threads(1)
    x = next(iter(pictures.load(options.data, 1).values()))
    top, left = ((n - SIDE) // 2 for n in x.shape[:2])
    mix, symbols = mixtures(np.ascontiguousarray(x[top : top + SIDE, left : left + SIDE]), options.model)
    pixels = uniform_grid(len(symbols), 1, 0, 256)
    bits = uniform_grid(len(symbols), 2 * BIT, 0, 2)
    table = rows("256 symbols", mix, pixels, symbols) + rows("2 symbols", mix, bits, (symbols >= BIT).astype(np.int32))
    columns = ["code", "bits a symbol", "pop", "pop and first guesses", "push", "intervals"]
    note = (
        f"{len(symbols)} mixtures of {mix.weights.shape[1]} logistics. Decoding threads make the first guesses ahead."
    )
    report.publish("ans", "ANS, millions of symbols a second of one core", [Table("", columns, table, 2, note)])


if __name__ == "__main__":
    main()
