"""The integer VLAE: posterior q(z|x), prior p(z), preview and features of z, pixel model p(x|z).

Pictures are int32 [B, H, W, C] in 0..255 (or 0..1), H and W multiples of the stride; z is int32
[B, H/stride, W/stride, Z] in steps of its fine grid, 2**-5. Everything is exact: any device, batch or number of
threads gives the same integers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vlaezip.coding.logistic import Ints, Mixture
from vlaezip.coding.tables import SCALE_ZERO, WEIGHT_BITS
from vlaezip.config import LATENT_MAX, LocalConfig, VlaeConfig
from vlaezip.exact import Affine, Conv3, conv3, fold, rectify, spread, stream
from vlaezip.layout import preview_parts
from vlaezip.local_ar import LocalAR, Scene, Steps, samples
from vlaezip.window import CONTRAST_MAX

LOG_FINE = 55  # 16 ln 32: a scale of one unit of z, in steps of the fine grid
LOG_LOW, LOG_HIGH = -40, 0  # of the posterior's log-scale, in 1/16 nat
Shape = tuple[int, int, int]  # pictures, height, width
Block = tuple[Conv3, Affine]


@dataclass(frozen=True, slots=True)
class Stack:
    """Analysis or synthesis: stem, residual blocks, a change of resolution, residual blocks, result.

    direct: the path between pixels and the stream at the resolution of z, past the other stream.
    """

    stem: Affine | Conv3
    first: tuple[Block, ...]
    turn: Affine
    second: tuple[Block, ...]
    out: Affine
    direct: Affine | None


def run_blocks(x: Tensor, blocks: tuple[Block, ...]) -> Tensor:
    """Pre-activation residual blocks; x is consumed."""
    for a, b in blocks:
        x = stream(b(rectify(a(rectify(x.clone())))).add_(x))
    return x


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
        """z: the mean, rounded to the cells of a rounding step (DESIGN section 7)."""
        cell = (self.mean + 8 * steps.step) // (16 * steps.step)
        z: Ints = np.clip(cell, steps.low, steps.low + steps.count - 1) * steps.step
        return z


@dataclass(frozen=True, slots=True)
class Vlae:
    """One set of weights, ready to run. rounding: int32 [levels, Z], steps of z from coarse to fine."""

    config: VlaeConfig
    analysis: Stack
    synthesis: Stack
    prior: LocalAR
    pixel: LocalAR
    rounding: Ints

    @property
    def device(self) -> torch.device:
        return self.analysis.turn.bias.device

    def posterior(self, x: Ints) -> Posterior:
        """q(z|x) of pictures."""
        net = self.analysis
        centred = torch.from_numpy(x * self.config.gain).to(self.device).float() - 128
        h = run_blocks(stream(net.stem(fold(centred, self.config.unshuffle))), net.first)
        h = net.turn(fold(h, 2))
        if net.direct is not None:
            h += net.direct(fold(centred, self.config.stride))
        out = net.out(run_blocks(stream(h), net.second)).cpu().numpy().astype(np.int32)
        mean, log_scale = out[..., : self.config.latent], out[..., self.config.latent :]
        scale = np.clip(log_scale, LOG_LOW, LOG_HIGH) + (SCALE_ZERO + LOG_FINE)
        return Posterior(np.ascontiguousarray(mean), np.ascontiguousarray(scale))

    def preview(self, z: Ints, level: int = 0) -> tuple[Ints, NDArray[np.int16]]:
        """The mean picture of z, int32 [B, H, W, 3], and its features c(z), int16 [B, H, W, F]. level: z's rounding."""
        shown, features = self.synthesise(z, level)
        return shown.cpu().numpy(), features.cpu().numpy()

    def synthesise(self, z: Ints, level: int = 0) -> tuple[Tensor, Tensor]:
        """preview, left on the device."""
        net, c, parts = self.synthesis, self.config, preview_parts(self.config)
        seen = torch.from_numpy(z).to(self.device).float()
        if c.guided:
            told = seen.new_zeros(*z.shape[:3], c.levels)
            told[..., level] = 1
            seen = torch.cat([seen, told], 3)
        deep = run_blocks(stream(net.stem(seen)), net.first)
        h = run_blocks(stream(spread(net.turn(deep), 2)), net.second)
        out = spread(net.out(h), c.unshuffle)
        picture = out[..., : c.channels]
        if net.direct is not None:  # beyond 2**24 a sum might be rounded, but it is clamped all the same
            picture = (picture + spread(net.direct(deep), c.stride) + parts // 2).div_(parts).floor_()
        return (picture + 128).clamp_(0, 255).to(torch.int32), stream(out[..., c.channels :]).to(torch.int16)

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
        if self.config.pixel.reference != "preview":
            return Scene(np.zeros_like(base), features, steps, grey, warmth)
        extra = np.concatenate([features, neighbourhood(base)], 3)
        return Scene(base, extra, steps, grey, warmth)


def neighbourhood(preview: NDArray[np.int16]) -> NDArray[np.int16]:
    """3x3 differences to the centre, times 8, and the centre less 128: int16 [B, H, W, 27]."""
    edge = np.pad(preview, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    h, w = preview.shape[1:3]
    near = [edge[:, y : y + h, x : x + w] - preview for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    return np.concatenate([np.clip(8 * d, -CONTRAST_MAX, CONTRAST_MAX) for d in near] + [preview - 128], 3)


def build(config: VlaeConfig, layers: Mapping[str, Affine], rounding: Ints) -> Vlae:
    """Put proven layers together."""

    def blocks(prefix: str) -> tuple[Block, ...]:
        return tuple((conv3(layers[f"{prefix}.{i}.a"]), layers[f"{prefix}.{i}.b"]) for i in range(config.blocks))

    def local(name: str, c: LocalConfig) -> LocalAR:
        heads, outs = (tuple(layers[f"{name}.{kind}.{i}"] for i in range(len(c.groups))) for kind in ("heads", "outs"))
        stack = tuple(layers[f"{name}.layers.{i}"] for i in range(c.depth))
        return LocalAR(c, layers[f"{name}.stem"], stack, heads, outs)

    a, s = "analysis", "synthesis"
    return Vlae(
        config,
        Stack(
            layers[f"{a}.stem"],
            blocks(f"{a}.fine"),
            layers[f"{a}.down"],
            blocks(f"{a}.coarse"),
            layers[f"{a}.out"],
            layers.get(f"{a}.direct"),
        ),
        Stack(
            conv3(layers[f"{s}.stem"]),
            blocks(f"{s}.coarse"),
            layers[f"{s}.up"],
            blocks(f"{s}.fine"),
            layers[f"{s}.out"],
            layers.get(f"{s}.direct"),
        ),
        local("prior", config.prior),
        local("pixel", config.pixel),
        rounding,
    )
