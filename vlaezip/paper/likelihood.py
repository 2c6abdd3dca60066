"""Bounds on the likelihood of small pictures: the ELBO, and importance sampling (Burda et al. 2016, eq. 8).

z is what a file holds: on the fine grid, drawn from q(z|x) rounded to it. So -ELBO is the length that bits-back codes
need, and with more samples comes the length of a code that could sum over z. The lossy code is another z: the mean of
q(z|x), rounded in coarser steps.
"""

import errno
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from vlaezip.model import weights
from vlaezip.model.config import LATENT_MAX
from vlaezip.paper.lossy_code import WIDER
from vlaezip.train.export import average, coarse_steps, float_file
from vlaezip.train.nets import FINE, Vlae
from vlaezip.train.sets import Pictures, batch

NATS = math.log(2)  # in a bit


class Bits(NamedTuple):
    """Of one draw of z for each of B pictures: -log2 p(x|z), -log2 p(z), log2 q(z|x), float64 [B]."""

    distortion: Tensor
    prior: Tensor
    posterior: Tensor

    @property
    def kl(self) -> Tensor:
        return self.prior + self.posterior

    @property
    def total(self) -> Tensor:
        return self.distortion + self.kl


@torch.no_grad()
def draws(net: Vlae, x: Tensor, padded: Tensor, samples: int) -> Iterator[Bits]:
    """Draws of z, one after another, for pictures [B, H, W, C]; padded: their windows' view."""
    b = len(x)
    mean, log_scale = net.posterior(x)
    scale, half = log_scale.exp(), 0.5 / FINE
    level = torch.zeros(b, dtype=torch.long, device=x.device)
    for _ in range(samples):
        u = torch.rand_like(mean).clamp(1e-6, 1 - 1e-6)
        draw = (((mean + scale * torch.logit(u)) * FINE).round() / FINE).clamp(-LATENT_MAX / FINE, LATENT_MAX / FINE)
        d = (draw - mean).abs()
        log_q = torch.log2(torch.sigmoid((half - d) / scale) - torch.sigmoid((-half - d) / scale))
        z, step = net.warp(draw)
        prior = net.prior_bits(z, level, step)
        features = net.decode(z, level)[1][..., : x.shape[1], : x.shape[2]]
        extra = features.permute(0, 2, 3, 1).flatten(0, 2)
        pixels = net.pixel_bits(x, padded, torch.zeros_like(x), extra)
        yield Bits(*(v.double().reshape(b, -1).sum(1) for v in (pixels, prior, log_q)))


@torch.no_grad()
def code_bits(net: Vlae, x: Tensor) -> Tensor:
    """-log2 p(z) of the lossy code of pictures [B, H, W, C], float64 [B]: sheets.reconstruct's, in floats.

    The codec's own count is a little less: its scales are in 1/16 nats, which makes those of z 3 % narrower.
    """
    steps = (WIDER * coarse_steps(net.log_step[0])).round().view(1, -1, 1, 1)
    cells = torch.div(LATENT_MAX, steps, rounding_mode="floor")
    mean = net.warp(net.posterior(x)[0])[0] * FINE
    z = (mean / steps + 0.5).floor().clamp(-cells, cells) * steps
    level = torch.zeros(len(x), dtype=torch.long, device=x.device)
    return net.prior_bits(z / FINE, level, (steps / FINE).expand_as(z)).double().flatten(1).sum(1)


class Likelihood(NamedTuple):
    """Of N pictures, in bits: one-sample ELBO in its parts, importance-sampled bound, lossy code; float64 [N]."""

    distortion: Tensor
    kl: Tensor
    bound: Tensor
    code: Tensor


def evaluate(net: Vlae, pictures: Pictures, samples: int, size: int = 100) -> Iterator[Likelihood]:
    """Batch after batch of pictures [N, H, W, C]; each sees `samples` draws. The ELBO is the mean of all draws."""
    device = next(net.parameters()).device
    c = net.config.pixel
    for start in range(0, len(pictures), size):
        x, padded = (t.to(device) for t in batch(pictures[start : start + size], c.window, c.kind.fill))
        found = list(draws(net, x, padded, samples))
        weight = torch.stack([-NATS * f.total for f in found])
        bound = (math.log(samples) - torch.logsumexp(weight, 0)) / NATS
        distortion, kl = torch.stack([f.distortion for f in found]), torch.stack([f.kl for f in found])
        yield Likelihood(distortion.mean(0), kl.mean(0), bound, code_bits(net, x))


def joined(parts: list[Likelihood]) -> Likelihood:
    return Likelihood(*(torch.cat(p) for p in zip(*parts, strict=True)))


def standard_error(bits: Tensor) -> float:
    """Of the mean over pictures."""
    return float(bits.std() / math.sqrt(len(bits)))


def trained(preset: str, found: Path | None, device: str) -> Vlae:
    """The net of a preset. found: a run's folder or float weights; None: those of a checkout. Raises OSError."""
    return average(found or shipped(preset), preset).to(device)


def shipped(preset: str) -> Path:
    """The float weights that an installed model was rounded from. Raises FileNotFoundError: a wheel has none."""
    path = float_file(weights.find(preset).path, "lossless")
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, "a wheel has no float weights: name some with --weights", str(path))
    return path


def describe(result: Likelihood, values: int, samples: int) -> Iterator[str]:
    """Lines about pictures of so many values."""
    for label, bits in (
        ("-ELBO", result.distortion + result.kl), ("  distortion", result.distortion), ("  KL", result.kl),
        (f"NLL, {samples} importance samples", result.bound),
    ):  # fmt: skip
        mean, error = float(bits.mean()), standard_error(bits)
        yield f"{label:32}{NATS * mean:9.3f} nats +- {NATS * error:.3f}  {mean / values:8.4f} bits per dimension"
    yield f"{'lossy code':32}{float(result.code.mean()):9.3f} bits +- {standard_error(result.code):.3f}  a picture"
