"""Effort: real lossless files at several efforts, each decoded and compared bit for bit.

python -m benchmarks.effort --data FOLDER [--efforts 0,3,6,9]
"""

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import vlaezip
from benchmarks import lossless
from benchmarks.lib import pictures, report
from benchmarks.lib.report import Table
from vlaezip.format.container import read

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Outcome(lossless.Outcome):
    """One picture at one effort. tuning: bytes of it, 0 if there is none."""

    tuning: int


def measure(x: Pixels, effort: int) -> Outcome:
    """Encode, decode and compare."""
    data, encode_seconds = pictures.timed(vlaezip.compress, Image.fromarray(x), lossless=True, effort=effort)
    back, decode_seconds = pictures.timed(vlaezip.decompress, data)
    exact = bool(np.array_equal(np.asarray(back), x))
    return Outcome(len(data), x.size, encode_seconds, decode_seconds, exact, len(read(data).tuning or b""))


def summary(effort: int, outcomes: list[Outcome], before: list[Outcome]) -> list[object]:
    """A row of the table of efforts. before: the same pictures at the least effort."""
    n = len(outcomes)
    return [
        effort,
        sum(o.rate_bits for o in outcomes) / n,
        100 * (1 - sum(o.size / b.size for o, b in zip(outcomes, before, strict=True)) / n),
        sum(o.tuning for o in outcomes) // n,
        sum(o.encode_seconds for o in outcomes) / n,
        sum(o.decode_seconds for o in outcomes) / n,
        f"{sum(o.exact for o in outcomes)} of {n}",
    ]


def main() -> None:
    parser = pictures.arguments(__doc__)
    parser.add_argument("--efforts", default="0,1,3,6,9", help="numbers in 0..9, separated by commas")
    options = parser.parse_args()
    pictures.use_threads(options.threads)
    efforts = [int(word) for word in options.efforts.split(",")]
    found = pictures.load(options.data, options.limit)
    measure(pictures.crop(found), 1)
    outcomes: dict[int, list[Outcome]] = {effort: [] for effort in efforts}
    for name, x in found.items():
        for effort in efforts:
            outcomes[effort].append(measure(x, effort))
        print(name, *(f"{e}: {outcomes[e][-1].rate_bits:.4f}" for e in efforts), file=sys.stderr, flush=True)
    columns = ["effort", "mean bpd", "saved %", "tuning bytes", "encode s", "decode s", "bit for bit"]
    rows = [summary(effort, list_, outcomes[efforts[0]]) for effort, list_ in outcomes.items()]
    each = [
        [name, "{1} x {0}".format(*x.shape), *(outcomes[effort][i].rate_bits for effort in efforts)]
        for i, (name, x) in enumerate(found.items())
    ]
    note = "bpd: bits of the file per channel value. Seconds: mean of a picture, start-up apart."
    report.publish(
        "effort",
        f"Lossless at several efforts, {len(found)} pictures",
        [
            Table("Efforts", columns, rows, note=note),
            Table("Bits per channel value", ["picture", "size", *map(str, efforts)], each, digits=4),
        ],
    )
    if not all(o.exact for list_ in outcomes.values() for o in list_):
        raise SystemExit("not all pictures came back bit for bit")
    before = outcomes.get(0, [])
    if any(o.size > b.size for list_ in outcomes.values() for o, b in zip(list_, before, strict=False)):
        raise SystemExit("an effort made a file larger")


if __name__ == "__main__":
    main()
