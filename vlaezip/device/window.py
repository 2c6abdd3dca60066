"""Windows in torch, for training and for other devices: the twin of window.py.

Everything here is an integer in a float32 tensor, exact in any order and on any device (law.py).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vlaezip.model.config import LocalConfig, Window
from vlaezip.model.contrast import GAIN_BITS
from vlaezip.model.window import ACTIVITY_RING, GAIN_OF, SIZE_OF_ACTIVITY, surround
from vlaezip.model.window_kinds import ADAPTIVE, CONTRAST_MAX, MID_LEVEL, MID_SIZE


class View(NamedTuple):
    """What the net sees of N places, and how its answer is to be read.

    inputs: [N, I] integers. base: [N, C], the value that means are relative to. size: [N] size numbers.
    """

    inputs: Tensor
    base: Tensor
    size: Tensor


def pad(x: Tensor, window: Window, fill: int) -> Tensor:
    """window.pad."""
    b, h, w, c = x.shape
    out = x.new_full((b, window.up + h, window.left + w + window.right, c), fill)
    surround(out, x, window)
    return out


def median_reference(context: Tensor, window: Window) -> Tensor:
    """Median edge detector of W, N and N + W - NW (LOCO-I, Weinberger et al. 2000, eq. 1). [N, P, C] -> [N, C]."""
    west, north, corner = (context[:, window.offsets.index(o)] for o in ((0, -1), (-1, 0), (-1, -1)))
    low, high = torch.minimum(west, north), torch.maximum(west, north)
    return torch.maximum(low, torch.minimum(high, west + north - corner))


def contrast(difference: Tensor, gain: Tensor) -> Tensor:
    """difference * 512 / S, rounded half up and clamped. |difference * gain| < 2**24, so exact in float32."""
    return (difference * gain).mul_(2.0**-GAIN_BITS).add_(0.5).floor_().clamp_(-CONTRAST_MAX, CONTRAST_MAX)


def describe(context: Tensor, config: LocalConfig) -> View:
    """Turn windows into inputs. context: [N, P, C] integers in float32, already relative to the preview if any."""
    n, _, c = context.shape
    device = context.device
    if config.kind.size != ADAPTIVE:
        size = torch.full((n,), config.kind.size, device=device)
        gain = torch.from_numpy(GAIN_OF).to(device).float()[size]
        return View(contrast(context.flatten(1), gain[:, None]), context.new_zeros(n, c), size)
    base = median_reference(context, config.window)
    difference = context - base[:, None]
    ring = [config.window.offsets.index(o) for o in ACTIVITY_RING]
    activity = difference[:, ring].abs().sum(1)  # [N, C]
    size = torch.from_numpy(SIZE_OF_ACTIVITY).to(device)[activity.sum(1).long()]
    gain = torch.from_numpy(GAIN_OF).to(device).float()[size][:, None]
    level = (size.float() - MID_SIZE)[:, None]
    inputs = [contrast(difference.flatten(1), gain), contrast(activity, gain), base - MID_LEVEL, level]
    return View(torch.cat(inputs, 1), base, size)
