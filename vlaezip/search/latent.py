"""A better z for a lossy file: rate-distortion optimised rounding while encoding. The format knows nothing of it.

The nets of the codec run here as real functions, without their rounding, so that they have gradients. Each value of z
may move by one symbol where that is worth it: the change of its own bits is exact, that of its neighbours' bits and of
the error comes from gradients, and from a curvature a channel. What is found is measured by the codec's own integers,
and kept only if it is better.
"""

from collections.abc import Callable
from itertools import count

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vlaezip.codec import block
from vlaezip.coding.logistic import Ints
from vlaezip.coding.tables import LOGITS_PER_NAT, SCALES_PER_NAT
from vlaezip.device import transforms
from vlaezip.device.float_mixture import cell_bits
from vlaezip.device.transforms import Conv3, Linear, TorchBlock, spread
from vlaezip.device.window import pad
from vlaezip.exact.law import ACTIVATION_MAX, STREAM_MAX, Affine
from vlaezip.format.container import Header
from vlaezip.format.tiles import Tile
from vlaezip.model import local_ar
from vlaezip.model.layout import MEANS_PER_UNIT, preview_parts
from vlaezip.model.vlae import Vlae
from vlaezip.model.window import GAIN_BITS, GAIN_OF
from vlaezip.model.window_kinds import CONTRAST_MAX, MID_LEVEL
from vlaezip.search import idle
from vlaezip.search.effort import Progress, unheard

ITERATIONS = (0, 2, 4, 7, 10, 15, 25, 40, 60, 100)  # by effort
CAUTION = 1.5  # factor on the curvature: a move is made as if others like it were made too
SIDE = 512  # of tiles, in pixels: gradients take a kilobyte a pixel
FREE = 0.25  # share of the values that may move in an iteration: moves side by side do not know of each other


def cost(model: Vlae, pixels: NDArray[np.uint8], z: Ints, level: int, side: int) -> float:
    """Bits a pixel + lambda * squared error of the preview, in the codec's integers. pixels [H, W, 3]."""
    h, w, _ = pixels.shape
    bits = local_ar.encode_intervals(model.prior, model.prior_scene((1, *z.shape[1:3]), level), z).bits
    error, s = 0.0, model.config.stride
    for tile, preview, _ in block.previews(model, z, side, level):
        x = pixels[tile.top * s : (tile.top + tile.height) * s, tile.left * s : (tile.left + tile.width) * s]
        error += float(np.square(preview[0, : x.shape[0], : x.shape[1]] - x.astype(np.int32), dtype=np.int64).sum())
    return float(bits / (h * w) + model.config.lambdas[level] * error / (3 * h * w))


def search(
    net: Vlae, header: Header, colour: NDArray[np.uint8], z: Ints, effort: int, progress: Progress = unheard
) -> Ints:
    """A better z of a lossy file, or that which it was given, for a picture [H, W, 3]."""
    return refine(net, colour, z, header.quality, ITERATIONS[effort], header.tile, progress)


def refine(
    model: Vlae,
    pixels: NDArray[np.uint8],
    z: Ints,
    level: int,
    iterations: int,
    side: int,
    progress: Progress = unheard,
) -> Ints:
    """z [1, h, w, Z], better by `cost` or as it was, for a picture [H, W, 3]. side: of the tiles that bound memory."""
    if iterations == 0 or not model.config.lambdas:
        return z
    found = z.copy()
    cuts = list(block.latent_tiles(model, z.shape[1], z.shape[2], min(side, SIDE)))
    done = count(1)

    def moved() -> None:
        step_done(next(done) / (len(cuts) * iterations))

    with idle.torch_threads(progress) as step_done:
        for tile, around in cuts:
            part = descend(model, pixels, z, around, level, iterations, moved)
            found[:, tile.top :, tile.left :][:, : tile.height, : tile.width] = block.inner(part, tile, around)
    costs = [cost(model, pixels, candidate, level, side) for candidate in (z, found)]
    return found if costs[1] < costs[0] else z


@torch.enable_grad()
def descend(
    model: Vlae,
    pixels: NDArray[np.uint8],
    z: Ints,
    place: Tile,
    level: int,
    iterations: int,
    moved: Callable[[], None],
) -> Ints:
    """z of a part of a picture, after some moves. The picture beyond the part is not seen."""
    s, steps = model.config.stride, model.steps(level)
    x = pixels[place.top * s : (place.top + place.height) * s, place.left * s : (place.left + place.width) * s]
    target = torch.from_numpy(x[None].astype(np.float32)).to(model.device)
    step, low = (torch.from_numpy(a).float() for a in (steps.step, steps.low))
    part = z[:, place.top : place.top + place.height, place.left : place.left + place.width]
    symbols = best = torch.from_numpy(np.ascontiguousarray(part)).float() / step
    least, noise = float("inf"), torch.Generator().manual_seed(0)
    bend = CAUTION * curvature(model, target, symbols * step, level, step, noise)
    for _ in range(iterations):
        now, slope, (down, up) = linearised(model, target, symbols * step, level, step)
        if now < least:
            best, least = symbols, now
        down, up = down - slope + bend, up + slope + bend
        free = torch.rand(symbols.shape, generator=noise) < FREE
        rise = free & (up < 0) & (up < down) & (symbols < -low)
        fall = free & (down < 0) & (down <= up) & (symbols > low)
        symbols = symbols + rise.float() - fall.float()
        moved()
    return (best * step).to(torch.int32).numpy()


def distortion(model: Vlae, target: Tensor, z: Tensor, level: int) -> Tensor:
    """Squared error of the preview, in bits: lambda is per value of a pixel, and rates are per pixel."""
    preview = render(model, z.to(model.device), level)[:, : target.shape[1], : target.shape[2]]
    return (preview - target).square().sum().cpu() * (model.config.lambdas[level] / 3)


def linearised(
    model: Vlae, target: Tensor, z: Tensor, level: int, step: Tensor
) -> tuple[float, Tensor, tuple[Tensor, Tensor]]:
    """Bits of rate and distortion; their slope along a step of z, but for its own bits; the change of those, for a step
    down and a step up.
    """
    z = z.clone().requires_grad_()
    lower, here, upper = prior_bits(model, z, level, step)
    total = here.sum() + distortion(model, target, z, level)
    (slope,) = torch.autograd.grad(total, z)
    return total.item(), slope * step, ((lower - here).detach(), (upper - here).detach())


def curvature(model: Vlae, target: Tensor, z: Tensor, level: int, step: Tensor, noise: torch.Generator) -> Tensor:
    """Half of the distortion's second derivative along a step, the mean of each channel [Z] (Hutchinson 1990)."""
    sign = torch.randint(0, 2, z.shape, generator=noise) * 2.0 - 1
    slopes = []
    for d in (-0.5, 0.5):
        at = (z + d * sign * step).requires_grad_()
        slopes.append(torch.autograd.grad(distortion(model, target, at, level), at)[0] * step)
    return 0.5 * ((slopes[1] - slopes[0]) * sign).mean((0, 1, 2)).clamp(min=0)


def render(model: Vlae, z: Tensor, level: int) -> Tensor:
    """Vlae.preview as a real function of z [B, h, w, Z]: [B, H, W, 3]."""
    net, c = transforms.of(model.nets).synthesis, model.config
    if c.guided:
        one_hot = z.new_zeros(*z.shape[:3], c.levels)
        one_hot[..., level] = 1
        z = torch.cat([z, one_hot], 3)
    coarse = run_blocks(stream(conv3(net.stem, z)), net.first)
    h = run_blocks(stream(spread(affine(net.turn, coarse), 2)), net.second)
    picture = spread(affine(net.out, h, 3 * c.unshuffle**2), c.unshuffle)
    if net.direct is not None:
        picture = (picture + spread(affine(net.direct, coarse), c.stride)) / preview_parts(c)
    return (picture + MID_LEVEL).clamp(0, 255)


def prior_bits(model: Vlae, z: Tensor, level: int, step: Tensor) -> Tensor:
    """-log2 of the prior's mass on the cells below, at and above z: [3, B, h, w, Z].

    Gradients are those of what a value tells about others: its own bits know no slope.
    """
    net, c = model.prior, model.prior.config
    size = c.kind.size
    gain = float(GAIN_OF[size]) * 2.0**-GAIN_BITS

    def contrast(value: Tensor) -> Tensor:
        return (value * gain).clamp(-CONTRAST_MAX, CONTRAST_MAX)

    b, h, w, _ = z.shape
    reach = c.window
    shown = pad(z, reach, c.kind.fill)
    near = [
        shown[:, reach.up + dy : reach.up + dy + h, reach.left + dx : reach.left + dx + w] for dy, dx in reach.offsets
    ]
    one_hot = z.new_zeros(b * h * w, model.config.levels)
    one_hot[:, level] = 1
    values = z.flatten(0, 2)
    trunk = rectify(local(net.stem, torch.cat([contrast(torch.cat(near, 3)).flatten(0, 2), one_hot], 1)))
    for layer in net.layers:
        trunk = rectify(trunk + local(layer, trunk))
    unit, bits = 2.0 ** (size / 4 - 4), []
    for number, channels, seen in local_ar.groups(c, False):
        known = contrast(values[:, : len(seen)])
        outputs = local(net.outs[number], rectify(local(net.heads[number], torch.cat([trunk, known], 1))))
        index = list(channels)
        logits, means, scales = outputs.view(len(values), len(index), 3, c.mixtures).unbind(2)
        offset = values.detach()[:, index, None] - means * (unit / MEANS_PER_UNIT)
        edges = [offset + d * step[index, None] for d in (-1.5, -0.5, 0.5, 1.5)]
        bits.append(cell_bits(logits / LOGITS_PER_NAT, scales / SCALES_PER_NAT, unit, edges))
    return torch.cat(bits, 2).view(3, *z.shape)


def local(layer: Affine, x: Tensor) -> Tensor:
    """affine() of a layer of the prior, which is on the CPU."""
    return affine(transforms.linear(layer, "cpu"), x)


def affine(layer: Linear, x: Tensor, rows: int | None = None) -> Tensor:
    """layer(x), not rounded; its first rows only."""
    bias, weight, scale = layer.bias[:rows], layer.weight[:, :rows], layer.scale[:rows]
    flat = torch.addmm(bias, x.reshape(-1, x.shape[-1]), weight) * scale - half(scale)
    return flat.view(*x.shape[:-1], -1)


def conv3(layer: Linear | Conv3, x: Tensor) -> Tensor:
    """layer(x), not rounded."""
    assert isinstance(layer, Conv3)
    weight = torch.stack(layer.taps).view(3, 3, *layer.taps[0].shape).permute(3, 2, 0, 1)
    total = F.conv2d(x.permute(0, 3, 1, 2), weight, layer.bias, padding=1).permute(0, 2, 3, 1)
    return total * layer.scale - half(layer.scale)


def half(scale: Tensor) -> Tensor:
    """What a layer's bias holds for its rounding: half a step wherever it divides."""
    return 0.5 * (scale < 1)


def run_blocks(x: Tensor, blocks: tuple[TorchBlock, ...]) -> Tensor:
    """transforms.run_blocks, not rounded."""
    for a, b in blocks:
        x = stream(x + affine(b, rectify(conv3(a, rectify(x)))))
    return x


def rectify(x: Tensor) -> Tensor:
    return x.clamp(0, ACTIVATION_MAX)


def stream(x: Tensor) -> Tensor:
    return x.clamp(-STREAM_MAX - 1, STREAM_MAX)
