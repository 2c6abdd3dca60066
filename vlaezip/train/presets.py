"""What each shipped set of weights looks like, and how it is trained."""

from dataclasses import dataclass, replace
from typing import Any

from vlaezip.model.config import LocalConfig, VlaeConfig, Window
from vlaezip.model.layout import with_extra
from vlaezip.train.nets import Vlae

UNCOUNTED = 0  # inputs beside a window: with_extra() counts them
PIXEL_WINDOW = Window(up=4, left=5, right=4)
LATENT_WINDOW = Window(up=2, left=3, right=2)
LAMBDAS = (0.00018, 0.00035, 0.00068, 0.0013, 0.0026, 0.005, 0.0097, 0.019)  # rates from 0.06 to 0.7 bits a pixel


@dataclass(frozen=True, slots=True)
class Recipe:
    """steps: optimiser steps to a learning rate of zero. crop: side of a training crop; batch: crops a step.

    rate_target: bits per channel value that soft free bits keep in z (lossless). lambdas: weight of the preview's
    squared error against bits per pixel, one a level (lossy). dream: train p(x|z) and the features alone (lossy).
    data: a set of small pictures (sets.py); "": crops of photographs. beta: weight of the KL; free: bits per channel
    value of it that cost nothing (free bits); warm: part of the run in which beta grows from zero. stable: part of it
    at the full rate. optimiser: one of optimisers.OPTIMISERS. average: decay of the Polyak average, 0: none. final: the
    held-out pictures are trained on too. net: what is trained, for ablations one of paper/variants.py.
    """

    config: VlaeConfig
    steps: int
    crop: int
    batch: int
    rate: float
    rate_target: float
    preview_weight: float
    lambdas: tuple[float, ...]
    dream: bool = False
    data: str = ""
    optimiser: str = "adam"
    average: float = 0.999
    final: bool = False
    beta: float = 1.0
    free: float = 0.0
    warm: float = 0.0
    stable: float = 0.0
    net: type[Vlae] = Vlae


def pixel(
    reference: str, hidden: int, depth: int, head: int, mixtures: int, window: Window = PIXEL_WINDOW
) -> LocalConfig:
    """A model of pixels in colour."""
    return LocalConfig(3, window, hidden, depth, head, mixtures, (1, 1, 1), reference, UNCOUNTED)


def prior(
    groups: tuple[int, ...], hidden: int, depth: int, head: int, mixtures: int, window: Window = LATENT_WINDOW
) -> LocalConfig:
    """A model of z."""
    return LocalConfig(sum(groups), window, hidden, depth, head, mixtures, groups, "zero", UNCOUNTED)


def vlae(**sizes: Any) -> VlaeConfig:
    """A VLAE, the inputs of its local models counted."""
    return with_extra(VlaeConfig(**sizes))


def lossless(hidden: int) -> Recipe:
    return Recipe(
        vlae(
            unshuffle=8, width=48, blocks=1, latent=4, features=8, levels=1,
            prior=prior((4,), 64, 1, 32, 2),
            pixel=pixel("median", hidden, 2, 48, 5),
        ),
        steps=40_000, crop=48, batch=8, rate=2e-3, rate_target=0.004, preview_weight=2e-5, lambdas=(),
    )  # fmt: skip


LOSSY = Recipe(
    vlae(
        unshuffle=4, width=96, blocks=2, latent=48, features=16, levels=8,
        prior=prior((5, 5, 5, 5, 7, 7, 7, 7), 160, 2, 96, 2),
        pixel=pixel("preview", 128, 2, 48, 4), coarse=128, direct=True, guided=True,
        lambdas=LAMBDAS, anchor=2,
    ),
    steps=12_000, crop=128, batch=4, rate=7e-4, rate_target=0.0, preview_weight=1.0,
    lambdas=LAMBDAS,
)  # fmt: skip


def binary(data: str, steps: int) -> Recipe:
    """28x28 pictures of 0 and 1; z has 64 dimensions, four channels of 4x4."""
    return Recipe(
        vlae(
            unshuffle=4, width=64, blocks=2, latent=4, features=24, levels=1,
            prior=prior((1, 1, 1, 1), 96, 1, 48, 3, Window(up=3, left=3, right=3)),
            pixel=LocalConfig(1, Window(up=5, left=6, right=5), 64, 2, 32, 1, (1,), "binary", UNCOUNTED),
            coarse=128, channels=1, values=2,
        ),
        steps=steps, crop=28, batch=64, rate=2e-3, rate_target=0.0, preview_weight=1e-6, lambdas=(), data=data,
        warm=0.05,
    )  # fmt: skip


PRESETS = {
    "photo-lossless": lossless(hidden=160),
    "photo-fast-lossless": lossless(hidden=128),
    "photo-lossy": LOSSY,
    "photo-dream": replace(LOSSY, steps=10_000, crop=96, batch=8, rate=1e-3, dream=True),
    "mnist-static": binary("mnist-static", 20_000),
    "mnist-dynamic": binary("mnist-dynamic", 20_000),
    "omniglot": binary("omniglot", 10_000),
    "caltech": binary("caltech", 4_000),
    "cifar10": Recipe(
        vlae(
            unshuffle=2,
            width=64,
            blocks=1,
            latent=16,
            features=16,
            levels=1,
            prior=prior((4, 4, 4, 4), 96, 1, 48, 2),
            pixel=pixel("median", 128, 2, 48, 5),
        ),
        steps=12_000,
        crop=32,
        batch=16,
        rate=2e-3,
        rate_target=0.0,
        preview_weight=2e-5,
        lambdas=(),
        data="cifar10",
        warm=0.05,
    ),
    "cifar10-wide": Recipe(
        vlae(
            unshuffle=2,
            width=64,
            blocks=1,
            latent=16,
            features=32,
            levels=1,
            prior=prior((4, 4, 4, 4), 96, 1, 48, 2),
            pixel=pixel("median", 256, 3, 64, 8, Window(up=5, left=6, right=6)),
        ),
        steps=24_000,
        crop=32,
        batch=16,
        rate=2e-3,
        rate_target=0.0,
        preview_weight=2e-5,
        lambdas=(),
        data="cifar10",
        warm=0.02,
    ),
}
