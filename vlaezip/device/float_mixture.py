"""Mixtures of logistics in floats, with gradients: the twin of coding/logistic.py for training and for searches."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from vlaezip.coding.logistic import LOG_HIGH, LOG_LOW
from vlaezip.coding.tables import PRECISION, SCALES_PER_NAT

FLOOR = 2.0**-PRECISION  # of a symbol's mass: one unit
FAR = 1e9  # beyond any mean, in any unit


def cell_bits(
    logits: Tensor, log_scales: Tensor, unit: Tensor | float, edges: Sequence[Tensor], share: float = 1.0
) -> Tensor:
    """-log2 of mixtures' masses on cells that lie side by side: [len(edges) - 1, ...].

    logits and log_scales (in nats) [..., K]. edges [..., K]: of the cells, less the means, from below; unit: of the
    scales. share: of all mass that the mixtures have, if symbols have the rest.
    """
    inverse = torch.exp(-log_scales.clamp(LOG_LOW / SCALES_PER_NAT, LOG_HIGH / SCALES_PER_NAT)) / unit
    weights = torch.softmax(logits, -1)
    upto = [torch.sigmoid(edge * inverse) for edge in edges]
    masses = [((above - below) * weights).sum(-1) for below, above in pairwise(upto)]
    return -torch.log2(torch.stack(masses) * share + FLOOR)


def symbol_bits(
    outputs: Tensor,
    offset: Tensor,
    size: Tensor,
    low: float,
    high: float,
    x: Tensor,
    step: Tensor | float,
    share: float,
) -> Tensor:
    """-log2 of mixtures' masses on [x - step/2, x + step/2): [N, C]. Mass outside [low, high] belongs to the ends.

    outputs [N, C, 3, K]: logits, means and log-scales in real units. offset [N, C]: x less what means are relative to.
    size [N]: size numbers. share: as cell_bits has it.
    """
    logits, means, log_scales = outputs.float().unbind(2)
    unit = torch.exp2(size.float() / 4 - 4)[:, None, None]  # S / 16
    above = torch.where(x >= high, FAR, offset + step * 0.5)[..., None]
    below = torch.where(x <= low, -FAR, offset - step * 0.5)[..., None]
    means = means * unit
    return cell_bits(logits, log_scales, unit, (below - means, above - means), share)[0]
