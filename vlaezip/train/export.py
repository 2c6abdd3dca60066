"""Float weights to proven integers, and the model file they ship in."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import load_file
from safetensors.torch import save_file as save_float
from torch import Tensor

from vlaezip.errors import ModelError
from vlaezip.exact import law
from vlaezip.model import config, weights
from vlaezip.model.layout import Layer, layers
from vlaezip.train.nets import FINE, Vlae
from vlaezip.train.presets import PRESETS, Recipe

WEIGHT_MAX, SHORT_MAX = 2047, 127


def largest_weight(layer: Layer) -> int:
    """8 bits for the 3x3 convolutions of residual blocks, which are most of a file and do with them; else 12."""
    return SHORT_MAX if layer.name.endswith(".a") else WEIGHT_MAX


def rounded(layer: Layer, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Integers of a layer, each row with the largest shift that the law allows. float64 [O, I], [O] -> int64.

    Row o: y = floor((w x + b + 2**(shift - 1)) / 2**shift) in steps of the output.
    """
    steps, units, largest = (torch.from_numpy(a) for a in (layer.steps, layer.units, layer.largest))
    w, b = weight * units / steps[:, None], bias / steps
    shift = torch.full((len(w),), -1)
    for s in range(25):
        wi, bi = (w * 2.0**s).round(), (b * 2.0**s).round() + (2 ** (s - 1) if s else 0)
        bound = (wi.abs() * largest).sum(1) + bi.abs()
        shift[(bound < law.SUM_LIMIT) & (wi.abs().amax(1) <= largest_weight(layer))] = s
    if (shift < 0).any():
        raise ModelError(f"{layer.name}: no shift keeps the sums under the law of exactness")
    power = torch.ldexp(torch.ones(len(w), dtype=torch.float64), shift)
    half = torch.where(shift > 0, power / 2, torch.zeros_like(power))
    return (w * power[:, None]).round().long(), ((b * power).round() + half).long(), shift


def columns(weight: Tensor) -> Tensor:
    """A weight as a matrix; a 3x3 convolution's columns go by tap, then channel."""
    return weight.permute(0, 2, 3, 1).flatten(1) if weight.dim() == 4 else weight


def coarse_steps(log_step: Tensor) -> Tensor:
    """Rounding steps of z, in steps of the fine grid: whole numbers."""
    return (log_step.exp() * FINE).round().clamp(1, config.LATENT_MAX)


def integers(net: Vlae, which: str) -> dict[str, np.ndarray]:
    """All tensors of a set of weights, for the model file."""
    state = {k: v.detach().double().cpu() for k, v in net.state_dict().items()}
    tensors = {}
    for layer in layers(net.config):
        weight, bias = columns(state[f"{layer.name}.weight"]), state[f"{layer.name}.bias"]
        if ".outs." in layer.name:  # rows (kind, channel, component) -> (channel, kind, component)
            k = (net.config.prior if layer.name.startswith("prior") else net.config.pixel).mixtures
            weight, bias = (t.view(3, -1, k, *t.shape[1:]).transpose(0, 1).flatten(0, 2) for t in (weight, bias))
        w, b, shift = rounded(layer, weight, bias)
        law.prove(layer.name, w.numpy(), b.numpy(), shift.numpy(), layer.largest)
        name = f"{which}/{layer.name}"
        tensors[f"{name}.weight"] = w.to(torch.int8 if largest_weight(layer) == SHORT_MAX else torch.int16).numpy()
        tensors[f"{name}.bias"] = b.to(torch.int32).numpy()
        tensors[f"{name}.shift"] = shift.to(torch.uint8).numpy()
    tensors[f"{which}/rounding"] = coarse_steps(state["log_step"]).to(torch.int32).numpy()
    return tensors


def average(run: Path, preset: str | Recipe) -> Vlae:
    """The averaged weights of a training run: of its checkpoint, or of the file that an export kept of it."""
    recipe = PRESETS[preset] if isinstance(preset, str) else preset
    net = recipe.net(recipe.config)
    if run.suffix == ".safetensors":
        net.load_state_dict(load_file(run))
    else:
        net.load_state_dict(torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)["average"])
    return net.eval()


def export(name: str, runs: dict[str, tuple[str, Path]], target: Path) -> weights.ModelInfo:
    """Write a model file, and the float weights it was rounded from into float/ beside it.

    runs: set of weights -> (preset, folder of its run). From the float weights training goes on.
    """
    tensors: dict[str, np.ndarray] = {}
    configs, answers = {}, {}
    (target.parent / "float").mkdir(parents=True, exist_ok=True)
    for which, (preset, run) in runs.items():
        net = average(run, preset)
        part = integers(net, which)
        fields = configs[which] = config.to_json(net.config)
        answers[which] = weights.known_answer(weights.assemble(part, which, fields))
        tensors |= part
        save_float(dict(net.state_dict()), float_file(target, which))
    texts = (json.dumps(configs, sort_keys=True), json.dumps(answers, sort_keys=True))
    metadata = {"name": name, "configs": texts[0], "answers": texts[1], "id": weights.identity(tensors, *texts)}
    save_file(tensors, target, metadata)
    return weights.read_info(target)


def float_file(model: Path, which: str) -> Path:
    """Where the float weights of a set are kept."""
    return model.parent / "float" / f"{model.stem}-{which}.safetensors"
