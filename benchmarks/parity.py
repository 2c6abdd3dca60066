"""What rounding costs: code length of the exact integers against the float nets they were rounded from.

    python -m benchmarks.parity --data DIR [--limit N]

Both see the same pixels and the same z. The must is 0.3 %.
"""

from statistics import mean

from benchmarks.lib import pictures, report
from vlaezip.model import weights
from vlaezip.train.parity import Parity, parity

LEVELS = {"lossless": (0,), "lossy": (0, 2, 4)}


def row(name: str, level: int, found: list[Parity]) -> list[object]:
    exact = mean(p.exact_pixels + p.exact_latent for p in found)
    floats = mean(p.float_pixels + p.float_latent for p in found)
    worst = max(p.excess for p in found)
    return [
        f"{name}, level {level}",
        len(found),
        exact,
        floats,
        f"{100 * (exact / floats - 1):+.3f} %",
        f"{100 * worst:+.3f} %",
    ]


def main() -> None:
    options = pictures.arguments(__doc__).parse_args()
    pictures.use_threads(options.threads)
    paths = sorted(p for p in options.data.iterdir() if p.suffix in pictures.KINDS)[: options.limit]
    info = weights.find(weights.DEFAULT)
    rows = [
        row(which, level, list(parity(info, which, paths, level)))
        for which, levels in LEVELS.items()
        for level in levels
    ]
    columns = ("set of weights", "pictures", "exact bpd", "float bpd", "excess", "worst picture")
    report.publish("parity", "Exact integers against float", [report.Table("", columns, rows, 4)])


if __name__ == "__main__":
    main()
