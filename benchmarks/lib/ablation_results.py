"""What an ablation found, as a table, a CSV and a plot."""

import csv
from pathlib import Path
from typing import Any

import matplotlib
from torch import Tensor

from benchmarks.lib import report
from benchmarks.lib.report import Table
from vlaezip.paper.likelihood import NATS, Likelihood, standard_error

matplotlib.use("Agg")
from matplotlib import pyplot

COLUMNS = ("distortion", "KL", "-ELBO", "NLL", "s.e.")
MARKERS = "osD^v<>P"


def nats(bits: Tensor) -> tuple[float, float]:
    """Mean over pictures, and its standard error."""
    return NATS * float(bits.mean()), NATS * standard_error(bits)


def row(found: Likelihood) -> list[float]:
    """COLUMNS of one variant."""
    elbo = found.distortion + found.kl
    return [*(nats(bits)[0] for bits in (found.distortion, found.kl, elbo)), *nats(found.bound)]


def publish(
    family: str, preset: str, found: dict[str, Likelihood], steps: dict[str, int], note: str, folder: Path
) -> None:
    """found: variants by their names; the same pictures of each, so that differences have smaller errors.

    steps: of their training.
    """
    label, first = next(iter(found.items()))
    rows = [
        [name, steps[name], *row(bits), *((None, None) if bits is first else nats(bits.bound - first.bound))]
        for name, bits in found.items()
    ]
    columns = ["variant", "steps", *COLUMNS, f"NLL less that of {label}", "s.e. of it"]
    said = f"Nats a picture; {len(first.kl)} held-out pictures, {note} s.e.: standard error of the mean over pictures."
    report.publish(f"ablation-{family}-{preset}", f"{family}, {preset}", [Table("", columns, rows, 2, said)], folder)
    with (folder / f"ablation-{family}-{preset}.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *([round(v, 4) if isinstance(v, float) else v for v in r] for r in rows)])
    figure, axes = pyplot.subplots(figsize=(6.4, 4), layout="constrained")
    plot(axes, family, found)
    axes.set(title=f"{family}, {preset}")
    figure.savefig(folder / f"ablation-{family}-{preset}.png", dpi=100)
    pyplot.close(figure)


def plot(axes: Any, family: str, found: dict[str, Likelihood]) -> None:
    """Of beta the rate-distortion curve, of windows what z holds, of others the bounds."""
    if family == "beta":
        scatter(axes, {name: (nats(f.kl)[0], nats(f.distortion)[0]) for name, f in found.items()}, "-")
        axes.set(xlabel="rate: KL, nats", ylabel="distortion, nats")
    elif family == "window":
        scatter(axes, {name: (nats(f.kl)[0], nats(f.bound)[0]) for name, f in found.items()}, "")
        axes.set(xlabel="KL, nats", ylabel="NLL, nats")
    else:
        bounds(axes, found)


def scatter(axes: Any, points: dict[str, tuple[float, float]], line: str) -> None:
    """Points, told apart by a legend, and a line through them."""
    axes.plot(*zip(*points.values(), strict=True), color="lightgrey", linestyle=line, zorder=0)
    for (name, point), marker in zip(points.items(), MARKERS, strict=False):
        axes.plot(*point, marker, label=name)
    axes.legend()


def bounds(axes: Any, found: dict[str, Likelihood]) -> None:
    """A line for each variant, -ELBO and NLL with two standard errors."""
    kinds = {"-ELBO": [f.distortion + f.kl for f in found.values()], "NLL": [f.bound for f in found.values()]}
    for (name, bits), marker, aside in zip(kinds.items(), "oD", (-0.1, 0.1), strict=True):
        mean, error = zip(*map(nats, bits), strict=True)
        places = [n + aside for n in range(len(found))]
        axes.errorbar(mean, places, xerr=[2 * e for e in error], fmt=marker, capsize=3, label=name)
    axes.set(xlabel="nats a picture, with two standard errors", ylim=(len(found) - 0.5, -0.5))
    axes.set_yticks(range(len(found)), found)
    axes.legend()
