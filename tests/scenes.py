"""Small random local models of every kind, what they may know before the first symbol, and values."""

import numpy as np
import random_nets

from vlaezip.model.config import LATENT_MAX
from vlaezip.model.local_ar import PIXELS, Scene, Steps

KINDS = {
    "median": random_nets.local_config("median"),
    "preview": random_nets.local_config("preview"),
    "zero": random_nets.local_config("zero"),
    "grouped": random_nets.local_config("zero", (3, 1)),
    "one group": random_nets.local_config("median", (3,), mixtures=1),
}


NETS = {kind: random_nets.local(config, 5) for kind, config in KINDS.items() if kind != "one group"}


def random_scene(rng, net, shape, grey=False):
    """Random features, preview and rounding steps."""
    config = net.config
    extra = (
        rng.integers(0, 2, (*shape, config.extra))
        if config.reference == "zero"
        else rng.integers(-128, 129, (*shape, config.extra))
    )
    base = (
        rng.integers(0, 256, (*shape, config.channels))
        if config.reference == "preview"
        else np.zeros((*shape, config.channels))
    )
    steps = PIXELS
    if config.reference == "zero":
        step = rng.integers(1, 90, config.channels).astype(np.int32)
        steps = Steps(step, -(LATENT_MAX // step), 2 * (LATENT_MAX // step) + 1)
    if grey:
        base = np.repeat(base[..., :1], config.channels, 3)
    return Scene(base.astype(np.int16), extra.astype(np.int16), steps, grey, int(rng.integers(-20, 9)))


def random_values(rng, scene):
    """Random values of a scene's symbols."""
    shape, steps = scene.base.shape, scene.steps
    x = (steps.low + rng.integers(0, steps.count, shape)) * steps.step
    return np.repeat(x[..., :1], shape[3], 3).astype(np.int32) if scene.grey else x.astype(np.int32)
