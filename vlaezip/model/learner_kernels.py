"""The compiled learner: errors on their way back, sums of gradients, and the step that weights take.

Places come in pairs, two int16 in one int32, as products take them. Of pairs, inputs are columns and errors rows: their
product is the sum of gradients over all places of an update.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.logistic import Ints
from vlaezip.exact.kernel_cache import kernel
from vlaezip.exact.law import ACTIVATION_MAX
from vlaezip.exact.matmul import product, rows_of, run_tiles
from vlaezip.exact.microkernel import ERRORS, LANES, PLAIN, TILE_COLUMNS, Rows
from vlaezip.exact.simd import WIDTH, broadcast, leading_zeros, load, lookup_short, maximum, minimum, store, transpose
from vlaezip.format.settings import RATES
from vlaezip.model.learner import (
    BIAS_FRACTION,
    BIAS_GAIN,
    BIAS_MAX,
    GRADIENT_BITS,
    GRADIENT_MAX,
    LEADING_BITS,
    MOMENT_SHIFT,
    RATIO_BITS,
    RATIO_MAX,
    SPREAD_BITS,
    SPREAD_FLOOR,
    SPREAD_SHIFT,
    WINDOW,
)

# 2**RATIO_BITS times a rate below its octave, over the middle of all spreads with the same leading bits.
SHORT_BITS = SPREAD_BITS - LEADING_BITS
MIDDLES = (2 * np.arange(1 << (LEADING_BITS - 1), 1 << LEADING_BITS) + 1) << (SHORT_BITS - 1)
INVERSES = np.array([((8 - r) << (RATIO_BITS - 3)) // MIDDLES for r in range(4)], np.int32)
SLOWEST = RATES.stop - 1
UNIT = max(TILE_COLUMNS * LANES, 2 * WIDTH)  # outputs of a layer that are brought forward together
PAIRS = WINDOW + WIDTH  # of an update, at the most: a place alone in its part leaves one half empty


class Window(NamedTuple):
    """What an update is made of. Of each learned layer: inputs, int32 [I, PAIRS], and errors, int32 [PAIRS, O].

    table, int64 [L, 2]: where a layer's begin. Heads see the first of the same inputs, so the last one's are kept.
    """

    inputs: Ints
    errors: Ints
    table: NDArray[np.int64]


class Pace(NamedTuple):
    """How fast an update goes: shifts of the running means, the rate's octave, and INVERSES below it."""

    moment_shift: int
    spread_shift: int
    octave: int
    inverses: Ints


class Scratch(NamedTuple):
    """Buffers of one thread's way back, for N places."""

    below: NDArray[np.int16]  # [depth, N, hidden]: activations under the trunk's last ones
    outs: NDArray[np.int16]  # [N, outputs]: errors
    heads: NDArray[np.int16]  # [N, head]
    trunk: NDArray[np.int16]  # [N, hidden + C]
    masked: NDArray[np.int16]
    pairs: Ints  # [16, I]
    square: Ints  # [256]
    sums: Ints  # [I, UNIT]: of gradients
    back: NDArray[np.int16]  # [I, UNIT]: weights of the way back
    zeros: Ints  # [UNIT]


@kernel()
def mask_errors(activations: Any, errors: Any, n: int, width: int, filled: int) -> None:
    """Stop errors where an activation was clamped, and beyond a layer's width."""
    for i in range(n):
        for j in range(0, filled, WIDTH):
            h = load(activations[i], j)
            open_ = minimum(h, 1) & minimum(ACTIVATION_MAX - h, 1)
            store(errors[i], j, load(errors[i], j) & (0 - open_))
        errors[i, width:filled] = 0


@kernel()
def pair_rows(values: Any, i: int, n: int, width: int, result: Any, row: int) -> None:
    """Join rows i and i + 1 of values, int16, to one of int32, the first in the lower halves. Row n counts as zero."""
    for j in range(0, width, WIDTH):
        pair = load(values[i], j) & 0xFFFF
        if i + 1 < n:
            pair = pair | (load(values[i + 1], j) << 16)
        store(result[row], j, pair)


@kernel()
def keep_errors(learner: Any, window: Any, j: int, errors: Any, n: int, first: int) -> None:
    """Keep a layer's errors of n places, as rows of pairs from the first on."""
    width, start = learner.table[j, 1], window.table[j, 1]
    target = window.errors[start : start + PAIRS * width].reshape(PAIRS, width)
    for p in range((n + 1) // 2):
        pair_rows(errors, 2 * p, n, width, target, first + p)


@kernel()
def keep_inputs(learner: Any, window: Any, scratch: Any, j: int, inputs: Any, n: int, first: int) -> None:
    """Keep a layer's inputs of n places, as columns of pairs from the first on."""
    width, start, count = learner.table[j, 0], window.table[j, 0], (n + 1) // 2
    target = window.inputs[start : start + PAIRS * width].reshape(width, PAIRS)
    for p in range(0, count, WIDTH):
        some = min(WIDTH, count - p)
        for r in range(some):
            pair_rows(inputs, 2 * (p + r), n, width, scratch.pairs, r)
        for i in range(0, width, WIDTH):
            transpose(scratch.pairs, np.int64(i), scratch.pairs.shape[1], scratch.square, np.int64(0))
            for c in range(WIDTH):
                if some == WIDTH:
                    store(target[i + c], first + p, load(scratch.square, WIDTH * c))
                else:
                    target[i + c, first + p : first + p + some] = scratch.square[WIDTH * c : WIDTH * c + some]


@kernel()
def send_back_group(
    net: Any, learner: Any, window: Any, buffers: Any, scratch: Any, group: int, n: int, first: int
) -> None:
    """Send the errors of a group's outputs back to the trunk, and keep what its two layers learn from."""
    head, out = net.depth + group, net.depth + len(net.groups) + group
    keep_errors(learner, window, out, scratch.outs, n, first)
    keep_inputs(learner, window, scratch, out, buffers.head, n, first)
    scratch.heads[:n] = 0
    product(learner.backward, np.int64(out), ERRORS, scratch.outs, scratch.heads, n)
    mask_errors(buffers.head, scratch.heads, n, learner.table[head, 3], learner.table[head, 1])
    keep_errors(learner, window, head, scratch.heads, n, first)
    product(learner.backward, np.int64(head), ERRORS, scratch.heads, scratch.trunk, n)


@kernel()
def send_back_trunk(net: Any, learner: Any, window: Any, buffers: Any, scratch: Any, n: int, first: int) -> None:
    """Send errors back through the trunk, and keep what its layers learn from, and the inputs of heads."""
    keep_inputs(learner, window, scratch, net.depth + len(net.groups) - 1, buffers.trunk, n, first)
    for layer in range(net.depth - 1, -1, -1):
        after = buffers.trunk if layer + 1 == net.depth else scratch.below[layer + 1]
        mask_errors(after, scratch.trunk, n, learner.table[layer, 3], learner.table[layer, 1])
        keep_errors(learner, window, layer, scratch.trunk, n, first)
        keep_inputs(learner, window, scratch, layer, scratch.below[layer], n, first)
        if layer:
            scratch.masked[:n] = scratch.trunk[:n]
            product(learner.backward, np.int64(layer), ERRORS, scratch.masked, scratch.trunk, n)


@kernel()
def sum_gradients(learner: Any, window: Any, scratch: Any, j: int, first: int, last: int, pairs: int) -> None:
    """Sum inputs times errors over an update's places, for outputs first..last of a layer, into scratch.sums."""
    inputs = Rows(np.int64(window.inputs.ctypes.data) + 4 * window.table[j, 0], np.int64(4 * PAIRS))
    errors = Rows(np.int64(window.errors.ctypes.data) + 4 * (window.table[j, 1] + first), 4 * learner.table[j, 1])
    zeros, sums = np.int64(scratch.zeros.ctypes.data), rows_of(scratch.sums, 0)
    lanes, one = (last - first) // LANES, np.int64(1)
    run_tiles(PLAIN, inputs, one, errors, one, pairs, zeros, zeros, sums, sums, lanes, learner.table[j, 2])


@kernel(forceinline=True)
def bounded(value: Any, limit: Any) -> Any:
    """Clamp to -limit..limit."""
    return maximum(minimum(value, limit), -limit)


@kernel(forceinline=True)
def rounded(value: Any, shift: Any) -> Any:
    """Divide by 2**shift, rounding half up."""
    return (value + ((broadcast(1) << shift) >> 1)) >> shift


@kernel(forceinline=True)
def advance(gradients: Any, moments: Any, spreads: Any, i: Any, pace: Any, shift: Any) -> Any:
    """Bring sixteen moments and spreads forward. -> the step that their masters take."""
    gradient = bounded(gradients, GRADIENT_MAX) << GRADIENT_BITS
    moment, spread = load(moments, i), load(spreads, i)
    moment = moment + rounded(gradient - moment, pace.moment_shift)
    spread = spread + rounded(maximum(gradient, 0 - gradient) - spread, pace.spread_shift)
    store(moments, i, moment)
    store(spreads, i, spread)
    spread = spread + SPREAD_FLOOR
    exponent = (32 - SPREAD_BITS) - leading_zeros(spread)
    inverse = lookup_short(pace.inverses, (spread >> (exponent + SHORT_BITS)) - (1 << (LEADING_BITS - 1)))
    return rounded(bounded(moment >> exponent, RATIO_MAX) * inverse, shift)


@kernel()
def pace_of(clock: int, rate: int) -> Any:
    """Set the pace of the update that follows `clock` others: the first means are over as many as there were.

    With every octave of the clock the rate falls by a quarter of one.
    """
    octave = 0
    while (clock + 1) >> (octave + 1):
        octave += 1
    rate = min(rate + octave, SLOWEST)
    return Pace(min(MOMENT_SHIFT, octave), min(SPREAD_SHIFT, octave), rate // 4, INVERSES[rate % 4])


@kernel()
def bring_forward(
    learner: Any, window: Any, scratch: Any, j: int, first: int, last: int, pairs: int, rate: int
) -> None:
    """Take the step of outputs first..last of a layer."""
    sum_gradients(learner, window, scratch, j, first, last, pairs)
    pace = pace_of(learner.clock[0], rate)
    for o in range(first, last, WIDTH):
        step_weights(learner, scratch, j, o, o - first, pace)
        step_biases(learner, window, j, o, pairs, pace)
    transpose_back(learner, scratch, j, first, last)


@kernel()
def step_weights(learner: Any, scratch: Any, j: int, o: int, column: int, pace: Any) -> None:
    """Bring the weights of sixteen outputs forward: for products, and for the way back, where they are put later."""
    _, outputs, inputs, _, first, start, row, fraction, limit = learner.table[j]
    packed, at = learner.forward.weights.view(np.int32), learner.forward.table[j + 1, 0] // 2 + o
    shift = load(learner.step_shifts, start + o) + pace.octave
    back_shift, bound = load(learner.back_shifts, start + o), limit << fraction
    for i in range(0, inputs, 2):
        pair = broadcast(0)
        for r in range(min(2, inputs - i)):
            m, lift = first + (i + r) * outputs + o, learner.lifts[row + i + r]
            step = advance(load(scratch.sums[i + r], column), learner.moments, learner.spreads, m, pace, shift - lift)
            master = bounded(load(learner.masters, m) - step, bound)
            store(learner.masters, m, master)
            weight = rounded(master, fraction)
            pair = weight & 0xFFFF if r == 0 else pair | (weight << 16)
            store(scratch.back[i + r], column, bounded(rounded(master, back_shift), limit))
        store(packed, at + i // 2 * outputs, pair)


@kernel()
def step_biases(learner: Any, window: Any, j: int, o: int, pairs: int, pace: Any) -> None:
    """Bring the biases of sixteen outputs forward: weights of an input that is always one."""
    total, errors = broadcast(0), window.table[j, 1] + o
    for p in range(pairs):
        pair = load(window.errors, errors + p * learner.table[j, 1])
        total = total + ((pair << 16) >> 16) + (pair >> 16)
    b, bound = learner.table[j, 5] + o, BIAS_MAX << BIAS_FRACTION
    shift = load(learner.bias_step_shifts, b) + pace.octave
    step = advance(total << BIAS_GAIN, learner.bias_moments, learner.bias_spreads, b, pace, shift)
    master = bounded(load(learner.bias_masters, b) - step, bound)
    store(learner.bias_masters, b, master)
    store(learner.forward.biases, learner.forward.table[j + 1, 1] + o, rounded(master, BIAS_FRACTION))


@kernel()
def transpose_back(learner: Any, scratch: Any, j: int, first: int, last: int) -> None:
    """Put weights of the way back where products have them: rows of inputs become rows of pairs of outputs."""
    target, at = learner.backward.weights.view(np.int32), learner.backward.table[j, 0] // 2
    inputs, rows = learner.table[j, 0], scratch.back.view(np.int32)
    for i in range(0, inputs, WIDTH):
        for p in range(0, (last - first) // 2, WIDTH):
            transpose(rows, np.int64(i * rows.shape[1] + p), rows.shape[1], scratch.square, np.int64(0))
            for r in range(min(WIDTH, (last - first) // 2 - p)):
                store(target, at + (first // 2 + p + r) * inputs + i, load(scratch.square, WIDTH * r))
