"""What a local model sees of its neighbours: padding and integer inputs made of a window."""

from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.tables import SIZES
from vlaezip.errors import ModelError
from vlaezip.exact.kernel_cache import kernel
from vlaezip.exact.simd import broadcast, load, maximum, minimum, store
from vlaezip.model.config import LocalConfig, Window
from vlaezip.model.contrast import BLOCK, HALF_GAIN, contrast_runs, line_size, scaled_contrast
from vlaezip.model.contrast import GAIN_BITS as GAIN_BITS
from vlaezip.model.window_kinds import (
    ADAPTIVE,
    COLOURS,
    CONTRAST_MAX,
    CONTRAST_UNIT,
    LEVEL_UNIT,
    MID_LEVEL,
    MID_SIZE,
    SIZE_UNIT,
    Columns,
)  # fmt: skip

# Contrast is shown as difference * 512 / S, S = 2**(s / 4) for size number s.
MAX_RUN = 16  # places of a window in one row, at the most
GAIN_OF = np.array([isqrt(isqrt(1 << (4 * (9 + GAIN_BITS) - s))) for s in range(SIZES)], np.int64)  # floor(2**17 / S)

# Activity: the sum of |neighbour - reference| over the nearest ring and three channels.
ACTIVITY_RING = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0))
ACTIVITY_FLOOR = 4
ACTIVITY_MAX = len(ACTIVITY_RING) * COLOURS * 255
ROOTS = [isqrt(isqrt(1 << s)) for s in range(1, SIZES)]
SIZE_OF_ACTIVITY = np.searchsorted(ROOTS, np.arange(ACTIVITY_MAX + 1) + ACTIVITY_FLOOR, side="right")


def pad(x: NDArray[np.int16], window: Window, fill: int) -> NDArray[np.int16]:
    """Surround pictures with what a window sees beyond their edges.

    x: [B, H, W, C] -> [B, up + H, left + W + right, C]. Above: fill. Right of a row: its last value. Left of a
    row: the first value of the row above. All of it is known when the wavefront needs it.
    """
    b, h, w, c = x.shape
    out = np.full((b, window.up + h, window.left + w + window.right, c), fill, x.dtype)
    surround(out, x, window)
    return out


def surround(out: Any, x: Any, window: Window) -> None:
    """The rest of pad(), for arrays and tensors: `out` holds the fill."""
    w = x.shape[2]
    inner = out[:, :, window.left : window.left + w]
    inner[:, window.up :] = x
    out[:, :, window.left + w :] = inner[:, :, -1:]
    out[:, window.up + 1 :, : window.left] = inner[:, window.up : -1, :1]


def input_columns(config: LocalConfig) -> list[Columns]:
    """The inputs that describe() makes: contrasts; if they are adaptive also activities, references and the size."""
    c = config.channels
    contrasts = (len(config.window.offsets) * c, CONTRAST_UNIT, config.kind.largest)
    if config.kind.size != ADAPTIVE:
        return [contrasts]
    return [contrasts, (c, CONTRAST_UNIT, CONTRAST_MAX), (c, LEVEL_UNIT, MID_LEVEL), (1, SIZE_UNIT, MID_SIZE)]


class Reach:
    """A window laid over padded pictures with `row` places a row."""

    def __init__(self, config: LocalConfig, row: int) -> None:
        starts: dict[int, list[int]] = {}
        for dy, dx in config.window.offsets:
            starts.setdefault(dy, []).append(dx)
        longest = max(map(len, starts.values()), default=0)
        if longest > MAX_RUN:
            raise ModelError(f"a window has {longest} places in a row, at most {MAX_RUN} are taken")
        # Runs of neighbouring places: (first offset, length).
        runs = [(dy * row + min(dxs), len(dxs)) for dy, dxs in starts.items()]
        self.runs = np.array(runs, np.int64).reshape(-1, 2)
        self.ring = np.array([dy * row + dx for dy, dx in ACTIVITY_RING])
        self.size = config.kind.size

    def describe(self, shown: Any, spot: Any, extra: Any, inputs: Any, base: Any, size: Any) -> None:
        """The twin of window.describe that codecs run: fill inputs [N, I + E], base [N, C], size [N].

        shown int16 [M, C]: padded pictures; spot [N]: places in it; extra int16 [N, E].
        """
        flat, channels = spare(shown), shown.shape[1]
        if self.size == ADAPTIVE:
            n = median_inputs(flat, channels, spot, self.runs, self.ring, inputs, base, size)
        else:
            base[:], size[:] = 0, self.size
            n = fixed_inputs(flat, channels, spot, self.runs, GAIN_OF[self.size], inputs)
        inputs[:, n:] = extra


def spare(shown: NDArray[np.int16]) -> NDArray[np.int16]:
    """A flat copy with what kernels may read beyond the last window."""
    return np.append(shown, np.zeros(BLOCK, np.int16))


@kernel()
def fitting_rows(inputs: Any, n: int) -> int:
    """Count rows of inputs that may have n values and a block written: the next row writes over what is beyond."""
    last: int = (inputs.size - n - BLOCK) // inputs.shape[1]
    return max(0, last + 1)


@kernel()
def fixed_inputs(flat: Any, channels: int, spot: Any, runs: Any, gain: int, inputs: Any) -> int:
    """describe() without a reference in the window. inputs: int16. -> number of inputs filled."""
    n = line_size(runs, channels) - BLOCK
    none, line = np.zeros((1, BLOCK), np.int32), np.empty((1, n + BLOCK), np.int16)
    fit = fitting_rows(inputs, n)
    for i in range(len(spot)):
        lines, at = (inputs, i * inputs.shape[1]) if i < fit else (line, 0)
        contrast_runs(flat, channels, spot[i], runs, none, gain, lines, at)
        if i >= fit:
            inputs[i, :n] = line[0, :n]
    return n


@kernel()
def channel_masks(channels: int) -> Any:
    """int32 [C, C, BLOCK]: one where a value of the first, second .. block of a run is of a channel, else zero."""
    result = np.zeros((channels, channels, BLOCK), np.int32)
    for block in range(channels):
        for k in range(BLOCK):
            result[block, (block * BLOCK + k) % channels, k] = 1
    return result


@kernel(forceinline=True)
def median_and_activity(flat: Any, channels: int, spot: int, ring: Any) -> Any:
    """The median edge detector at a place, and the activity around it: a channel each, and nothing beyond them."""
    west, north = load(flat, (spot + ring[0]) * channels), load(flat, (spot + ring[1]) * channels)
    slope = west + north - load(flat, (spot + ring[2]) * channels)
    middle = maximum(minimum(west, north), minimum(maximum(west, north), slope))
    activity = broadcast(0)
    for r in range(len(ring)):
        difference = load(flat, (spot + ring[r]) * channels) - middle
        activity = activity + maximum(difference, 0 - difference)
    return middle, activity


@kernel()
def describe_rows(
    flat: Any, channels: int, spot: Any, runs: Any, ring: Any, masks: Any, inputs: Any, base: Any, size: Any
) -> None:
    """median_inputs() where all rows of inputs are fitting_rows()."""
    middle, found = np.empty((channels, BLOCK), np.int32), np.empty((2, BLOCK), np.int32)
    for i in range(len(spot)):
        reference, activity = median_and_activity(flat, channels, spot[i], ring)
        store(found, 0, reference)
        store(found, BLOCK, activity)
        total = 0
        for c in range(channels):
            base[i, c] = found[0, c]
            total += found[1, c]
        for block in range(channels):
            values = broadcast(0)
            for c in range(channels):
                values = values + load(masks, (block * channels + c) * BLOCK) * found[0, c]
            store(middle, block * BLOCK, values)
        size[i] = SIZE_OF_ACTIVITY[np.uint64(total)]
        gain, at = GAIN_OF[np.uint64(size[i])], i * inputs.shape[1]
        at += contrast_runs(flat, channels, spot[i], runs, middle, gain, inputs, at)
        store(inputs, at, scaled_contrast(activity, gain))
        store(inputs, at + channels, reference - MID_LEVEL)
        store(inputs, at + 2 * channels, broadcast(size[i] - MID_SIZE))


@kernel()
def median_inputs(flat: Any, channels: int, spot: Any, runs: Any, ring: Any, inputs: Any, base: Any, size: Any) -> int:
    """describe() relative to the median edge detector. ring: offsets of ACTIVITY_RING, which begins with W, N, NW.

    inputs: int16. -> number of inputs filled.
    """
    n = line_size(runs, channels) - BLOCK + 2 * channels + 1
    masks, line = channel_masks(channels), np.empty((1, n + BLOCK), np.int16)
    fit = min(fitting_rows(inputs, n), len(spot))
    describe_rows(flat, channels, spot[:fit], runs, ring, masks, inputs, base, size)
    for i in range(fit, len(spot)):
        describe_rows(flat, channels, spot[i : i + 1], runs, ring, masks, line, base[i:], size[i:])
        inputs[i, :n] = line[0, :n]
    return n


@kernel()
def write_contrasts(values: Any, base: Any, size: Any, known: Any) -> None:
    """Write contrasts of values [N, g] with base into known [N, >= g]: what later channels see of earlier ones."""
    for i in range(values.shape[0]):
        for c in range(values.shape[1]):
            d = (np.int64(values[i, c] - base[i, c]) * GAIN_OF[size[i]] + HALF_GAIN) >> GAIN_BITS
            known[i, c] = min(max(d, -CONTRAST_MAX), CONTRAST_MAX)


@kernel()
def write_padded(shown: Any, spot: Any, edge: Any, row: int, left: int, right: int, values: Any) -> None:
    """Write decoded values [N, C] into padded pictures, and beyond their edges as pad() would. In place.

    edge [N]: 1 in the first column of all rows but the last, 2 in the last column, 3 in both, else 0.
    """
    for i in range(len(spot)):
        for c in range(shown.shape[1]):
            shown[spot[i], c] = values[i, c]
            if edge[i] & 2:
                for k in range(right):
                    shown[spot[i] + 1 + k, c] = values[i, c]
            if edge[i] & 1:
                for k in range(left):
                    shown[spot[i] + row - left + k, c] = values[i, c]
