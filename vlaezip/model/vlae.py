"""The integer VLAE: posterior q(z|x), prior p(z), preview and features of z, pixel model p(x|z).

Pictures are int32 [B, H, W, C] in 0..255 (or 0..1), H and W multiples of the stride; z is int32
[B, H/stride, W/stride, Z] in steps of its fine grid, 2**-5. Everything is exact: any device, batch or number of
threads gives the same integers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.logistic import Ints, Mixture
from vlaezip.coding.tables import SCALE_ZERO, WEIGHT_BITS
from vlaezip.exact.law import Affine
from vlaezip.model.config import LATENT_MAX, LocalConfig, VlaeConfig
from vlaezip.model.local_ar import LocalAR, Scene, Steps, samples
from vlaezip.model.transforms import Stack
from vlaezip.model.window_kinds import CONTRAST_MAX, MID_LEVEL, NEIGHBOUR_GAIN, NEIGHBOURS

LOG_FINE = 55  # 16 ln 32: a scale of one unit of z, in steps of the fine grid
LOG_LOW, LOG_HIGH = -40, 0  # of the posterior's log-scale, in 1/16 nat
Shape = tuple[int, int, int]  # pictures, height, width


class Transforms(Protocol):
    """Analysis and synthesis, and where they are: those of transforms.py, or of the room of devices."""

    config: VlaeConfig
    device: str
    stacks: tuple[Stack, Stack]

    def __hash__(self) -> int: ...

    def analyse(self, x: NDArray[np.int16]) -> Ints: ...

    def synthesise(self, z: Ints, level: int) -> tuple[Ints, NDArray[np.int16]]: ...


@dataclass(frozen=True, slots=True)
class Posterior:
    """q(z|x), one logistic a value. mean in 1/16 of the fine grid, scale a table index: int32 [B, h, w, Z]."""

    mean: Ints
    scale: Ints

    def mixture(self) -> Mixture:
        """As mixtures of one component, for every value of z."""
        one = np.full((self.mean.size, 1), 1 << WEIGHT_BITS, np.int32)
        return Mixture(one, self.mean.reshape(-1, 1), self.scale.reshape(-1, 1))

    def round(self, steps: Steps) -> Ints:
        """z: the mean, rounded to the cells of a rounding step."""
        cell = (self.mean + 8 * steps.step) // (16 * steps.step)
        z: Ints = np.clip(cell, steps.low, steps.low + steps.count - 1) * steps.step
        return z


@dataclass(frozen=True, slots=True)
class Vlae:
    """One set of weights, ready to run. rounding: int32 [levels, Z], steps of z from coarse to fine."""

    config: VlaeConfig
    nets: Transforms
    prior: LocalAR
    pixel: LocalAR
    rounding: Ints

    @property
    def device(self) -> str:
        """Where the nets around z are. The local models are on the CPU, where their kernels are."""
        return self.nets.device

    def posterior(self, x: Ints) -> Posterior:
        """q(z|x) of pictures."""
        out = self.nets.analyse(x.astype(np.int16) * np.int16(self.config.gain) - np.int16(MID_LEVEL))
        mean, log_scale = out[..., : self.config.latent], out[..., self.config.latent :]
        scale = np.clip(log_scale, LOG_LOW, LOG_HIGH) + (SCALE_ZERO + LOG_FINE)
        return Posterior(np.ascontiguousarray(mean), np.ascontiguousarray(scale))

    def preview(self, z: Ints, level: int = 0) -> tuple[Ints, NDArray[np.int16]]:
        """The mean picture of z, int32 [B, H, W, 3], and its features c(z), int16 [B, H, W, F]. level: z's rounding."""
        return self.nets.synthesise(z, level)

    def steps(self, level: int | None) -> Steps:
        """Symbols of z: the fine grid (None), or the cells of a rounding level."""
        step = np.ones(self.config.latent, np.int32) if level is None else self.rounding[level]
        half = LATENT_MAX // step
        return Steps(step, -half, 2 * half + 1)

    def prior_scene(self, shape: Shape, level: int | None) -> Scene:
        """p(z) for pictures of z of a shape [B, h, w]."""
        extra = np.zeros((*shape, self.config.levels), np.int16)
        extra[..., level or 0] = 1
        return Scene(np.zeros((*shape, self.config.latent), np.int16), extra, self.steps(level))

    def pixel_scene(self, z: Ints, shape: Shape, grey: bool = False, warmth: int = 0, level: int = 0) -> Scene:
        """p(x|z) for pictures of a shape [B, H, W], cut from what z covers."""
        return self.scene_of(*self.preview(z, level), shape, grey, warmth)

    def scene_of(self, preview: Ints, features: NDArray[np.int16], shape: Shape, grey: bool, warmth: int) -> Scene:
        """pixel_scene, from a preview and features that are there already."""
        _, h, w = shape
        base, features = preview[:, :h, :w].astype(np.int16), features[:, :h, :w]
        steps = samples(self.config.channels, self.config.values)
        if not self.config.pixel.kind.residual:
            return Scene(np.zeros_like(base), features, steps, grey, warmth)
        extra = np.concatenate([features, neighbourhood(base)], 3)
        return Scene(base, extra, steps, grey, warmth)


def neighbourhood(preview: NDArray[np.int16]) -> NDArray[np.int16]:
    """The NEIGHBOURHOOD of every place: int16 [B, H, W, 27]."""
    edge = np.pad(preview, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    h, w = preview.shape[1:3]
    near = [edge[:, y : y + h, x : x + w] - preview for y, x in NEIGHBOURS]
    return np.concatenate(
        [np.clip(NEIGHBOUR_GAIN * d, -CONTRAST_MAX, CONTRAST_MAX) for d in near] + [preview - MID_LEVEL], 3
    )


def stacks(config: VlaeConfig, layers: Mapping[str, Affine]) -> tuple[Stack, Stack]:
    """Analysis and synthesis of proven layers."""

    def stack(name: str, first: str, turn: str, second: str, convolved: bool) -> Stack:
        blocks = (
            tuple((layers[f"{name}.{kind}.{i}.a"], layers[f"{name}.{kind}.{i}.b"]) for i in range(config.blocks))
            for kind in (first, second)
        )
        stem, out, direct = layers[f"{name}.stem"], layers[f"{name}.out"], layers.get(f"{name}.direct")
        return Stack(stem, convolved, next(blocks), layers[f"{name}.{turn}"], next(blocks), out, direct)

    return stack("analysis", "fine", "down", "coarse", False), stack("synthesis", "coarse", "up", "fine", True)


def build(config: VlaeConfig, nets: Transforms, layers: Mapping[str, Affine], rounding: Ints) -> Vlae:
    """Put proven layers together."""

    def local(name: str, c: LocalConfig) -> LocalAR:
        heads, outs = (tuple(layers[f"{name}.{kind}.{i}"] for i in range(len(c.groups))) for kind in ("heads", "outs"))
        stack = tuple(layers[f"{name}.layers.{i}"] for i in range(c.depth))
        return LocalAR(c, layers[f"{name}.stem"], stack, heads, outs)

    return Vlae(config, nets, local("prior", config.prior), local("pixel", config.pixel), rounding)
