"""What z knows of classes: a linear classifier on z, on the pixels, and on what the lossy code keeps of them.

python -m benchmarks.probe --data FOLDER --set mnist-dynamic [--model NAME] [--factorised RUN]

Legible: the classifier is trained on original pixels, and tested on reconstructions. RUN is that of a decoder that sees
nothing of other pixels, from `benchmarks.ablations decoder`: all that it knows of them comes from z.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks import ablations
from benchmarks.lib import pictures, report
from benchmarks.lib.report import Table
from vlaezip.codec import block
from vlaezip.model import weights
from vlaezip.model.vlae import Vlae
from vlaezip.paper import sheets
from vlaezip.train import nets, sets
from vlaezip.train.export import average
from vlaezip.train.presets import PRESETS

BLOCK = 500
EVERY = 5  # test picture whose lossy code is looked at
Floats = NDArray[np.float32]


def latents(net: Vlae, x: sets.Pictures) -> Floats:
    """The posterior's mean, [N, dimensions]."""
    parts = (block.posterior(net, x[i : i + BLOCK].astype(np.int32)).mean for i in range(0, len(x), BLOCK))
    return np.concatenate([p.reshape(len(p), -1) for p in parts]).astype(np.float32)


@torch.no_grad()
def float_latents(net: nets.Vlae, x: sets.Pictures) -> Floats:
    """latents() of a float net."""
    parts = (net.posterior(torch.from_numpy(x[i : i + BLOCK]).float())[0] for i in range(0, len(x), BLOCK))
    return torch.cat([p.flatten(1) for p in parts]).numpy()


def reconstructions(net: Vlae, x: sets.Pictures, search: bool) -> tuple[sets.Pictures, float]:
    """What the lossy code keeps of pictures, in 0..values - 1; and its bits a picture."""
    parts = [sheets.reconstruct(net, x[i : i + BLOCK].astype(np.int32), i, search) for i in range(0, len(x), BLOCK)]
    return np.concatenate([p for p, _ in parts]) // net.config.gain, float(np.mean([bits for _, bits in parts]))


class Linear:
    """Softmax regression on standardised features, by L-BFGS; decay is the weight of the squared weights."""

    def __init__(self, x: Floats, y: NDArray[np.int64], decay: float = 1e-4, rounds: int = 60) -> None:
        self.mean, self.scale = x.mean(0), x.std(0) + 1e-3 * x.std() + 1e-6
        features, target = self.standard(x), torch.from_numpy(y)
        self.net = nn.Linear(x.shape[1], int(y.max()) + 1)
        nn.init.zeros_(self.net.weight)
        optimiser = torch.optim.LBFGS(self.net.parameters(), max_iter=rounds, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimiser.zero_grad()
            value = nn.functional.cross_entropy(self.net(features), target) + decay * self.net.weight.square().sum()
            value.backward()  # type: ignore[no-untyped-call]
            return value

        optimiser.step(loss)  # type: ignore[no-untyped-call]

    def standard(self, x: Floats) -> Tensor:
        return torch.from_numpy((x - self.mean) / self.scale)

    @torch.no_grad()
    def accuracy(self, x: Floats, y: NDArray[np.int64]) -> float:
        return float((self.net(self.standard(x)).argmax(1).numpy() == y).mean())


def flat(x: sets.Pictures) -> Floats:
    return x.reshape(len(x), -1).astype(np.float32)


def unseeing(run: Path, preset: str) -> nets.Vlae:
    """The net of a run of the factorised decoder."""
    return average(run, ablations.factorised(PRESETS[preset]))


def on_z(train: Floats, test: Floats, labels: sets.Labels) -> float:
    """Per cent right of a classifier of z."""
    return 100 * Linear(train, labels.train).accuracy(test, labels.test)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", default="mnist-dynamic", choices=list(sets.LABELS))
    parser.add_argument("--model", help="whose z; without it, that of the set's name")
    parser.add_argument("--factorised", type=Path, metavar="RUN", help="folder or float weights (.safetensors)")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    pictures.use_threads(options.threads)
    found, labels = sets.load(options.set, options.data), sets.LABELS[options.set](options.data)
    x, test = (sets.drawn_once(part, found.grey) for part in (found.train, found.test))
    net = weights.load(weights.find(options.model or options.set).path, "lossless")
    pixels = Linear(flat(x), labels.train)
    some = slice(None, None, EVERY)
    rows = [
        ["pixels", "pixels", 100 * pixels.accuracy(flat(test), labels.test)],
        ["z, the posterior's mean", "z", on_z(latents(net, x), latents(net, test), labels)],
    ]
    for search in (False, True) if net.config.values == 2 else (False,):
        shown, bits = reconstructions(net, test[some], search)
        score = 100 * pixels.accuracy(flat(shown), labels.test[some])
        rows.append(["pixels", f"the lossy code, {bits:.1f} bits{', searched' if search else ''}", score])
    if options.factorised:
        other = unseeing(options.factorised, options.set)
        score = on_z(float_latents(other, x), float_latents(other, test), labels)
        rows.append(["z of a factorised decoder", "z", score])
    table = Table(
        "",
        ["trained on", "tested on", "% right"],
        rows,
        2,
        f"Softmax regression; the test set, of the lossy code every {EVERY}th picture.",
    )
    report.publish(f"probe-{options.set}", f"Linear classifiers on {options.set}", [table])


if __name__ == "__main__":
    main()
