"""The VLAE paper's ablations: one short run for each variant of a preset, and the bounds of its held-out pictures.

python -m benchmarks.ablations FAMILY --data FOLDER [--steps N] [--runs FOLDER] [--only VARIANT] [--start WEIGHTS]

z: the decoder alone; with features of no z, which still say where a pixel lies; and with z.
prior: the decoder without z; z under a plain prior (a logistic a channel, no context); under the autoregressive prior;
and a posterior behind an inverse autoregressive flow, with the plain prior (paper, table 1 and section 3.2). With
--start none has a prior to begin with.
window: what the decoder's window sees, on CIFAR-10, as columns x rows above; of the last the greys alone: the less it
sees, the more z must hold (figure 3).
beta: the weight of the KL, from 0.1 to 8: a rate-distortion curve.
levels: a coarse z above the fine one, against one level with as many dimensions; free bits keep both in use.
decoder: one that sees nothing of other pixels, against the local one.

With --start each run begins with trained weights of the preset, where they fit, and with those of the window's places
that a smaller window keeps: from nothing, z takes many thousand steps to be used.
Runs resume, and finished ones are only evaluated: results/ablation-FAMILY-PRESET gets a table, a CSV and a plot. With
--only, which may be repeated, the named variants are trained and nothing is written, so that several processes can
share a family.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from benchmarks.lib import ablation_results, pictures, report
from vlaezip.model.config import LocalConfig, Window
from vlaezip.model.layout import with_extra
from vlaezip.model.window import input_columns
from vlaezip.paper import likelihood
from vlaezip.paper.likelihood import NATS, Likelihood
from vlaezip.paper.variants import ALONE, Blind, Flowed, Grey, TwoLevel, plain
from vlaezip.train import loop
from vlaezip.train.presets import PRESETS, Recipe

FAMILIES = ("z", "prior", "window", "beta", "levels", "decoder")
FREE = 0.01 / NATS  # of the KL, a value: the paper's 0.01 nats (appendix C)
ANEW = {"prior": "prior."}  # what no variant of a family begins with
BETAS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
WINDOWS = {"4x2": Window(2, 2, 1), "5x3": Window(3, 3, 1), "7x4": Window(4, 4, 2)}


def alone(recipe: Recipe) -> Recipe:
    """p(x): no features at all."""
    return replace(recipe, config=with_extra(replace(recipe.config, features=0)), preview_weight=0.0)


def without_z(recipe: Recipe) -> Recipe:
    return replace(recipe, net=Blind, preview_weight=0.0)


def plain_prior(recipe: Recipe) -> Recipe:
    return replace(recipe, config=replace(recipe.config, prior=plain(recipe.config.prior)))


def seeing(recipe: Recipe, window: Window) -> Recipe:
    return replace(recipe, config=replace(recipe.config, pixel=replace(recipe.config.pixel, window=window)))


def factorised(recipe: Recipe) -> Recipe:
    """p(x|z) sees nothing of other pixels, so values are relative to nothing; channels of one pixel see each other."""
    found = seeing(recipe, ALONE)
    reference = "binary" if recipe.config.values == 2 else "zero"
    return replace(found, config=replace(found.config, pixel=replace(found.config.pixel, reference=reference)))


def family(name: str, preset: str) -> dict[str, Recipe]:
    """Variants by their names. Differences are told to the first."""
    recipe = PRESETS[preset]
    if name == "z":
        return {"alone": alone(recipe), "without z": without_z(recipe), "with z": recipe}
    if name == "prior":
        return {
            "no z": without_z(recipe), "plain prior": plain_prior(recipe), "autoregressive": recipe,
            "IAF posterior": replace(recipe, net=Flowed),
        }  # fmt: skip
    if name == "window":
        sizes = {label: seeing(recipe, window) for label, window in WINDOWS.items()}
        return sizes | {"7x4 grey": replace(sizes["7x4"], net=Grey)}
    if name == "levels":
        return {"one level": replace(recipe, free=FREE), "two levels": replace(recipe, net=TwoLevel, free=FREE)}
    if name == "decoder":
        return {"local": recipe, "factorised": factorised(recipe)}
    return {f"beta {beta}": replace(recipe, beta=beta) for beta in BETAS}


def columns(old: LocalConfig, new: LocalConfig) -> list[int]:
    """Of a local model's inputs, extra ones included, those that it keeps with a window that is a part of its own."""
    window, c = old.window.offsets, old.channels
    places = [c * window.index(o) + i for o in new.window.offsets for i in range(c)]
    return places + list(range(c * len(window), sum(n for n, _, _ in input_columns(old)) + old.extra))


def begun(recipe: Recipe, preset: str, weights: Path, folder: Path, anew: str) -> Path:
    """Trained weights of a preset for a variant: whatever fits it, but for the part that all variants learn anew."""
    torch.manual_seed(0)
    state = recipe.net(recipe.config).state_dict()
    trained = load_file(weights)
    old, new = PRESETS[preset].config.pixel, recipe.config.pixel
    if (old.reference, old.extra) == (new.reference, new.extra) and {*new.window.offsets} <= {*old.window.offsets}:
        trained["pixel.stem.weight"] = trained["pixel.stem.weight"][:, columns(old, new)].contiguous()
    fitting = {k: v for k, v in trained.items() if k in state and v.shape == state[k].shape}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        state | {k: v for k, v in fitting.items() if not anew or not k.startswith(anew)}, folder / "start.safetensors"
    )
    return folder / "start.safetensors"


def train(recipe: Recipe, data: Path, folder: Path, start: Path | None) -> loop.Trainer:
    """Train a variant to its end, if it is not there yet."""
    if start is not None:
        recipe = replace(recipe, warm=0.0)  # z is in use already
    trainer = loop.Trainer(recipe, data, folder, "cpu", start=start)
    if trainer.step < recipe.steps:
        for row in trainer.run(float("inf")):
            print(folder.name, row["step"], row["pixels"], row["kl"], file=sys.stderr, flush=True)
    return trainer


def measure(trainer: loop.Trainer, samples: int, limit: int) -> Likelihood:
    """Bits of held-out pictures, the same pictures for all variants."""
    torch.manual_seed(0)
    return likelihood.joined(list(likelihood.evaluate(trainer.average, trainer.valid[:limit], samples)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--preset", help="default: mnist-dynamic, of windows cifar10")
    parser.add_argument("--steps", type=int, default=2000, help="of each run (default: %(default)s)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where they are kept (default: %(default)s)")
    parser.add_argument("--only", action="append", metavar="VARIANT", help="train this one, publish nothing")
    parser.add_argument("--start", type=Path, help="float weights (.safetensors) that every new run begins with")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--limit", type=int, default=500, help="held-out pictures (default: %(default)s)")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    options.preset = options.preset or ("cifar10" if options.family == "window" else "mnist-dynamic")
    unknown = set(options.only or ()) - set(family(options.family, options.preset))
    if unknown:
        parser.error(
            f"no variant {', '.join(sorted(unknown))}; there are {', '.join(family(options.family, options.preset))}"
        )
    return options


def main() -> None:
    options = arguments()
    pictures.use_threads(options.threads)
    found, steps = {}, {}
    for label, recipe in family(options.family, options.preset).items():
        if options.only and label not in options.only:
            continue
        folder = options.runs / f"{options.preset}-{options.family}-{label.replace(' ', '-')}"
        start = None
        if options.start:
            start = begun(recipe, options.preset, options.start, folder, ANEW.get(options.family, ""))
        trainer = train(replace(recipe, steps=options.steps), options.data, folder, start)
        if not options.only:
            found[label], steps[label] = measure(trainer, options.samples, options.limit), trainer.step
    if found:
        trained = " Runs begun with trained weights." if options.start else ""
        note = f"{options.samples} draws of z; NLL: importance sampling.{trained}"
        ablation_results.publish(options.family, options.preset, found, steps, note, report.RESULTS)


if __name__ == "__main__":
    main()
