"""The parts of a step in plain torch, for any device: what kernels.py must agree with, bit for bit (net.Parts)."""

import torch
from torch import Tensor

from vlaezip.coding.ans import HEAD_LOW
from vlaezip.coding.logistic import ACC_BITS, LOG_HIGH, LOG_LOW, LOGIT_CUT, MEAN_BITS, MEAN_LIMIT, TOTAL
from vlaezip.coding.tables import INVERSE_BITS, PRECISION, SCALE_COUNT, SCALE_ZERO, SIGMOID_HALF, SIZE_BITS, WEIGHT_BITS
from vlaezip.device.net import PLAIN, RESIDUAL, DeviceLayer, Field, Group, Lanes, Net, Rows
from vlaezip.exact.law import ACTIVATION_MAX
from vlaezip.model.contrast import HALF_GAIN
from vlaezip.model.window import GAIN_BITS
from vlaezip.model.window_kinds import ADAPTIVE, CONTRAST_MAX, MID_LEVEL, MID_SIZE

OPERAND = torch.float32
PROBES = 16  # parts that a round of a search divides the symbols into
WORD_BITS, WORD_MASK = 32, 0xFFFFFFFF


def places(field: Field, line: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Which places [M] there are, their rows and columns, and where the canvas has them."""
    there = line[1:] >= 0
    place = line[1:].clamp(min=0).long()
    i, j = place // field.width, place % field.width
    return there, i, j, field.first + i * field.row + j


def contrast(difference: Tensor, gain: Tensor) -> Tensor:
    """window.contrast, in integers."""
    return ((difference * gain + HALF_GAIN) >> GAIN_BITS).clamp(-CONTRAST_MAX, CONTRAST_MAX)


def gather_windows(net: Net, field: Field, rows: Rows, line: Tensor) -> None:
    """See net.Parts."""
    _, i, j, spot = places(field, line)
    context = field.shown[:, spot[:, None] + field.reach].int()  # [B, M, P, C]
    b, m, _, c = context.shape
    if net.fixed != ADAPTIVE:
        base = context.new_zeros(b, m, c)
        size = context.new_full((b, m), net.fixed)
        said = [contrast(context.flatten(2), net.tables.gain_of[net.fixed])]
    else:
        ring = field.shown[:, spot[:, None] + field.ring].int()
        west, north, corner = ring[:, :, 0], ring[:, :, 1], ring[:, :, 2]
        low, high = torch.minimum(west, north), torch.maximum(west, north)
        base = torch.maximum(low, torch.minimum(high, west + north - corner))
        activity = (ring - base[:, :, None]).abs().sum(2, dtype=torch.int32)
        size = net.tables.size_of_activity[activity.sum(2)]
        gain = net.tables.gain_of[size.long()][..., None]
        level = size[..., None] - MID_SIZE
        said = [
            contrast((context - base[:, :, None]).flatten(2), gain),
            contrast(activity, gain),
            base - MID_LEVEL,
            level,
        ]
    place = i * field.width + j
    inputs = torch.cat([*said, field.extra[:, place]], 2)
    rows.inputs[:, : inputs.shape[2]] = inputs.flatten(0, 1)
    rows.base[:] = (base + field.base[:, place]).flatten(0, 1)
    rows.size[:] = size.flatten()


def product(layer: DeviceLayer, kind: int, x: Tensor, out: Tensor) -> None:
    """See net.Parts."""
    inputs, outputs = layer.weight.shape
    sums = torch.addmm(layer.bias, x[:, :inputs], layer.weight).mul_(layer.scale).floor_()
    if kind == RESIDUAL:
        sums += x[:, :outputs]
    out[:, :outputs] = sums if kind == PLAIN else sums.clamp_(0, ACTIVATION_MAX)


def mixture(net: Net, group: Group, rows: Rows) -> None:
    """See net.Parts."""
    k, n = net.config.mixtures, group.channels
    outputs = rows.outputs[:, : n * 3 * k].reshape(-1, n, 3, k).long()
    below = outputs[:, :, 0].amax(2, keepdim=True) - outputs[:, :, 0]
    raw = net.tables.weight[below.clamp(max=LOGIT_CUT - 1)].long() * (below < LOGIT_CUT)
    weights = (raw << WEIGHT_BITS) // raw.sum(2, keepdim=True)
    best = (below == 0) & ((below == 0).cumsum(2) == 1)
    weights += best * ((1 << WEIGHT_BITS) - weights.sum(2, keepdim=True))
    centre = rows.base[:, group.first : group.first + n].long()
    if group.shift >= 0:
        centre = centre + (rows.coded[:, group.shift] - rows.base[:, group.shift])[:, None]
    size = rows.size.long()
    means = (outputs[:, :, 1] * net.tables.size_of[size][:, None, None]) >> (SIZE_BITS + MEAN_BITS)
    means = (means + 16 * centre[..., None]).clamp(-MEAN_LIMIT, MEAN_LIMIT)
    scales = outputs[:, :, 2].clamp(LOG_LOW, LOG_HIGH) + net.tables.log_size[size][:, None, None]
    scales = (scales + (SCALE_ZERO + net.warmth)).clamp(0, SCALE_COUNT - 1)
    for target, found in zip(rows.mix, (weights, means, net.tables.inverse[scales]), strict=True):
        target[: len(rows.size) * n] = found.flatten(0, 1)


def cumulative(net: Net, mix: Tensor, step: Tensor, low: Tensor, count: Tensor, k: Tensor) -> Tensor:
    """Mass below symbols k, where logistic.interval starts: int64 [..., S]. mix [3, ..., K], the grid [...]."""
    weights, means, inverse = (a[..., None, :].long() for a in mix)
    step, low, count = (a[..., None].long() for a in (step, low, count))
    edge = 8 * step * (2 * k - 1)
    t = (((edge[..., None] - means) * inverse) >> INVERSE_BITS).clamp(-SIGMOID_HALF, SIGMOID_HALF - 1)
    mass = (weights * net.tables.sigmoid[t + SIGMOID_HALF]).sum(-1)
    inside = ((mass * (TOTAL - count)) >> ACC_BITS) + (k - low)
    return torch.where(k <= low, 0, torch.where(k >= low + count, TOTAL, inside))


def find(
    net: Net, mix: Tensor, step: Tensor, low: Tensor, count: Tensor, most: int, target: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """As quantiles.find: symbols, and their intervals. A round divides what is left into PROBES parts at once."""
    first, start, end = low.long(), torch.zeros_like(target), torch.full_like(target, TOTAL)
    part = torch.arange(1, PROBES, device=target.device)
    for level in reversed(range(next(n for n in range(32) if PROBES**n >= most))):
        values = cumulative(net, mix, step, low, count, first[..., None] + PROBES**level * part)
        below = values <= target[..., None]
        first = first + PROBES**level * below.sum(-1)
        start = torch.maximum(start, torch.where(below, values, 0).amax(-1))
        end = torch.minimum(end, torch.where(below, TOTAL, values).amin(-1))
    return first, start, end


def pop(net: Net, group: Group, rows: Rows, line: Tensor, lanes: Lanes) -> None:
    """See net.Parts. Symbol i of a message belongs to lane i mod L: a round takes one of each lane."""
    b, width = lanes.heads.shape
    n, m = group.channels, len(line) - 1
    mix = rows.mix[:, : b * m * n].reshape(3, b, m * n, -1)
    symbols = rows.coded.new_zeros(b, m * n)
    lane = torch.arange(width, device=line.device)
    for first in range(0, m * n, width):
        index = first + lane
        there = index < line[0] * n
        at, channel = index.clamp(max=m * n - 1), index % n
        step, low, count = group.grid[:, None, channel].expand(3, b, width)
        heads = lanes.heads
        target = heads & (TOTAL - 1)
        symbol, start, end = find(net, mix[:, :, at], step, low, count, group.most, target)
        new = (end - start) * (heads >> PRECISION) + target - start
        dry = (new < HEAD_LOW) & there
        turn = lanes.left[:, None] - dry.cumsum(1)
        word = lanes.words[lanes.start[:, None] + turn.clamp(min=0)].long() & WORD_MASK
        lanes.heads.copy_(torch.where(there, torch.where(dry, new << WORD_BITS | word, new), heads))
        lanes.left.copy_(turn[:, -1])
        symbols[:, first : first + width] = (symbol * step)[:, : m * n - first]
    record_symbols(net, group, rows, symbols.view(b * m, n))


def record_symbols(net: Net, group: Group, rows: Rows, values: Tensor) -> None:
    """Values of a group [N, channels], and what later groups see of them."""
    first, last = group.first, group.first + group.channels
    rows.coded[:, first:last] = values
    if net.grey:
        rows.coded[:] = values[:, :1]
    gain = net.tables.gain_of[rows.size.long()][:, None]
    known = net.config.hidden + group.seen
    rows.trunk[:, known : known + group.channels] = contrast(values - rows.base[:, first:last], gain)


def write_values(net: Net, field: Field, rows: Rows, line: Tensor) -> None:
    """See net.Parts. A place that is not there is drawn where nobody looks."""
    there, i, j, spot = places(field, line)
    window, nobody = net.config.window, field.shown.shape[1] - 1
    right = spot[:, None] + 1 + torch.arange(window.right, device=line.device)
    left = spot[:, None] + field.row - window.left + torch.arange(window.left, device=line.device)
    right = torch.where((j == field.width - 1)[:, None], right, nobody)
    left = torch.where(((j == 0) & (i < field.height - 1))[:, None], left, nobody)
    spots = torch.where(there[:, None], torch.cat([spot[:, None], right, left], 1), nobody)  # [M, 1 + right + left]
    b, m = len(field.shown), len(spot)
    values = (rows.coded.view(b, m, -1) - field.base[:, i * field.width + j]).to(torch.int16)
    field.shown[:, spots.flatten()] = values.repeat_interleave(spots.shape[1], 1)
