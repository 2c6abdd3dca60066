"""Nets that the VLAE paper compares with: floats for ablations, which no export turns into integers.

Each is a Vlae with a hook or two of its own; everything else, the terms, the bounds, the training, is shared.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlaezip.model.config import LocalConfig, VlaeConfig, Window
from vlaezip.train.nets import (
    FINE,
    LOG_HIGH,
    LOG_LOW,
    Analysis,
    LocalAR,
    Synthesis,
    Vlae,
    full,
    latent_bits,
    latent_params,
    rectify,
    whole,
)

ALONE = Window(up=0, left=0, right=0)
STRETCH = 2.0  # |log| of what the flow stretches a draw by, at the most
GUIDE = 8  # maps of the coarse z that the fine one's prior and the decoder see


def plain(prior: LocalConfig) -> LocalConfig:
    """One logistic a channel: what a Gaussian prior is, in this family of distributions."""
    return replace(prior, window=ALONE, groups=(prior.channels,), mixtures=1)


class Blind(Vlae):
    """A decoder that sees where a pixel lies, and nothing of z: features are those of a z of zeros. The KL vanishes."""

    def decode(self, z: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        return super().decode(torch.zeros_like(z), level)


class Flowed(Vlae):
    """A plain prior, and a posterior behind an inverse autoregressive flow (Kingma et al. 2016).

    z_i = e_i exp(s_i) + m_i, with s and m of e_1..e_(i-1) from a net as large as the autoregressive prior's: the flow
    that such a prior is, run in the opposite direction (VLAE, section 3.2), but that the prior may have mixtures.
    Law: the log-widths of cells add up to the log-determinant. So log2 q(e|x) on the cells of e is log2 q(z|x) on
    those of z, which tile its space as the fine grid does.
    """

    def __init__(self, c: VlaeConfig) -> None:
        super().__init__(replace(c, prior=plain(c.prior)))
        self.flow = LocalAR(replace(c.prior, mixtures=1))

    def warp(self, draw: Tensor) -> tuple[Tensor, Tensor]:
        b, _, h, w = draw.shape
        level = torch.zeros(b, dtype=torch.long, device=draw.device)
        params = latent_params(self.flow, draw, self.level_maps(draw, level))[..., 0]  # [B * h * w, Z, 3]
        _, m, s = params.float().view(b, h, w, -1, 3).permute(4, 0, 3, 1, 2)
        stretch = F.hardtanh(s, -STRETCH, STRETCH).exp()
        return draw * stretch + m, stretch / FINE


class TwoLevel(Vlae):
    """A coarse z above the fine one, each with a posterior and an autoregressive prior of its own.

    A quarter of the dimensions is coarse: at half the resolution of the rest, four times as many channels, kept
    shuffled in the first channels of z, so that z has the shape and the dimensions of one level. Maps of the coarse z
    guide the prior of the fine one, and the decoder: p(z) = p(coarse) p(fine|coarse), and p(x|coarse, fine).
    """

    def __init__(self, c: VlaeConfig) -> None:
        above = c.latent // 4  # channels of z that hold the coarse one
        below = c.latent - above
        wide = c.prior.extra + GUIDE
        super().__init__(replace(c, prior=replace(c.prior, channels=below, groups=(above,) * 3, extra=wide)))
        self.above = above
        self.analysis = Analysis(replace(c, latent=below))
        self.overview = Analysis(replace(c, latent=4 * above, unshuffle=2 * c.unshuffle))
        self.synthesis = Synthesis(replace(c, latent=below + GUIDE))
        self.top = LocalAR(replace(c.prior, channels=4 * above, groups=(above,) * 4))
        self.into = nn.Conv2d(4 * above, c.width, 3, padding=1)
        self.out = nn.Conv2d(c.width, 4 * GUIDE, 1)

    def parts(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Coarse [B, 4K, h/2, w/2] and fine [B, Z - K, h, w]."""
        return F.pixel_unshuffle(z[:, : self.above], 2), z[:, self.above :]

    def joined(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Inverse of parts."""
        return torch.cat([F.pixel_shuffle(coarse, 2), fine], 1)

    def guide(self, coarse: Tensor) -> Tensor:
        """Maps of the coarse z, at the resolution of the fine one. -> [B, GUIDE, h, w]."""
        with full(coarse):
            return F.pixel_shuffle(self.out(rectify(self.into(coarse))), 2)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shown = whole(x, 2 * self.config.stride)
        mean, log_scale = map(self.joined, self.overview(shown), self.analysis(shown))
        return mean, log_scale.clamp(LOG_LOW, LOG_HIGH)

    def prior_bits(self, z: Tensor, level: Tensor, step: Tensor | float, seen: Tensor | None = None) -> Tensor:
        steps = step if isinstance(step, Tensor) else torch.full_like(z, step)
        (coarse, fine), (coarse_step, fine_step) = self.parts(z), self.parts(steps)
        coarse_seen, fine_seen = self.parts(z if seen is None else seen)
        extra = torch.cat([self.level_maps(z, level), self.guide(coarse_seen)], 1)
        top = latent_bits(self.top, coarse, self.level_maps(coarse, level), coarse_step, coarse_seen)
        return self.joined(top, latent_bits(self.prior, fine, extra, fine_step, fine_seen))

    def decode(self, z: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        coarse, fine = self.parts(z)
        return self.synthesis(torch.cat([self.guide(coarse), fine], 1), level)


class Grey(Vlae):
    """p(x|z) sees of a window its greys alone, so that colours must come from z (VLAE, section 4.3).

    Within a place, red and blue still see the green that was coded before them.
    """

    def pixel_bits(self, x: Tensor, padded: Tensor, preview: Tensor, extra: Tensor) -> Tensor:
        return super().pixel_bits(x, padded.mean(3, keepdim=True).round().expand_as(padded), preview, extra)
