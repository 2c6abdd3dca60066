"""The float VLAE (Chen et al. 2017), built so that rounding it is all that an export has to do.

Activations are clamped to the ranges that the integer nets have (config.py); inputs are the integers of
window.py. Pictures are [B, H, W, C] integers 0..255 in float32; results are bits.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlaezip.device.float_mixture import symbol_bits
from vlaezip.device.window import contrast, describe, pad
from vlaezip.exact.law import ACTIVATION_BITS, ACTIVATION_MAX, STREAM_MAX
from vlaezip.model.config import LATENT_BITS, LATENT_MAX, LocalConfig, VlaeConfig
from vlaezip.model.window import GAIN_BITS, GAIN_OF, input_columns
from vlaezip.model.window_kinds import CONTRAST_MAX, CONTRAST_UNIT, LEVEL_UNIT, MID_LEVEL, NEIGHBOUR_GAIN, NEIGHBOURS

UNIT = 2.0**-ACTIVATION_BITS
FINE = 2.0**LATENT_BITS
SHARE = 1 - 2.0**-13  # of all mass that mixtures have, about: symbols, some hundreds, have a unit each
LOG_LOW, LOG_HIGH = -2.5, 0.0  # of the posterior's log-scale, in nats
FLAT = 16.0  # squared difference of neighbours, above which no seam is seen


def rectify(x: Tensor) -> Tensor:
    return F.hardtanh(x, 0, ACTIVATION_MAX * UNIT)


def stream(x: Tensor) -> Tensor:
    return F.hardtanh(x, -(STREAM_MAX + 1) * UNIT, STREAM_MAX * UNIT)


def full(x: Tensor) -> torch.autocast:
    """Leave autocast: z and the preview need more than the 8 bits of bfloat16."""
    return torch.autocast(x.device.type, enabled=False)


def soft_contrast(difference: Tensor, gain: Tensor) -> Tensor:
    """window.contrast, with the gradient of the unrounded value."""
    soft = (difference * (gain * 2.0**-GAIN_BITS)).clamp(-CONTRAST_MAX, CONTRAST_MAX)
    return soft + (contrast(difference.detach(), gain) - soft).detach()


class ResidualBlock(nn.Module):
    """Pre-activation residual block: a 3x3 and a 1x1 convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.a = nn.Conv2d(width, width, 3, padding=1)
        self.b = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.b.weight)
        nn.init.zeros_(self.b.bias)

    def forward(self, x: Tensor) -> Tensor:
        return stream(x + self.b(rectify(self.a(rectify(x)))))


class Analysis(nn.Module):
    """Picture -> location and log-scale of q(z|x). [B, 3, H, W] -> two of [B, Z, H/stride, W/stride]."""

    def __init__(self, c: VlaeConfig) -> None:
        super().__init__()
        self.unshuffle, self.gain = c.unshuffle, c.gain
        self.stem = nn.Conv2d(c.channels * c.unshuffle**2, c.width, 1)
        self.fine = nn.ModuleList(ResidualBlock(c.width) for _ in range(c.blocks))
        self.down = nn.Conv2d(4 * c.width, c.coarse_width, 1)
        self.direct = nn.Conv2d(c.channels * c.stride**2, c.coarse_width, 1) if c.direct else None
        self.coarse = nn.ModuleList(ResidualBlock(c.coarse_width) for _ in range(c.blocks))
        self.out = nn.Conv2d(c.coarse_width, 2 * c.latent, 1)
        with torch.no_grad():  # begin with a posterior that says little
            self.out.weight[c.latent :] *= 0.1
            self.out.bias[c.latent :] = -0.5

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = (x * self.gain - 128) / 64
        h = stream(self.stem(F.pixel_unshuffle(x, self.unshuffle)))
        for block in self.fine:
            h = block(h)
        h = self.down(F.pixel_unshuffle(h, 2))
        if self.direct is not None:
            h = h + self.direct(F.pixel_unshuffle(x, 2 * self.unshuffle))
        h = stream(h)
        for block in self.coarse:
            h = block(h)
        with full(h):
            mean, log_scale = self.out(h.float()).chunk(2, 1)
        return mean * 4, log_scale


class Synthesis(nn.Module):
    """z -> preview [B, 3, H, W], in 0..255, and features c(z) [B, F, H, W]."""

    def __init__(self, c: VlaeConfig) -> None:
        super().__init__()
        self.unshuffle, self.channels = c.unshuffle, c.channels
        self.levels = c.levels if c.guided else 0
        self.stem = nn.Conv2d(c.latent + self.levels, c.coarse_width, 3, padding=1)
        self.coarse = nn.ModuleList(ResidualBlock(c.coarse_width) for _ in range(c.blocks))
        self.direct = nn.Conv2d(c.coarse_width, c.channels * c.stride**2, 1) if c.direct else None
        self.up = nn.Conv2d(c.coarse_width, 4 * c.width, 1)
        self.fine = nn.ModuleList(ResidualBlock(c.width) for _ in range(c.blocks))
        self.out = nn.Conv2d(c.width, (c.channels + c.features) * c.unshuffle**2, 1)

    def forward(self, z: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """z [B, Z, h, w], level [B]: which rounding z has been through."""
        if self.levels:
            one_hot = F.one_hot(level, self.levels).to(z.dtype)[:, :, None, None]
            z = torch.cat([z, one_hot.expand(-1, -1, *z.shape[2:])], 1)
        with full(z):
            h = stream(self.stem(z))
        for block in self.coarse:
            h = block(h)
        coarse = h
        h = stream(F.pixel_shuffle(self.up(h), 2))
        for block in self.fine:
            h = block(h)
        with full(h):
            o = F.pixel_shuffle(self.out(h.float()), self.unshuffle)
            preview = o[:, : self.channels]
            if self.direct is not None:
                preview = preview + F.pixel_shuffle(self.direct(coarse.float()), 2 * self.unshuffle)
        return preview * 64 + 128, stream(o[:, self.channels :])


class LocalAR(nn.Module):
    """Mixtures for every channel of a place, from its window: the float twin of local_ar.LocalAR."""

    def __init__(self, c: LocalConfig) -> None:
        super().__init__()
        self.config = c
        self.register_buffer(
            "units", torch.cat([torch.full((n,), u) for n, u, _ in input_columns(c)]), persistent=False
        )
        self.stem = nn.Linear(len(self.units) + c.extra, c.hidden)
        self.layers = nn.ModuleList(nn.Linear(c.hidden, c.hidden) for _ in range(c.depth))
        seen, widths = 0, []
        for g in c.groups:
            widths.append(c.hidden + seen)
            seen += g
        self.heads = nn.ModuleList(nn.Linear(w, c.head) for w in widths)
        self.outs = nn.ModuleList(nn.Linear(c.head, 3 * c.mixtures * g) for g in c.groups)
        for out in self.outs:
            nn.init.normal_(out.weight, std=0.02)
            nn.init.zeros_(out.bias)
            # spread the means a little and start wide
            with torch.no_grad():
                b = out.bias.view(3, -1, c.mixtures)
                b[1] = torch.linspace(-0.5, 0.5, c.mixtures) if c.mixtures > 1 else 0.0

    def forward(self, inputs: Tensor, extra: Tensor, values: Tensor, gain: Tensor) -> Tensor:
        """inputs [N, I], extra [N, E] (real), values - base [N, C] in coding order -> [N, C, 3, K]."""
        h = rectify(self.stem(torch.cat([inputs * self.units, extra], 1)))
        for layer in self.layers:
            h = rectify(h + layer(h))
        known = soft_contrast(values, gain[:, None]) * CONTRAST_UNIT
        result, start = [], 0
        for g, head, out in zip(self.config.groups, self.heads, self.outs, strict=True):
            o = out(rectify(head(torch.cat([h, known[:, :start]], 1))))
            result.append(o.view(len(h), 3, g, -1).transpose(1, 2))
            start += g
        return torch.cat(result, 1)


def latent_params(model: LocalAR, shown: Tensor, extra: Tensor) -> Tensor:
    """What a model says of every place of a grid. shown [B, Z, h, w], extra [B, E, h, w] -> [B * h * w, Z, 3, K]."""
    c = model.config
    fine = shown.permute(0, 2, 3, 1) * FINE
    context = gather_windows(pad(fine, c.window, c.kind.fill), c).flatten(1)
    gain = torch.full((len(context),), float(1 << GAIN_BITS), device=shown.device)
    with full(shown):
        seen = context.clamp(-LATENT_MAX, LATENT_MAX)
        return model(seen, extra.permute(0, 2, 3, 1).flatten(0, 2), fine.flatten(0, 2), gain)


def latent_bits(model: LocalAR, z: Tensor, extra: Tensor, step: Tensor | float, seen: Tensor | None = None) -> Tensor:
    """-log2 of a model's mass on [z - step/2, z + step/2), as Vlae.prior_bits. extra [B, E, h, w]."""
    b, _, h, w = z.shape
    params = latent_params(model, z if seen is None else seen, extra)
    values = (z * FINE).permute(0, 2, 3, 1).flatten(0, 2)
    size = torch.full((len(values),), model.config.kind.size, device=z.device)
    if isinstance(step, Tensor):
        step = (step * FINE).expand_as(z).permute(0, 2, 3, 1).flatten(0, 2)
    bits = symbol_bits(params, values, size, -LATENT_MAX, LATENT_MAX, values, step, SHARE)
    return bits.view(b, h, w, -1).permute(0, 3, 1, 2)


class Terms(NamedTuple):
    """Bits per channel value; the preview's error in squared levels, one value a picture."""

    pixels: Tensor
    kl: Tensor
    preview_mse: Tensor


class Vlae(nn.Module):
    """q(z|x), p(z), preview and features of z, p(x|z): everything that one set of weights holds."""

    def __init__(self, c: VlaeConfig) -> None:
        super().__init__()
        self.config = c
        self.analysis = Analysis(c)
        self.synthesis = Synthesis(c)
        self.prior = LocalAR(c.prior)
        self.pixel = LocalAR(c.pixel)
        # Rounding steps of z, from coarse to fine in rows: log of the step in units of z.
        ladder = torch.linspace(0.0, -2.1, c.levels) if c.levels > 1 else torch.zeros(1)
        self.log_step = nn.Parameter(ladder[:, None].repeat(1, c.latent))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Location and log-scale of q(z|x) for pictures [B, H, W, C] of any size, their edges replicated."""
        mean, log_scale = self.analysis(whole(x, self.config.stride))
        return mean, log_scale.clamp(LOG_LOW, LOG_HIGH)

    def warp(self, draw: Tensor) -> tuple[Tensor, Tensor]:
        """A draw from the posterior's logistics, in cells of the fine grid -> z, and the widths of its cells."""
        return draw, torch.full_like(draw, 1 / FINE)

    def decode(self, z: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """z -> preview and features."""
        return self.synthesis(z, level)

    def level_maps(self, z: Tensor, level: Tensor) -> Tensor:
        """The level at every place of z, one-hot. -> [B, levels, h, w]."""
        return F.one_hot(level, self.config.levels).float()[:, :, None, None].expand(-1, -1, *z.shape[2:])

    def prior_bits(self, z: Tensor, level: Tensor, step: Tensor | float, seen: Tensor | None = None) -> Tensor:
        """-log2 of the prior's mass on [z - step/2, z + step/2). z [B, Z, h, w], level [B] -> [B, Z, h, w].

        seen: what windows and later channels see instead of z (in training z is noisy, and seen is rounded).
        """
        return latent_bits(self.prior, z, self.level_maps(z, level), step, seen)

    def pixel_bits(self, x: Tensor, padded: Tensor, preview: Tensor, extra: Tensor) -> Tensor:
        """-log2 p(x|z) of each value. x, preview [B, H, W, 3]; padded: what windows see of x - preview."""
        c = self.config.pixel
        view = describe(gather_windows(padded, c), c)
        order = list(c.order)
        target = x.flatten(0, 2)[:, order]
        offset = target - (view.base + preview.flatten(0, 2))[:, order]
        gain = torch.from_numpy(GAIN_OF).to(x.device).float()[view.size]
        params = self.pixel(view.inputs, extra, offset, gain)
        if c.kind.relative:  # red and blue to green
            offset = torch.cat([offset[:, :1], offset[:, 1:] - offset[:, :1]], 1)
        return symbol_bits(params, offset, view.size, 0.0, self.config.values - 1.0, target, 1.0, SHARE)


def preview_neighbourhood(preview: Tensor) -> Tensor:
    """3x3 differences and the centre, as the pixel model sees them. [B, H, W, 3] integers -> [B, H, W, 27]."""
    edge = F.pad(preview.permute(0, 3, 1, 2), (1, 1, 1, 1), mode="replicate").permute(0, 2, 3, 1)
    h, w = preview.shape[1:3]
    near = [edge[:, y : y + h, x : x + w] - preview for y, x in NEIGHBOURS]
    contrasts = [(NEIGHBOUR_GAIN * d).clamp(-CONTRAST_MAX, CONTRAST_MAX) * CONTRAST_UNIT for d in near]
    return torch.cat([*contrasts, (preview - MID_LEVEL) * LEVEL_UNIT], 3)


def whole(x: Tensor, stride: int) -> Tensor:
    """Pictures [B, H, W, C], their edges replicated to whole strides. -> [B, C, H', W']."""
    return F.pad(x.permute(0, 3, 1, 2), (0, -x.shape[2] % stride, 0, -x.shape[1] % stride), mode="replicate")


def lossless_terms(net: Vlae, x: Tensor, padded: Tensor) -> Terms:
    """One sample of the ELBO (VLAE eq. 3), z on the fine grid. x [B, H, W, C]; padded: its windows' view."""
    mean, log_scale = net.posterior(x)
    with torch.no_grad():  # the step that costs what bits-back would: its log2 is the entropy of q
        net.log_step.lerp_(log_scale.float().mean((0, 2, 3))[None] + 2, 0.01)
    u = torch.rand_like(mean).clamp(1e-4, 1 - 1e-4)
    z, step = net.warp((mean + log_scale.exp() * torch.logit(u)).clamp(-LATENT_MAX / FINE, LATENT_MAX / FINE))
    entropy = (log_scale + 2) / math.log(2) + LATENT_BITS  # of a logistic, in steps of the fine grid
    level = torch.zeros(len(x), dtype=torch.long, device=x.device)
    prior = net.prior_bits(z, level, step)
    preview, features = (v[..., : x.shape[1], : x.shape[2]] for v in net.decode(z, level))
    bits = net.pixel_bits(x, padded, torch.zeros_like(x), features.permute(0, 2, 3, 1).flatten(0, 2))
    mse = (x.permute(0, 3, 1, 2) * net.config.gain - preview).square().mean((1, 2, 3))
    return Terms(bits.mean(), (prior - entropy).sum() / x.numel(), mse)


class Lossy(NamedTuple):
    """What a lossy net makes of pictures [B]: rate in bits per pixel, error of the preview in squared levels."""

    rate: Tensor
    mse: Tensor
    preview: Tensor  # [B, 3, H, W]
    features: Tensor  # [B, F, H, W]


def round_through(y: Tensor, step: Tensor) -> Tensor:
    """y, rounded to multiples of step; gradients pass."""
    return y + step * ((y / step).round() - y / step).detach()


def lossy(net: Vlae, x: Tensor, level: Tensor, frozen: bool = False) -> Lossy:
    """Rate and distortion of the rounded z. x [B, H, W, 3]; level [B].

    The rate is that of a noisy z (Balle et al. 2017), given rounded neighbours. frozen: the analysis and the steps
    stay as they are, and the rest learns from what files hold, the rounded z.
    """
    with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
        mean, _ = net.analysis(x.permute(0, 3, 1, 2))
        y = mean.clamp(-LATENT_MAX / FINE, LATENT_MAX / FINE)
        step = net.log_step.exp()[level][:, :, None, None]
        rounded = round_through(y, step)
        noisy = rounded if frozen else y + step * (torch.rand_like(y) - 0.5)
    rate = net.prior_bits(noisy, level, step, rounded).sum((1, 2, 3)) / x[0, :, :, 0].numel()
    preview, features = net.synthesis(rounded, level)
    return Lossy(rate, (x.permute(0, 3, 1, 2) - preview).square().mean((1, 2, 3)), preview, features)


def seams(x: Tensor, preview: Tensor, side: int) -> Tensor:
    """Squared error of the differences across borders of side x side places, in flat surroundings. [B, 3, H, W] -> [B].

    It hardly counts in the squared error of pixels, and is seen as a grid.
    """
    across, down = x.diff(dim=3).square().mean(1), x.diff(dim=2).square().mean(1)
    activity = F.avg_pool2d(across[:, None, :-1] + down[:, None, :, :-1], 9, 1, 4)
    calm = FLAT / (FLAT + activity)  # [B, 1, H - 1, W - 1]
    error = preview - x
    columns = error.diff(dim=3)[:, :, :-1, side - 1 :: side].square() * calm[..., side - 1 :: side]
    rows = error.diff(dim=2)[:, :, side - 1 :: side, :-1].square() * calm[..., side - 1 :: side, :]
    return columns.mean((1, 2, 3)) + rows.mean((1, 2, 3))


@torch.no_grad()
def rounded_latent(net: Vlae, x: Tensor, level: Tensor) -> Tensor:
    """The rounded z that files hold. x [B, H, W, 3]; level [B]."""
    mean, _ = net.analysis(x.permute(0, 3, 1, 2))
    step = net.log_step.exp()[level][:, :, None, None]
    return step * (mean.clamp(-LATENT_MAX / FINE, LATENT_MAX / FINE) / step).round()


def residual_bits(net: Vlae, x: Tensor, preview: Tensor, features: Tensor, crop: slice, noise: Tensor) -> Tensor:
    """-log2 p(x|z) on a crop of each picture. preview [B, 3, H, W], features [B, F, H, W].

    noise [B, h, w, 3] disturbs what the windows see, so that the net learns to pull a strayed sample back.
    """
    preview = preview.detach().permute(0, 2, 3, 1).round().clamp(0, 255)
    near = preview_neighbourhood(preview)[:, crop, crop]
    extra = torch.cat([features.permute(0, 2, 3, 1)[:, crop, crop], near], 3).flatten(0, 2)
    xc, pc = x[:, crop, crop], preview[:, crop, crop]
    padded = pad((xc - pc + noise).round().clamp(-255, 255), net.config.pixel.window, net.config.pixel.kind.fill)
    return net.pixel_bits(xc, padded, pc, extra)


def gather_windows(padded: Tensor, c: LocalConfig) -> Tensor:
    """All windows at once: [B, up + H, left + W + right, C] -> [B * H * W, P, C]."""
    w = c.window
    height, width = padded.shape[1] - w.up, padded.shape[2] - w.left - w.right
    if not w.offsets:
        return padded.new_zeros(padded.shape[0] * height * width, 0, padded.shape[3])
    views = [padded[:, w.up + dy : w.up + dy + height, w.left + dx : w.left + dx + width] for dy, dx in w.offsets]
    return torch.stack(views, 3).flatten(0, 2)
