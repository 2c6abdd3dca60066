"""Lossless: real files of vlaezip, PNG, WebP and JPEG XL, each decoded and compared bit for bit.

python -m benchmarks.lossless --data FOLDER
"""

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.lib import peers, pictures, report
from benchmarks.lib.peers import Peer
from benchmarks.lib.report import Table

Pixels = NDArray[np.uint8]

CODECS = peers.LOSSLESS | peers.VLAEZIP
NOTE = "bpd: bits of the file per channel value. Seconds: mean of a picture, start-up apart, peers on one thread."


@dataclass(frozen=True, slots=True)
class Outcome:
    """One picture through one codec."""

    size: int
    values: int
    encode_seconds: float
    decode_seconds: float
    exact: bool

    @property
    def rate_bits(self) -> float:
        """Bits per channel value."""
        return 8 * self.size / self.values


def measure(peer: Peer, x: Pixels) -> Outcome:
    """Encode, decode and compare."""
    data, encode_seconds = pictures.timed(peer.encode, x)
    back, decode_seconds = pictures.timed(peer.decode, data)
    return Outcome(len(data), x.size, encode_seconds, decode_seconds, bool(np.array_equal(back, x)))


def race(codecs: dict[str, Peer], found: dict[str, Pixels]) -> dict[str, list[Outcome]]:
    """All pictures through all codecs. -> outcomes of each codec, in the order of the pictures"""
    warm = pictures.crop(found)
    for peer in codecs.values():
        measure(peer, warm)
    outcomes: dict[str, list[Outcome]] = {name: [] for name in codecs}
    for name, x in found.items():
        for codec, peer in codecs.items():
            outcomes[codec].append(measure(peer, x))
        print(name, *(f"{codec} {outcomes[codec][-1].rate_bits:.3f}" for codec in codecs), file=sys.stderr, flush=True)
    return outcomes


def check(outcomes: dict[str, list[Outcome]]) -> None:
    """Raise SystemExit unless every picture came back."""
    if not all(o.exact for list_ in outcomes.values() for o in list_):
        raise SystemExit("not all pictures came back bit for bit")


def each(found: dict[str, Pixels], outcomes: dict[str, list[Outcome]], digits: int = 3) -> Table:
    """A row of every picture."""
    rows = [
        [name, "{1} x {0}".format(*x.shape), *(list_[i].rate_bits for list_ in outcomes.values())]
        for i, (name, x) in enumerate(found.items())
    ]
    return Table("Bits per channel value", ["picture", "size", *outcomes], rows, digits)


def summary(name: str, outcomes: list[Outcome]) -> list[object]:
    """A row of the table of codecs."""
    n = len(outcomes)
    return [
        name,
        sum(o.rate_bits for o in outcomes) / n,
        8 * sum(o.size for o in outcomes) / sum(o.values for o in outcomes),
        sum(o.size for o in outcomes),
        sum(o.encode_seconds for o in outcomes) / n,
        sum(o.decode_seconds for o in outcomes) / n,
        f"{sum(o.exact for o in outcomes)} of {n}",
    ]


def main() -> None:
    parser = pictures.arguments(__doc__)
    parser.add_argument("--name", default="lossless", help="of the table in benchmarks/results")
    options = parser.parse_args()
    pictures.use_threads(options.threads)
    found = pictures.load(options.data, options.limit)
    outcomes = race(CODECS, found)
    columns = ["codec", "mean bpd", "bpd of all", "bytes", "encode s", "decode s", "bit for bit"]
    codecs = Table("Codecs", columns, [summary(name, list_) for name, list_ in outcomes.items()], note=NOTE)
    report.publish(options.name, f"Lossless, {len(found)} pictures", [codecs, each(found, outcomes)])
    check(outcomes)


if __name__ == "__main__":
    main()
