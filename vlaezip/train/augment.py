"""Augmentation: grain as of film, and chroma of half the resolution as in most JPEG files, videos and on PhotoCD."""

import torch
import torch.nn.functional as F
from numpy.random import Generator
from torch import Tensor

LUMA = torch.tensor([0.299, 0.587, 0.114])
# Where samples of chroma lie among the rows, and among the columns.
KINDS = (("centred", "centred"), ("cosited", "cosited"), ("centred", "cosited"), ("repeated", "repeated"))
ODDS = (0.35, 0.4, 0.1, 0.15)
GRAINY, SUBSAMPLED = 0.2, 0.4  # shares of crops


def halve(c: Tensor, kind: str) -> Tensor:
    """A row of pairs [..., 2 n] -> [..., n]: a box over each cell, or (1, 2, 1) / 4 around its first place."""
    first, second = c[..., ::2], c[..., 1::2]
    if kind != "cosited":
        return (first + second) / 2
    before = torch.cat([first[..., :1], second[..., :-1]], -1)
    return (before + 2 * first + second) / 4


def double(c: Tensor, kind: str) -> Tensor:
    """[..., n] -> [..., 2 n]: linear interpolation, or each sample twice."""
    before = torch.cat([c[..., :1], c[..., :-1]], -1)
    after = torch.cat([c[..., 1:], c[..., -1:]], -1)
    if kind == "repeated":
        pair = (c, c)
    elif kind == "cosited":
        pair = (c, (c + after) / 2)
    else:
        pair = (0.75 * c + 0.25 * before, 0.75 * c + 0.25 * after)
    return torch.stack(pair, -1).flatten(-2)


def augment(x: Tensor, rng: Generator) -> Tensor:
    """Crops [B, H, W, 3] in 0..255 -> the same, some of them changed."""
    x = x.clone()
    for i in range(len(x)):
        if rng.random() < GRAINY:
            x[i] = grain(x[i], rng)
        if rng.random() < SUBSAMPLED:
            x[i] = subsample(x[i], rng)
    return x


def subsample(x: Tensor, rng: Generator) -> Tensor:
    """x [H, W, 3] in 0..255, its chroma through half the resolution and back, in cells of any phase."""
    h, w, _ = x.shape
    rows, columns = KINDS[rng.choice(len(KINDS), p=ODDS)]
    luma = x @ LUMA
    gain = torch.from_numpy(rng.uniform(0.4, 0.85, (2, 1, 1))).float()  # BT.601: 0.713 and 0.564
    chroma = torch.stack([x[..., 0] - luma, x[..., 2] - luma]) * gain
    top, left = rng.integers(1, 3, 2).tolist()
    wide = F.pad(chroma[None], (left, 2 + (w + left) % 2, top, 2 + (h + top) % 2), mode="replicate")[0]
    half = halve(halve(wide, columns).transpose(1, 2), rows).round()  # [2, W / 2, H / 2]
    full = double(double(half, rows).transpose(1, 2), columns)[:, top : top + h, left : left + w]
    if rng.random() < 0.5:
        full, luma = full.round(), luma.round()
    red, blue = luma + full / gain
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    return torch.stack([red, green, blue], -1).round().clamp(0, 255)


def grain(x: Tensor, rng: Generator) -> Tensor:
    """Noise as of film: in luma above all, a little wider than a pixel."""
    h, w, _ = x.shape
    noise = torch.from_numpy(rng.normal(size=(4, h + 1, w + 1))).float() * float(rng.uniform(0.5, 4))
    soft = float(rng.uniform(0, 0.5))
    noise = (noise[:, :-1, :-1] + soft * (noise[:, 1:, :-1] + noise[:, :-1, 1:])) / (1 + 2 * soft * soft) ** 0.5
    return (x + noise[3][..., None] + 0.3 * noise[:3].permute(1, 2, 0)).round().clamp(0, 255)
