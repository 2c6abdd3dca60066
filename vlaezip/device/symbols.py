"""Triton kernels from outputs of the net to symbols: mixtures, and the search and rANS of a message.

A message is a program of its own. Its lanes are the elements of a vector, and a round of the lanes ends when those that
ran low have taken their words in order, which a prefix sum gives.
"""

import triton
import triton.language as tl

from vlaezip.coding import ans, logistic, tables
from vlaezip.device.canvas import contrast

TOTAL = tl.constexpr(logistic.TOTAL)
PRECISION = tl.constexpr(tables.PRECISION)
HEAD_LOW = tl.constexpr(ans.HEAD_LOW)
WORD = tl.constexpr(32)
WORD_MASK = tl.constexpr(0xFFFFFFFF)
ACC_BITS = tl.constexpr(logistic.ACC_BITS)
INVERSE_BITS = tl.constexpr(tables.INVERSE_BITS)
SIGMOID_HALF = tl.constexpr(tables.SIGMOID_HALF)
WEIGHT_BITS = tl.constexpr(tables.WEIGHT_BITS)
WEIGHT_ONE = tl.constexpr(1 << tables.WEIGHT_BITS)
LOGIT_CUT = tl.constexpr(logistic.LOGIT_CUT)
FAR_BELOW = tl.constexpr(-(1 << 29))  # the logit of a component that is not there
MEAN_SHIFT = tl.constexpr(tables.SIZE_BITS + logistic.MEAN_BITS)
MEAN_LIMIT = tl.constexpr(logistic.MEAN_LIMIT)
LOG_LOW = tl.constexpr(logistic.LOG_LOW)
LOG_HIGH = tl.constexpr(logistic.LOG_HIGH)
SCALE_ZERO = tl.constexpr(tables.SCALE_ZERO)
SCALE_COUNT = tl.constexpr(tables.SCALE_COUNT)


@triton.jit
def mixture_kernel(
    rows, tables, n, outputs_row, plane, first, shift, warmth, channels: tl.constexpr,
    all_channels: tl.constexpr, components: tl.constexpr, room: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """The mixtures of a block of symbols: row by row, and in each the channels of the group. room: >= components."""
    s = tl.program_id(0) * block + tl.arange(0, block)
    there = s < n * channels
    r, c = (s // channels).to(tl.int64), s % channels
    k = tl.arange(0, room)
    there2 = there[:, None] & (k < components)[None, :]
    at = rows.outputs + r[:, None] * outputs_row + (c * 3 * components)[:, None] + k[None, :]
    logit = tl.load(at, mask=there2, other=FAR_BELOW)
    below = tl.max(logit, 1)[:, None] - logit
    raw = tl.load(tables.weight + below, mask=there2 & (below < LOGIT_CUT), other=0)
    weight = (raw << WEIGHT_BITS) // tl.maximum(tl.sum(raw, 1), 1)[:, None]
    top = (below == 0).to(tl.int32)
    best = (top == 1) & (tl.cumsum(top, 1) == 1)
    weight += tl.where(best, (-tl.sum(weight, 1) + WEIGHT_ONE)[:, None], 0)
    centre = tl.load(rows.base + r * all_channels + first + c, mask=there, other=0)
    if shift >= 0:
        centre += tl.load(rows.coded + r * all_channels + shift, mask=there, other=0)
        centre -= tl.load(rows.base + r * all_channels + shift, mask=there, other=0)
    found = tl.load(rows.size + r, mask=there, other=0)
    unit = tl.load(tables.size_of + found).to(tl.int64)
    said = tl.load(at + components, mask=there2, other=0).to(tl.int64)
    mean = ((said * unit[:, None]) >> MEAN_SHIFT) + 16 * centre[:, None]
    mean = tl.minimum(tl.maximum(mean, -MEAN_LIMIT), MEAN_LIMIT)
    wide = tl.load(at + 2 * components, mask=there2, other=0)
    wide = (
        tl.minimum(tl.maximum(wide, LOG_LOW), LOG_HIGH)
        + (tl.load(tables.log_size + found) + SCALE_ZERO + warmth)[:, None]
    )
    inverse = tl.load(tables.inverse + tl.minimum(tl.maximum(wide, 0), SCALE_COUNT - 1))
    target = rows.mix + s.to(tl.int64)[:, None] * components + k[None, :]
    tl.store(target, weight, mask=there2)
    tl.store(target + plane, mean.to(tl.int32), mask=there2)
    tl.store(target + 2 * plane, inverse, mask=there2)


@triton.jit
def cumulative(mix, plane, there, sigmoid, step, low, count, k,
               components: tl.constexpr):  # fmt: skip
    """Mass below symbols k, where logistic.interval starts: int32 [L, S]. mix: pointers to the first components."""
    edge = 8 * step[:, None] * (2 * k - 1)
    mass = tl.zeros_like(k)
    for c in tl.static_range(components):
        weight = tl.load(mix + c, mask=there, other=0)
        mean = tl.load(mix + plane + c, mask=there, other=0)
        inverse = tl.load(mix + 2 * plane + c, mask=there, other=0).to(tl.int64)
        t = ((edge - mean[:, None]).to(tl.int64) * inverse[:, None]) >> INVERSE_BITS
        t = tl.minimum(tl.maximum(t, -SIGMOID_HALF), SIGMOID_HALF - 1) + SIGMOID_HALF
        mass += weight[:, None] * tl.load(sigmoid + t)
    share = (mass.to(tl.int64) * (-count + TOTAL)[:, None]) >> ACC_BITS
    inside = share.to(tl.int32) + (k - low[:, None])
    return tl.where(k <= low[:, None], 0, tl.where(k >= (low + count)[:, None], TOTAL, inside))


@triton.jit
def pop_kernel(
    messages, tables, grid, line, rows, m, width, plane, first, trunk_row, known,
    channels: tl.constexpr, all_channels: tl.constexpr, grey: tl.constexpr,
    components: tl.constexpr, rounds: tl.constexpr, room: tl.constexpr, probes: tl.constexpr,
):  # fmt: skip
    """A message: rounds of its lanes, a symbol each. width: how many lanes; room: a power of two >= width."""
    b = tl.program_id(0).to(tl.int64)
    lane = tl.arange(0, room)
    probe = tl.arange(0, probes)
    live = lane < width
    head = tl.load(messages.heads + b * width + lane, mask=live, other=HEAD_LOW)
    left = tl.load(messages.left + b)
    bottom = messages.words + tl.load(messages.start + b)
    total = tl.load(line) * channels
    for done in range(0, total, width):
        at = done + lane
        there = live & (at < total)
        c = at % channels
        step = tl.load(grid + c)
        low = tl.load(grid + channels + c)
        count = tl.load(grid + 2 * channels + c)
        target = (head & (TOTAL - 1)).to(tl.int32)
        mix = rows.mix + (b * m * channels + at) * components
        symbol, start = low, tl.zeros_like(target)
        end = start + TOTAL
        for number in tl.static_range(rounds):
            part = probes ** (rounds - 1 - number)
            k = symbol[:, None] + part * probe[None, :]
            value = cumulative(mix, plane, there, tables.sigmoid, step, low, count, k, components)
            below = value <= target[:, None]
            symbol += part * (tl.sum(below.to(tl.int32), 1) - 1)
            start = tl.maximum(start, tl.max(tl.where(below, value, 0), 1))
            end = tl.minimum(end, tl.min(tl.where(below, TOTAL, value), 1))
        new = (end - start).to(tl.int64) * (head >> PRECISION) + (target - start)
        low_one = (there & (new < HEAD_LOW)).to(tl.int32)
        turn = left - tl.cumsum(low_one, 0)
        word = tl.load(bottom + tl.maximum(turn, 0), mask=low_one == 1, other=0).to(tl.int64) & WORD_MASK
        new = tl.where(low_one == 1, (new << WORD) | word, new)
        head = tl.where(there, new, head)
        left -= tl.sum(low_one, 0)
        n = b * m + at // channels
        found = symbol * step
        if grey:
            for other in tl.static_range(all_channels):
                tl.store(rows.coded + n * all_channels + other, found, mask=there)
        else:
            tl.store(rows.coded + n * all_channels + first + c, found, mask=there)
        middle = tl.load(rows.base + n * all_channels + first + c, mask=there, other=0)
        gain = tl.load(tables.gain_of + tl.load(rows.size + n, mask=there, other=0))
        seen = contrast((found - middle).to(tl.int64), gain)
        tl.store(rows.trunk + n * trunk_row + known + c, seen.to(tl.float16), mask=there)
    tl.store(messages.heads + b * width + lane, head, mask=live)
    tl.store(messages.left + b, left)
