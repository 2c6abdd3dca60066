"""Parity: what the exact integers code, against the float net they were rounded from, on the same z and pixels."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from vlaezip.codec import block
from vlaezip.device.window import pad
from vlaezip.model import local_ar, vlae, weights
from vlaezip.model.config import LATENT_BITS
from vlaezip.train.data import load
from vlaezip.train.export import average, float_file
from vlaezip.train.nets import FINE, Vlae, preview_neighbourhood

SIDE = 512  # pictures are cut to this, whole strides


@dataclass(frozen=True, slots=True)
class Parity:
    """Bits per channel value of one picture: -log2 p(x|z) and -log2 p(z), exact and float."""

    name: str
    exact_pixels: float
    float_pixels: float
    exact_latent: float
    float_latent: float

    @property
    def excess(self) -> float:
        """What rounding the nets costs, as a share."""
        return (self.exact_pixels + self.exact_latent) / (self.float_pixels + self.float_latent) - 1


@torch.no_grad()
def float_bits(net: Vlae, x: torch.Tensor, z: torch.Tensor, level: int) -> tuple[float, float]:
    """-log2 p(x|z) and -log2 p(z) of the float net. x [1, H, W, 3]; z [1, Z, h, w] in real units."""
    step = net.log_step.exp()[level][None, :, None, None].mul(FINE).round() / FINE
    rounding = torch.tensor([level])
    latent = net.prior_bits(z, rounding, step).sum().item()
    preview, features = (t.permute(0, 2, 3, 1) for t in net.synthesis(z, rounding))
    kind = net.config.pixel.kind
    shown = preview.round().clamp(0, 255) if kind.residual else torch.zeros_like(x)
    extra = torch.cat([features, preview_neighbourhood(shown)], 3) if shown.any() else features
    padded = pad(x - shown, net.config.pixel.window, kind.fill)
    return net.pixel_bits(x, padded, shown, extra.flatten(0, 2)).sum().item(), latent


def exact_bits(model: vlae.Vlae, x: np.ndarray, z: np.ndarray, level: int) -> tuple[float, float]:
    """The same of the exact model."""
    pixels = local_ar.encode_intervals(model.pixel, model.pixel_scene(z, x.shape[:3], level=level), x)
    latent = local_ar.encode_intervals(model.prior, model.prior_scene(z.shape[:3], level), z)
    return pixels.bits, latent.bits


def parity(info: weights.ModelInfo, which: str, paths: Iterable[Path], level: int = 0) -> Iterator[Parity]:
    """Compare a set of weights with the float weights it was rounded from, picture by picture."""
    model = weights.load(info.path, which)
    net = average(float_file(info.path, which), f"{info.name}-{which}")
    for path in paths:
        picture = load(path)[:SIDE, :SIDE]
        h, w = (n // model.config.stride * model.config.stride for n in picture.shape[:2])
        x = picture[None, :h, :w].astype(np.int32)
        z = block.posterior(model, x).round(model.steps(level))
        real = torch.from_numpy(z).permute(0, 3, 1, 2) * 2.0**-LATENT_BITS
        exact, floats = exact_bits(model, x, z, level), float_bits(net, torch.from_numpy(x).float(), real, level)
        yield Parity(path.name, *(v / x.size for pair in zip(exact, floats, strict=True) for v in pair))
