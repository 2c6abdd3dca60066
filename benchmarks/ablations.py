"""The VLAE paper's ablations: one short run for each variant of a preset, and the bounds of its held-out pictures.

python -m benchmarks.ablations FAMILY --data FOLDER [--steps N] [--runs FOLDER]

prior: the decoder without z, z under a prior without context, z under the autoregressive prior (paper, table 1).
window: what the decoder's window sees, on CIFAR-10: the less, the more z must hold (table 4).
beta: the weight of the KL, from 0.1 to 8: a rate-distortion curve.
Runs resume; results/ablation-FAMILY gets a table, a CSV and a plot.
"""

import argparse
import csv
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import torch

from benchmarks import pictures, report
from benchmarks.report import Table
from vlaezip.config import Window
from vlaezip.train import likelihood, loop
from vlaezip.train.presets import PRESETS, Recipe

matplotlib.use("Agg")
from matplotlib import pyplot

ALONE = Window(up=0, left=0, right=0)
BETAS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
WINDOWS = {"4x2": Window(2, 2, 1), "5x3": Window(3, 3, 1), "7x4": Window(4, 4, 2)}
PER_PICTURE = ("distortion", "KL", "-ELBO", "NLL")


def without_z(recipe: Recipe) -> Recipe:
    """No features: nothing of z reaches the pixels, and its KL goes to zero."""
    c = replace(recipe.config, features=0, pixel=replace(recipe.config.pixel, extra=0))
    return replace(recipe, config=c, preview_weight=0.0)


def plain_prior(recipe: Recipe) -> Recipe:
    """One logistic a channel: what a Gaussian prior is, in this family of distributions."""
    prior = replace(recipe.config.prior, window=ALONE, groups=(recipe.config.latent,), mixtures=1)
    return replace(recipe, config=replace(recipe.config, prior=prior))


def seeing(recipe: Recipe, window: Window) -> Recipe:
    return replace(recipe, config=replace(recipe.config, pixel=replace(recipe.config.pixel, window=window)))


def family(name: str, preset: str) -> dict[str, Recipe]:
    """Variants by their names."""
    recipe = PRESETS[preset]
    if name == "prior":
        return {"no z": without_z(recipe), "no context": plain_prior(recipe), "autoregressive": recipe}
    if name == "window":
        return {label: seeing(recipe, window) for label, window in WINDOWS.items()}
    return {f"beta {beta}": replace(recipe, beta=beta) for beta in BETAS}


def measure(recipe: Recipe, data: Path, folder: Path, samples: int, limit: int) -> dict[str, float]:
    """Train a variant to its end; nats a picture of held-out pictures."""
    trainer = loop.Trainer(recipe, data, folder, "cpu")
    for row in trainer.run(float("inf")):
        print(folder.name, row["step"], row["pixels"], row["kl"], file=sys.stderr, flush=True)
    parts = likelihood.evaluate(trainer.average, trainer.valid[:limit], samples)
    found = likelihood.joined(list(parts))
    bits = (found.distortion, found.kl, found.distortion + found.kl, found.bound)
    return {name: likelihood.NATS * float(b.mean()) for name, b in zip(PER_PICTURE, bits, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=["prior", "window", "beta"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--preset", help="default: mnist-dynamic, of windows cifar10")
    parser.add_argument("--steps", type=int, default=2000, help="of each run (default: %(default)s)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where they are kept (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--limit", type=int, default=500, help="held-out pictures (default: %(default)s)")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    pictures.use_threads(options.threads)
    torch.manual_seed(0)
    preset = options.preset or ("cifar10" if options.family == "window" else "mnist-dynamic")
    found = {}
    for label, recipe in family(options.family, preset).items():
        folder = options.runs / f"{options.family}-{label.replace(' ', '-')}"
        short = replace(recipe, steps=options.steps)
        found[label] = measure(short, options.data, folder, options.samples, options.limit)
    publish(f"ablation-{options.family}", preset, options, found)


def publish(name: str, preset: str, options: argparse.Namespace, found: dict[str, dict[str, float]]) -> None:
    """The table, and beside it the same as CSV and as a plot."""
    rows = [[label, *(values[p] for p in PER_PICTURE)] for label, values in found.items()]
    note = (
        f"Nats a picture, {options.limit} held-out pictures, {options.samples} draws of z; NLL: importance sampling. "
        f"Runs of {options.steps} steps, far from converged: the order counts, not the figures."
    )
    report.publish(name, f"{options.family}, {preset}", [Table("", ["variant", *PER_PICTURE], rows, 2, note)])
    with (report.RESULTS / f"{name}.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["variant", *PER_PICTURE], *rows])
    figure, axes = pyplot.subplots(figsize=(5, 4))
    for label, values in found.items():
        axes.plot(values["KL"], values["distortion"], "o")
        axes.annotate(label, (values["KL"], values["distortion"]))
    axes.set(xlabel="KL, nats", ylabel="distortion, nats", title=f"{options.family}, {preset}")
    figure.tight_layout()
    figure.savefig(report.RESULTS / f"{name}.png", dpi=100)


if __name__ == "__main__":
    main()
