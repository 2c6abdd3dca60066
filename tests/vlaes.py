"""Small random VLAEs of every form, pictures for them, and their latents."""

from dataclasses import replace

import numpy as np
import random_nets

from vlaezip.model.config import LATENT_MAX

CONFIGS = {
    "median": random_nets.vlae_config(),
    "preview": random_nets.vlae_config(2, "preview", levels=3),
    "deep": random_nets.vlae_config(3, "median", levels=1, unshuffle=1),
    "bare": random_nets.vlae_config(0, "preview"),
    "direct": replace(
        random_nets.vlae_config(2, "preview", levels=3), coarse=9, direct=True, guided=True, lambdas=(1.0,)
    ),
}


MODELS = {name: random_nets.vlae(c, seed=4) for name, c in CONFIGS.items()}


def pictures(shape, seed=0):
    """Half noise, half smooth."""
    rng = np.random.default_rng(seed)
    i, j, c = np.ogrid[: shape[1], : shape[2], :3]
    smooth = 128 + 60 * np.sin(i / 5 + c) + 60 * np.cos(j / 7 - c)
    return np.where(rng.random((*shape, 1)) < 0.5, smooth, rng.integers(0, 256, (*shape, 3))).astype(np.int32)


def latents(model, shape, seed=0):
    return (
        np.random.default_rng(seed)
        .integers(-LATENT_MAX, LATENT_MAX + 1, (*shape, model.config.latent))
        .astype(np.int32)
    )
