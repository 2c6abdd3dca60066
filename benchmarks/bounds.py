"""The likelihood of the test sets under the models that ship, beside the paper's, and the bits of their lossy code.

python -m benchmarks.bounds --data FOLDER [--set NAME] [--samples K] [--limit N]

The paper takes 4096 samples of binary pictures and 512 of CIFAR-10: hours on a CPU.
"""

import argparse
from pathlib import Path

import torch

from benchmarks.lib import pictures, report
from benchmarks.lib.report import Table
from vlaezip.paper import likelihood
from vlaezip.paper.likelihood import NATS, standard_error
from vlaezip.train import sets

PAPER = {"mnist-static": 79.03, "mnist-dynamic": 78.53, "omniglot": 89.83, "caltech": 77.36, "cifar10": 2.95}
COLUMNS = (
    "set",
    "pictures",
    "samples",
    "distortion",
    "KL",
    "-ELBO",
    "NLL",
    "s.e.",
    "NLL, bpd",
    "lossy code, bits",
    "paper",
)


def row(name: str, options: argparse.Namespace) -> list[object]:
    """Nats a picture; the paper's figure is in bits per dimension for CIFAR-10."""
    torch.manual_seed(0)
    net = likelihood.trained(name, None, options.device)
    x = sets.evenly(sets.measured(name, options.data, "test"), options.limit)
    size = 10 if x.shape[3] == 3 and options.device == "cpu" else 100
    found = likelihood.joined(list(likelihood.evaluate(net, x, options.samples, size)))
    parts = [
        NATS * float(bits.mean()) for bits in (found.distortion, found.kl, found.distortion + found.kl, found.bound)
    ]
    error, dimensions = NATS * standard_error(found.bound), float(found.bound.mean()) / x[0].size
    code = round(float(found.code.mean()), 1)
    return [name, len(x), options.samples, *parts, error, round(dimensions, 4), code, PAPER[name]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", action="append", choices=list(PAPER), help="repeatable (default: all)")
    parser.add_argument("--samples", type=int, default=64, help="of z (default: %(default)s)")
    parser.add_argument("--limit", type=int, default=1000, help="pictures, spread over the set (default: %(default)s)")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--name", default="bounds", help="of the table (default: %(default)s)")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    pictures.use_threads(options.threads)
    rows = [row(name, options) for name in options.set or PAPER]
    note = "Nats a picture, and its standard error over pictures. bpd: bits per dimension, as are the paper's 2.95."
    report.publish(options.name, "Bounds on the likelihood of test sets", [Table("", COLUMNS, rows, 2, note)])


if __name__ == "__main__":
    main()
