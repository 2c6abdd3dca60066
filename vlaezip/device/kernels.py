"""The parts of a step as Triton kernels: fewer and larger than those of torch (net.Parts). plain.py is their reference.

Operands are float16, which holds integers up to 2**11, and sums float32, as net.py explains. A message is a program of
its own: its lanes are the elements of a vector, and a round of the lanes ends when those that ran low have taken their
words in order, which a prefix sum gives.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from vlaezip.coding import ans, logistic, tables
from vlaezip.config import ACTIVATION_MAX
from vlaezip.device import net as nets
from vlaezip.device.net import Field, Group, Lanes, Layer, Net, Rows
from vlaezip.window import CONTRAST_MAX, GAIN_BITS, HALF_GAIN

OPERAND = torch.float16
BLOCK = 32  # places or rows of a program
POP_WARPS = 4
DOT_ROWS, DOT_DEPTH, DOT_COLUMNS = 64, 32, 64  # of a tile of a product
PROBES = 16  # edges that a look of a search sees at once

PLAIN = tl.constexpr(nets.PLAIN)
RESIDUAL = tl.constexpr(nets.RESIDUAL)
HIGHEST = tl.constexpr(ACTIVATION_MAX)
CONTRAST = tl.constexpr(CONTRAST_MAX)
GAIN_SHIFT = tl.constexpr(GAIN_BITS)
GAIN_HALF = tl.constexpr(HALF_GAIN)
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
def contrast(difference, gain):
    """window.contrast, in integers."""
    shown = (difference * gain + GAIN_HALF) >> GAIN_SHIFT
    return tl.minimum(tl.maximum(shown, -CONTRAST), CONTRAST)


@triton.jit
def around(shown, row, spot, c: tl.constexpr):
    """The median edge detector of places in one of three channels, and the activity around them."""
    west = tl.load(shown + (spot - 1) * 3 + c).to(tl.int32)
    north = tl.load(shown + (spot - row) * 3 + c).to(tl.int32)
    corner = tl.load(shown + (spot - row - 1) * 3 + c).to(tl.int32)
    low, high = tl.minimum(west, north), tl.maximum(west, north)
    base = tl.maximum(low, tl.minimum(high, west + north - corner))
    activity = tl.abs(west - base) + tl.abs(north - base) + tl.abs(corner - base)
    activity += tl.abs(tl.load(shown + (spot - row + 1) * 3 + c).to(tl.int32) - base)
    activity += tl.abs(tl.load(shown + (spot - 2) * 3 + c).to(tl.int32) - base)
    activity += tl.abs(tl.load(shown + (spot - 2 * row) * 3 + c).to(tl.int32) - base)
    return base, activity


@triton.jit
def look_kernel(
    shown, extra, below, line, reach, sizes, gains, inputs, base,
    size, m, slots, pixels, width, row, first, columns, extras,
    stride, fixed: tl.constexpr, channels: tl.constexpr, room: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """A block of places of a picture. first: where place 0 is; columns: of the window; room: >= channels."""
    b = tl.program_id(1).to(tl.int64)
    p = tl.program_id(0) * block + tl.arange(0, block)
    there = p < m
    place = tl.maximum(tl.load(line + 1 + p, mask=there, other=0), 0)
    spot = first + (place // width) * row + place % width
    n = b * m + p
    shown += b * slots * channels
    if fixed < 0:
        base0, activity0 = around(shown, row, spot, 0)
        base1, activity1 = around(shown, row, spot, 1)
        base2, activity2 = around(shown, row, spot, 2)
        found = tl.load(sizes + activity0 + activity1 + activity2)
    else:
        found = tl.zeros([block], tl.int32) + fixed
    gain = tl.load(gains + found)
    tl.store(size + n, found, mask=there)
    q = tl.arange(0, 64)
    for column in range(0, columns, 64):
        c = (column + q) % channels
        there2 = there[:, None] & (column + q < columns)[None, :]
        step = tl.load(reach + (column + q) // channels, mask=column + q < columns, other=0)
        value = tl.load(shown + (spot[:, None] + step[None, :]) * channels + c[None, :], mask=there2, other=0)
        value = value.to(tl.int32)
        if fixed < 0:
            middle = tl.where((c == 1)[None, :], base1[:, None], base2[:, None])
            value -= tl.where((c == 0)[None, :], base0[:, None], middle)
        seen = contrast(value, gain[:, None])
        tl.store(inputs + n[:, None] * stride + column + q[None, :], seen.to(tl.float16), mask=there2)
    line_of = inputs + n * stride + columns
    c = tl.arange(0, room)
    at = tl.load(
        below + (b * pixels + place[:, None]) * channels + c[None, :],
        mask=there[:, None] & (c < channels)[None, :],
        other=0,
    ).to(tl.int32)
    if fixed < 0:
        tl.store(line_of, contrast(activity0, gain).to(tl.float16), mask=there)
        tl.store(line_of + 1, contrast(activity1, gain).to(tl.float16), mask=there)
        tl.store(line_of + 2, contrast(activity2, gain).to(tl.float16), mask=there)
        tl.store(line_of + 3, (base0 - 128).to(tl.float16), mask=there)
        tl.store(line_of + 4, (base1 - 128).to(tl.float16), mask=there)
        tl.store(line_of + 5, (base2 - 128).to(tl.float16), mask=there)
        tl.store(line_of + 6, (found - 24).to(tl.float16), mask=there)
        line_of += 7
        middle = tl.where((c == 1)[None, :], base1[:, None], base2[:, None])
        at += tl.where((c == 0)[None, :], base0[:, None], middle)
    tl.store(base + n[:, None] * channels + c[None, :], at, mask=there[:, None] & (c < channels)[None, :])
    for e in range(0, extras):
        value = tl.load(extra + (b * pixels + place) * extras + e, mask=there, other=0)
        tl.store(line_of + e, value.to(tl.float16), mask=there)


@triton.jit
def product_kernel(
    x, weight, bias, scale, out, n, inputs, outputs, x_row, out_row,
    kind: tl.constexpr, rows: tl.constexpr, depth: tl.constexpr, columns: tl.constexpr,
):  # fmt: skip
    """A tile of rows x columns of a layer. Every partial sum is below 2**24, so float32 holds it."""
    r = (tl.program_id(0) * rows + tl.arange(0, rows)).to(tl.int64)
    c = tl.program_id(1) * columns + tl.arange(0, columns)
    there, wanted = (r < n)[:, None], (c < outputs)[None, :]
    total = tl.zeros([rows, columns], tl.float32)
    for first in range(0, inputs, depth):
        i = first + tl.arange(0, depth)
        left = tl.load(x + r[:, None] * x_row + i[None, :], mask=there & (i < inputs)[None, :], other=0.0)
        right = tl.load(weight + i[:, None] * outputs + c[None, :], mask=(i < inputs)[:, None] & wanted, other=0.0)
        total = tl.dot(left, right, total)
    total += tl.load(bias + c, mask=c < outputs, other=0.0)[None, :]
    total = tl.floor(total * tl.load(scale + c, mask=c < outputs, other=1.0)[None, :])
    if kind == RESIDUAL:
        total += tl.load(x + r[:, None] * x_row + c[None, :], mask=there & wanted, other=0.0).to(tl.float32)
    if kind != PLAIN:
        total = tl.minimum(tl.maximum(total, 0.0), HIGHEST)
    tl.store(out + r[:, None] * out_row + c[None, :], total.to(out.dtype.element_ty), mask=there & wanted)


@triton.jit
def mixture_kernel(
    answers, base, values, size, mix, weight_of, inverse_of, unit_of,
    log_of, n, answers_row, plane, first, shift, warmth, channels: tl.constexpr,
    all_channels: tl.constexpr, components: tl.constexpr, room: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """The mixtures of a block of symbols: row by row, and in each the channels of the group. room: >= components."""
    s = tl.program_id(0) * block + tl.arange(0, block)
    there = s < n * channels
    r, c = (s // channels).to(tl.int64), s % channels
    k = tl.arange(0, room)
    there2 = there[:, None] & (k < components)[None, :]
    at = answers + r[:, None] * answers_row + (c * 3 * components)[:, None] + k[None, :]
    logit = tl.load(at, mask=there2, other=FAR_BELOW)
    below = tl.max(logit, 1)[:, None] - logit
    raw = tl.load(weight_of + below, mask=there2 & (below < LOGIT_CUT), other=0)
    weight = (raw << WEIGHT_BITS) // tl.maximum(tl.sum(raw, 1), 1)[:, None]
    top = (below == 0).to(tl.int32)
    best = (top == 1) & (tl.cumsum(top, 1) == 1)
    weight += tl.where(best, (-tl.sum(weight, 1) + WEIGHT_ONE)[:, None], 0)
    centre = tl.load(base + r * all_channels + first + c, mask=there, other=0)
    if shift >= 0:
        centre += tl.load(values + r * all_channels + shift, mask=there, other=0)
        centre -= tl.load(base + r * all_channels + shift, mask=there, other=0)
    found = tl.load(size + r, mask=there, other=0)
    unit = tl.load(unit_of + found).to(tl.int64)
    said = tl.load(at + components, mask=there2, other=0).to(tl.int64)
    mean = ((said * unit[:, None]) >> MEAN_SHIFT) + 16 * centre[:, None]
    mean = tl.minimum(tl.maximum(mean, -MEAN_LIMIT), MEAN_LIMIT)
    wide = tl.load(at + 2 * components, mask=there2, other=0)
    wide = tl.minimum(tl.maximum(wide, LOG_LOW), LOG_HIGH) + (tl.load(log_of + found) + SCALE_ZERO + warmth)[:, None]
    inverse = tl.load(inverse_of + tl.minimum(tl.maximum(wide, 0), SCALE_COUNT - 1))
    target = mix + s.to(tl.int64)[:, None] * components + k[None, :]
    tl.store(target, weight, mask=there2)
    tl.store(target + plane, mean.to(tl.int32), mask=there2)
    tl.store(target + 2 * plane, inverse, mask=there2)


@triton.jit
def cumulative(mix, plane, there, sigmoid, step, low, count, k,
               components: tl.constexpr):  # fmt: skip
    """logistic.cumulative of symbols k [L, S], int32. mix: pointers to the first component of L mixtures."""
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
    heads, words, starts, lefts, line, mix, grid,
    sigmoid, gains, base, size, values, trunk, m, width, plane,
    first, trunk_row, known, channels: tl.constexpr, all_channels: tl.constexpr, grey: tl.constexpr,
    components: tl.constexpr, looks: tl.constexpr, lanes: tl.constexpr, probes: tl.constexpr,
):  # fmt: skip
    """A message: rounds of its lanes, a symbol each. lanes: a power of two that is at least width, the message's."""
    b = tl.program_id(0).to(tl.int64)
    lane = tl.arange(0, lanes)
    probe = tl.arange(0, probes)
    live = lane < width
    head = tl.load(heads + b * width + lane, mask=live, other=HEAD_LOW)
    left = tl.load(lefts + b)
    bottom = words + tl.load(starts + b)
    total = tl.load(line) * channels
    for done in range(0, total, width):
        at = done + lane
        there = live & (at < total)
        c = at % channels
        step = tl.load(grid + c)
        low = tl.load(grid + channels + c)
        count = tl.load(grid + 2 * channels + c)
        target = (head & (TOTAL - 1)).to(tl.int32)
        mixes = mix + (b * m * channels + at) * components
        symbol, start = low, tl.zeros_like(target)
        end = start + TOTAL
        for look in tl.static_range(looks):
            part = probes ** (looks - 1 - look)
            k = symbol[:, None] + part * probe[None, :]
            value = cumulative(mixes, plane, there, sigmoid, step, low, count, k, components)
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
                tl.store(values + n * all_channels + other, found, mask=there)
        else:
            tl.store(values + n * all_channels + first + c, found, mask=there)
        middle = tl.load(base + n * all_channels + first + c, mask=there, other=0)
        gain = tl.load(gains + tl.load(size + n, mask=there, other=0))
        seen = contrast((found - middle).to(tl.int64), gain)
        tl.store(trunk + n * trunk_row + known + c, seen.to(tl.float16), mask=there)
    tl.store(heads + b * width + lane, head, mask=live)
    tl.store(lefts + b, left)


@triton.jit
def draw_kernel(
    shown, below, values, line, m, slots, pixels, height, width, row,
    first, left, right, channels: tl.constexpr, room: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """A block of places of a picture. room: >= channels."""
    b = tl.program_id(1).to(tl.int64)
    p = tl.program_id(0) * block + tl.arange(0, block)
    place = tl.load(line + 1 + p, mask=p < m, other=-1)
    there = place >= 0
    place = tl.maximum(place, 0)
    i, j = place // width, place % width
    spot = first + i * row + j
    c = tl.arange(0, room)[None, :]
    known = (c < channels) & there[:, None]
    value = tl.load(values + (b * m + p)[:, None] * channels + c, mask=known, other=0)
    value -= tl.load(below + (b * pixels + place)[:, None] * channels + c, mask=known, other=0)
    value = value.to(tl.int16)
    target = shown + (b * slots + spot)[:, None] * channels + c
    tl.store(target, value, mask=known)
    for k in range(0, right):
        tl.store(target + (1 + k) * channels, value, mask=known & (j == width - 1)[:, None])
    for k in range(0, left):
        tl.store(target + (row - left + k) * channels, value, mask=known & ((j == 0) & (i < height - 1))[:, None])


def power(size: int, least: int = 1) -> int:
    """The power of two that is at least so much."""
    return max(least, 1 << (size - 1).bit_length())


def look(net: Net, field: Field, rows: Rows, line: Tensor) -> None:
    """See net.Parts."""
    b, slots, c = field.shown.shape
    m, window = len(line) - 1, net.config.window
    look_kernel[(triton.cdiv(m, BLOCK), b)](
        field.shown, field.extra, field.base, line, field.reach, net.tables["SIZE_OF_ACTIVITY"],
        net.tables["GAIN_OF"], rows.inputs, rows.base, rows.size, m, slots, field.height * field.width, field.width,
        field.row, window.up * field.row + window.left, len(field.reach) * c, field.extra.shape[2],
        rows.inputs.stride(0), fixed=net.fixed, channels=c, room=power(c), block=BLOCK,
    )  # fmt: skip


def product(layer: Layer, kind: int, x: Tensor, out: Tensor) -> None:
    """See net.Parts."""
    inputs, outputs = layer.weight.shape
    columns = min(power(outputs, 16), DOT_COLUMNS)
    product_kernel[(triton.cdiv(len(x), DOT_ROWS), triton.cdiv(outputs, columns))](
        x, layer.weight, layer.bias, layer.scale, out, len(x), inputs, outputs, x.stride(0), out.stride(0), kind=kind,
        rows=DOT_ROWS, depth=DOT_DEPTH, columns=columns,
    )  # fmt: skip


def mixture(net: Net, group: Group, rows: Rows) -> None:
    """See net.Parts."""
    tables, n, k = net.tables, len(rows.size), net.config.mixtures
    mixture_kernel[(triton.cdiv(n * group.channels, BLOCK),)](
        rows.answers, rows.base, rows.values, rows.size, rows.mix, tables["WEIGHT"], tables["INVERSE"],
        tables["SIZE_OF"], tables["LOG_SIZE"], n, rows.answers.stride(0), rows.mix.stride(0), group.first, group.shift,
        net.warmth, channels=group.channels, all_channels=net.config.channels, components=k, room=power(k), block=BLOCK,
    )  # fmt: skip


def pop(net: Net, group: Group, rows: Rows, line: Tensor, lanes: Lanes) -> None:
    """See net.Parts."""
    b, width = lanes.heads.shape
    looks = next(n for n in range(1, 32) if PROBES**n >= group.most)
    pop_kernel[(b,)](
        lanes.heads, lanes.words, lanes.start, lanes.left, line, rows.mix, group.grid,
        net.tables["SIGMOID"], net.tables["GAIN_OF"], rows.base, rows.size, rows.values, rows.trunk, len(line) - 1,
        width, rows.mix.stride(0), group.first, rows.trunk.stride(0), net.config.hidden + group.seen,
        channels=group.channels, all_channels=net.config.channels, grey=net.grey, components=net.config.mixtures,
        looks=looks, lanes=power(width), probes=PROBES,
        num_warps=POP_WARPS,
    )  # fmt: skip


def draw(net: Net, field: Field, rows: Rows, line: Tensor) -> None:
    """See net.Parts."""
    b, slots, c = field.shown.shape
    m, window = len(line) - 1, net.config.window
    draw_kernel[(triton.cdiv(m, BLOCK), b)](
        field.shown, field.base, rows.values, line, m, slots, field.height * field.width, field.height, field.width,
        field.row, window.up * field.row + window.left, window.left, window.right, channels=c, room=power(c),
        block=BLOCK,
    )  # fmt: skip
