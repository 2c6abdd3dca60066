"""Small models of random integers under the law of exactness: what holds for them holds for every model."""

import json

import numpy as np
from safetensors.numpy import save_file

from vlaezip.exact import law
from vlaezip.model import config, layout, weights
from vlaezip.model.config import LocalConfig, VlaeConfig, Window
from vlaezip.model.local_ar import LocalAR
from vlaezip.model.window_kinds import WINDOW_KINDS

SMALL = Window(up=2, left=3, right=2)
FEATURES = {"median": 3, "preview": 2, "zero": 2, "binary": 2}


def local_config(reference, groups=None, hidden=8, mixtures=2):
    """A little local model of pixels, of binary ones, or of four latent channels."""
    channels = {"zero": 4, "binary": 1}.get(reference, 3)
    extra = FEATURES[reference] + sum(n for n, _, _ in WINDOW_KINDS[reference].extra)
    return LocalConfig(channels, SMALL, hidden, 1, 6, mixtures, groups or (1,) * channels, reference, extra)


def vlae_config(blocks=1, reference="median", levels=2, unshuffle=2):
    """A little VLAE of stride 2 * unshuffle."""
    features = FEATURES[reference]
    prior = LocalConfig(3, SMALL, 8, 1, 6, 2, (2, 1), "zero", levels)
    binary = {"channels": 1, "values": 2} if reference == "binary" else {}
    return VlaeConfig(unshuffle, 6, blocks, 3, features, levels, prior, local_config(reference), **binary)


def integers(layer, rng):
    """weight [O, I], bias [O], shift [O] of a layer: random, lawful, neither vanishing nor saturating."""
    largest = layer.largest
    shape = len(layer.steps), len(largest)
    most = min(law.SUM_LIMIT // 2 // int(largest.sum()), law.OPERAND_MAX)
    weight = rng.integers(-most, most + 1, shape)
    reach = np.sqrt((weight.astype(float) ** 2 * largest**2).sum(1))
    shift = np.clip(np.round(np.log2(reach / 700)), 0, 24).astype(int)
    bias = rng.integers(-200, 201, shape[0]) * 2**shift
    return weight, np.clip(bias, -law.SUM_LIMIT // 4, law.SUM_LIMIT // 4), shift


def local(config, seed):
    """A random LocalAR."""
    rng = np.random.default_rng(seed)
    kind = layout.STREAM if config.reference != "zero" else (1.0, 1)
    beside = config.kind.extra
    extra = ((config.extra - sum(n for n, _, _ in beside), *kind), *beside)
    made = {}
    for layer in layout.local("net", config, extra):
        made[layer.name] = law.affine(layer.name, *integers(layer, rng), layer.largest)
    count = range(len(config.groups))
    return LocalAR(
        config,
        made["net.stem"],
        tuple(made[f"net.layers.{i}"] for i in range(config.depth)),
        tuple(made[f"net.heads.{i}"] for i in count),
        tuple(made[f"net.outs.{i}"] for i in count),
    )


def tensors(sizes, which, seed):
    """A random set of weights, as a model file holds it."""
    rng = np.random.default_rng(seed)
    result = {}
    for layer in layout.layers(sizes):
        weight, bias, shift = integers(layer, rng)
        name = f"{which}/{layer.name}"
        result[f"{name}.weight"] = weight.astype(np.int16)
        result[f"{name}.bias"] = bias.astype(np.int32)
        result[f"{name}.shift"] = shift.astype(np.uint8)
    result[f"{which}/rounding"] = rng.integers(1, 60, (sizes.levels, sizes.latent)).astype(np.int32)
    return result


def vlae(sizes, seed=0):
    """A random Vlae."""
    return weights.assemble(tensors(sizes, "net", seed), "net", config.to_json(sizes))


def save(path, parts, fields, answers=None, name="random"):
    """Write a model file. fields: set of weights -> its configuration. Answers are computed unless given."""
    if answers is None:
        answers = {w: weights.known_answer(weights.assemble(parts, w, f)) for w, f in fields.items()}
    texts = json.dumps(fields, sort_keys=True), json.dumps(answers, sort_keys=True)
    metadata = {"name": name, "configs": texts[0], "answers": texts[1], "id": weights.identity(parts, *texts)}
    save_file(parts, path, metadata)
