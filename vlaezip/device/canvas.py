"""Triton kernels between canvas and rows: what a place sees of its neighbours, and what becomes of its values."""

import triton
import triton.language as tl

from vlaezip.model.contrast import HALF_GAIN
from vlaezip.model.window import GAIN_BITS
from vlaezip.model.window_kinds import CONTRAST_MAX, MID_LEVEL, MID_SIZE

CONTRAST = tl.constexpr(CONTRAST_MAX)
GAIN_SHIFT = tl.constexpr(GAIN_BITS)
GAIN_HALF = tl.constexpr(HALF_GAIN)
LEVEL = tl.constexpr(MID_LEVEL)
SIZE = tl.constexpr(MID_SIZE)
COLUMNS = tl.constexpr(64)  # of a window that are seen at once


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
def gather_kernel(
    field, tables, line, rows, m, slots, columns, extras, inputs_row,
    fixed: tl.constexpr, channels: tl.constexpr, room: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """A block of places of a picture. slots: of the canvas; columns: of the window; room: >= channels."""
    b = tl.program_id(1).to(tl.int64)
    p = tl.program_id(0) * block + tl.arange(0, block)
    there = p < m
    place = tl.maximum(tl.load(line + 1 + p, mask=there, other=0), 0)
    row = field.row
    spot = field.first + (place // field.width) * row + place % field.width
    n = b * m + p
    shown = field.shown + b * slots * channels
    if fixed < 0:
        base0, activity0 = around(shown, row, spot, 0)
        base1, activity1 = around(shown, row, spot, 1)
        base2, activity2 = around(shown, row, spot, 2)
        found = tl.load(tables.size_of_activity + activity0 + activity1 + activity2)
    else:
        found = tl.zeros([block], tl.int32) + fixed
    gain = tl.load(tables.gain_of + found)
    tl.store(rows.size + n, found, mask=there)
    q = tl.arange(0, COLUMNS)
    for column in range(0, columns, COLUMNS):
        c = (column + q) % channels
        there2 = there[:, None] & (column + q < columns)[None, :]
        step = tl.load(field.reach + (column + q) // channels, mask=column + q < columns, other=0)
        value = tl.load(shown + (spot[:, None] + step[None, :]) * channels + c[None, :], mask=there2, other=0)
        value = value.to(tl.int32)
        if fixed < 0:
            middle = tl.where((c == 1)[None, :], base1[:, None], base2[:, None])
            value -= tl.where((c == 0)[None, :], base0[:, None], middle)
        seen = contrast(value, gain[:, None])
        tl.store(rows.inputs + n[:, None] * inputs_row + column + q[None, :], seen.to(tl.float16), mask=there2)
    beside = rows.inputs + n * inputs_row + columns
    c = tl.arange(0, room)
    here = b * field.height * field.width + place
    base = tl.load(
        field.base + here[:, None] * channels + c[None, :],
        mask=there[:, None] & (c < channels)[None, :],
        other=0,
    ).to(tl.int32)
    if fixed < 0:
        tl.store(beside, contrast(activity0, gain).to(tl.float16), mask=there)
        tl.store(beside + 1, contrast(activity1, gain).to(tl.float16), mask=there)
        tl.store(beside + 2, contrast(activity2, gain).to(tl.float16), mask=there)
        tl.store(beside + 3, (base0 - LEVEL).to(tl.float16), mask=there)
        tl.store(beside + 4, (base1 - LEVEL).to(tl.float16), mask=there)
        tl.store(beside + 5, (base2 - LEVEL).to(tl.float16), mask=there)
        tl.store(beside + 6, (found - SIZE).to(tl.float16), mask=there)
        beside += 7
        middle = tl.where((c == 1)[None, :], base1[:, None], base2[:, None])
        base += tl.where((c == 0)[None, :], base0[:, None], middle)
    tl.store(rows.base + n[:, None] * channels + c[None, :], base, mask=there[:, None] & (c < channels)[None, :])
    for e in range(0, extras):
        value = tl.load(field.extra + here * extras + e, mask=there, other=0)
        tl.store(beside + e, value.to(tl.float16), mask=there)


@triton.jit
def write_kernel(
    field, line, rows, m, slots, left, right,
    channels: tl.constexpr, room: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """A block of places of a picture. slots: of the canvas; left, right: of its edges; room: >= channels."""
    b = tl.program_id(1).to(tl.int64)
    p = tl.program_id(0) * block + tl.arange(0, block)
    place = tl.load(line + 1 + p, mask=p < m, other=-1)
    there = place >= 0
    place = tl.maximum(place, 0)
    i, j = place // field.width, place % field.width
    spot = field.first + i * field.row + j
    c = tl.arange(0, room)[None, :]
    known = (c < channels) & there[:, None]
    value = tl.load(rows.coded + (b * m + p)[:, None] * channels + c, mask=known, other=0)
    here = b * field.height * field.width + place
    value -= tl.load(field.base + here[:, None] * channels + c, mask=known, other=0)
    value = value.to(tl.int16)
    target = field.shown + (b * slots + spot)[:, None] * channels + c
    tl.store(target, value, mask=known)
    for k in range(0, right):
        tl.store(target + (1 + k) * channels, value, mask=known & (j == field.width - 1)[:, None])
    for k in range(0, left):
        tl.store(
            target + (field.row - left + k) * channels, value, mask=known & ((j == 0) & (i < field.height - 1))[:, None]
        )
