"""Learning: real lossless files of the static model and of efforts that learn, each decoded and compared bit for bit.

python -m benchmarks.learning --data FOLDER [--efforts 1,2] [--crop 64] [--limit N]
"""

from statistics import mean

import numpy as np

from benchmarks import lossless
from benchmarks.lib import peers, pictures, report
from benchmarks.lib.report import Table
from benchmarks.lossless import Outcome, Pixels

EFFORTS = "1,2,3,9"
STATIC = "effort 0"
MOST_OVER = 16  # bytes by which no file may exceed that of effort 0


def middle(x: Pixels, side: int) -> Pixels:
    """The middle of a picture: side x side, or less where there is less."""
    top, left = (max(n - side, 0) // 2 for n in x.shape[:2])
    return np.ascontiguousarray(x[top : top + side, left : left + side])


def summary(name: str, outcomes: list[Outcome], static: list[Outcome]) -> list[object]:
    """A row of the table of efforts: rates in the mean and pooled, each with its difference from the static model."""
    pooled, before = (sum(o.size for o in list_) for list_ in (outcomes, static))
    rate = mean(o.rate_bits for o in outcomes)
    return [
        name,
        rate,
        100 * (rate / mean(o.rate_bits for o in static) - 1),
        8 * pooled / sum(o.values for o in outcomes),
        100 * (pooled / before - 1),
        mean(o.encode_seconds for o in outcomes),
        mean(o.decode_seconds for o in outcomes),
        f"{sum(o.exact for o in outcomes)} of {len(outcomes)}",
    ]


def check_no_larger(outcomes: dict[str, list[Outcome]]) -> None:
    """Raise SystemExit if learning made a file larger."""
    most = max(o.size - s.size for list_ in outcomes.values() for o, s in zip(list_, outcomes[STATIC], strict=True))
    if most > MOST_OVER:
        raise SystemExit(f"an effort made a file {most} bytes larger")


def main() -> None:
    parser = pictures.arguments(__doc__)
    parser.add_argument("--efforts", default=EFFORTS, help="besides 0, separated by commas (default: %(default)s)")
    parser.add_argument("--crop", type=int, help="take the middle of each picture, so many pixels a side")
    parser.add_argument("--model", default="photo", help="of lossless files (default: %(default)s)")
    parser.add_argument("--name", default="learning", help="of the table in benchmarks/results")
    options = parser.parse_args()
    pictures.use_threads(options.threads)
    found = pictures.load(options.data, options.limit)
    if options.crop:
        found = {name: middle(x, options.crop) for name, x in found.items()}
    efforts = [0, *(int(word) for word in options.efforts.split(","))]
    outcomes = lossless.race({f"effort {e}": peers.lossless(options.model, e) for e in efforts}, found)
    columns = ["effort", "mean bpd", "%", "bpd of all", "%", "encode s", "decode s", "bit for bit"]
    rows = [summary(name, list_, outcomes[STATIC]) for name, list_ in outcomes.items()]
    note = f"%: against {STATIC}, which learns nothing. " + lossless.NOTE
    report.publish(
        options.name,
        f"Lossless files that learn, {len(found)} pictures",
        [Table("Efforts", columns, rows, note=note), lossless.each(found, outcomes, digits=4)],
    )
    lossless.check(outcomes)
    check_no_larger(outcomes)


if __name__ == "__main__":
    main()
