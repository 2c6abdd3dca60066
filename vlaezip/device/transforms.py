"""The nets around z in torch, for any device: the twin of model/transforms.py.

Integers in float32, exact in any order of summation (law.py).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vlaezip.coding.logistic import Ints
from vlaezip.exact.law import ACTIVATION_MAX, STREAM_MAX, Affine
from vlaezip.model import transforms, vlae
from vlaezip.model.config import VlaeConfig
from vlaezip.model.layout import preview_parts


@dataclass(frozen=True, slots=True)
class Linear:
    """law.Affine in float32: weight [I, O], bias [O], scale = 2**-shift [O]."""

    weight: Tensor
    bias: Tensor
    scale: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """[..., I] integers -> [..., O] integers."""
        flat = torch.addmm(self.bias, x.reshape(-1, x.shape[-1]), self.weight).mul_(self.scale).floor_()
        return flat.view(*x.shape[:-1], -1)


@dataclass(frozen=True, slots=True)
class Conv3:
    """A 3x3 convolution, zeros outside, as nine products: [B, H, W, C] -> [B, H, W, O].

    (Winograd and FFT convolutions, which libraries choose by themselves, would not be exact.)
    """

    taps: tuple[Tensor, ...]  # nine [C, O], row by row
    bias: Tensor
    scale: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        b, h, w, c = x.shape
        edge = x.new_zeros(b, h + 2, w + 2, c)
        edge[:, 1:-1, 1:-1] = x
        total = self.bias.repeat(b * h * w, 1)
        for i, tap in enumerate(self.taps):
            top, left = divmod(i, 3)
            total.addmm_(edge[:, top : top + h, left : left + w].reshape(-1, c), tap)
        return total.mul_(self.scale).floor_().view(b, h, w, -1)


TorchBlock = tuple[Conv3, Linear]


@dataclass(frozen=True, slots=True)
class TorchStack:
    """transforms.Stack, on a device."""

    stem: Linear | Conv3
    first: tuple[TorchBlock, ...]
    turn: Linear
    second: tuple[TorchBlock, ...]
    out: Linear
    direct: Linear | None


def linear(layer: Affine, device: str) -> Linear:
    """A layer on a device."""
    weight, bias, shift = (torch.from_numpy(a) for a in (layer.weight, layer.bias, layer.shift))
    scale = torch.ldexp(torch.ones(len(shift)), -shift)
    return Linear(weight.float().to(device), bias.float().to(device), scale.to(device))


def conv3(layer: Affine, device: str) -> Conv3:
    """A layer whose inputs are nine neighbours."""
    flat = linear(layer, device)
    return Conv3(tuple(t.contiguous() for t in flat.weight.chunk(9)), flat.bias, flat.scale)


def stack(net: transforms.Stack, device: str) -> TorchStack:
    """Analysis or synthesis on a device."""
    first, second = (tuple((conv3(a, device), linear(b, device)) for a, b in part) for part in (net.first, net.second))
    stem = (conv3 if net.convolved else linear)(net.stem, device)
    direct = None if net.direct is None else linear(net.direct, device)
    return TorchStack(stem, first, linear(net.turn, device), second, linear(net.out, device), direct)


def rectify(x: Tensor) -> Tensor:
    """ReLU, clamped to the range that the next layer's proof takes for granted. In place."""
    return x.clamp_(0, ACTIVATION_MAX)


def stream(x: Tensor) -> Tensor:
    """Clamp of a signed residual stream. In place."""
    return x.clamp_(-STREAM_MAX - 1, STREAM_MAX)


def run_blocks(x: Tensor, blocks: tuple[TorchBlock, ...]) -> Tensor:
    """Pre-activation residual blocks; x is consumed."""
    for a, b in blocks:
        x = stream(b(rectify(a(rectify(x.clone())))).add_(x))
    return x


def fold(x: Tensor, n: int) -> Tensor:
    """Cells of n x n places as places: [B, H, W, C] -> [B, H / n, W / n, C * n * n], channel by channel."""
    b, h, w, c = x.shape
    return x.view(b, h // n, n, w // n, n, c).permute(0, 1, 3, 5, 2, 4).reshape(b, h // n, w // n, c * n * n)


def spread(x: Tensor, n: int) -> Tensor:
    """Inverse of fold."""
    b, h, w, c = x.shape
    c //= n * n
    return x.view(b, h, w, c, n, n).permute(0, 1, 4, 2, 5, 3).reshape(b, h * n, w * n, c)


class TorchTransforms:
    """The twin of PackedTransforms, on a device."""

    def __init__(
        self, config: VlaeConfig, analysis: transforms.Stack, synthesis: transforms.Stack, device: str
    ) -> None:
        self.config, self.device, self.stacks = config, device, (analysis, synthesis)
        self.analysis, self.synthesis = stack(analysis, device), stack(synthesis, device)

    def analyse(self, x: NDArray[np.int16]) -> Ints:
        """See vlae.Transforms."""
        net = self.analysis
        centred = torch.from_numpy(x).to(self.device).float()
        h = run_blocks(stream(net.stem(fold(centred, self.config.unshuffle))), net.first)
        h = net.turn(fold(h, 2))
        if net.direct is not None:
            h += net.direct(fold(centred, self.config.stride))
        found: Ints = net.out(run_blocks(stream(h), net.second)).cpu().numpy().astype(np.int32)
        return found

    def synthesise(self, z: Ints, level: int) -> tuple[Ints, NDArray[np.int16]]:
        """See vlae.Transforms."""
        preview, features = self.shown(z, level)
        return preview.cpu().numpy(), features.cpu().numpy()

    def shown(self, z: Ints, level: int) -> tuple[Tensor, Tensor]:
        """synthesise, left on the device."""
        net, c, parts = self.synthesis, self.config, preview_parts(self.config)
        seen = torch.from_numpy(z).to(self.device).float()
        if c.guided:
            one_hot = seen.new_zeros(*z.shape[:3], c.levels)
            one_hot[..., level] = 1
            seen = torch.cat([seen, one_hot], 3)
        coarse = run_blocks(stream(net.stem(seen)), net.first)
        h = run_blocks(stream(spread(net.turn(coarse), 2)), net.second)
        out = spread(net.out(h), c.unshuffle)
        picture = out[..., : c.channels]
        if net.direct is not None:  # beyond 2**24 a sum might be rounded, but it is clamped all the same
            picture = (picture + spread(net.direct(coarse), c.stride) + parts // 2).div_(parts).floor_()
        return (picture + 128).clamp_(0, 255).to(torch.int32), stream(out[..., c.channels :]).to(torch.int16)


@lru_cache(maxsize=2)
def of(nets: vlae.Transforms) -> TorchTransforms:
    """These nets in torch, where they are."""
    return nets if isinstance(nets, TorchTransforms) else TorchTransforms(nets.config, *nets.stacks, nets.device)
