"""The learner: a local model whose weights move on while a picture is coded, the same way on both sides.

After some places of the wavefront the decoder knows what was there, and takes the step of gradient descent that the
encoder took (prequential coding, Dawid 1984; "dynamic evaluation" in Krause et al. 2018). Nothing is sent for it. All
layers learn but the stem. A step is Adam (Kingma and Ba 2015) with a mean of |g| in place of the root of a mean of g^2.

The law of exactness, extended: errors are at most ERROR_MAX, a weight is clamped to a limit of its layer, so that with
inputs of at most ACTIVATION_MAX all sums, forward and back, fit into 32 bits, and sums of gradients over WINDOW places
too. Within an update there are sums alone, whose order cannot matter.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.logistic import Ints
from vlaezip.exact import matmul
from vlaezip.exact.law import ACTIVATION_MAX, ERROR_MAX, Affine
from vlaezip.exact.matmul import Packed
from vlaezip.exact.simd import WIDTH
from vlaezip.model.layout import Layer
from vlaezip.model.local_ar import LocalAR

WINDOW = 256  # places of an update, at the most
SUM_MAX = (1 << 31) - 1
BIAS_MAX = 1 << 25
WEIGHT_MAX = 4095
FRACTION_MAX, BIAS_FRACTION = 18, 5  # bits that masters keep below one
GRADIENT_MAX = (1 << 24) - 1  # of a sum, which moments are made of
GRADIENT_BITS = 6  # that moments keep below one
BIAS_GAIN = 7  # a bias is a weight whose input is one, 2**7 steps
MOMENT_SHIFT, SPREAD_SHIFT = 3, 7  # means over about 8 updates, and over 128
SPREAD_FLOOR, SPREAD_BITS = 1 << 10, 11  # added to a spread; kept of it
RATIO_BITS, RATIO_MAX = 21, 1 << 14  # of a moment over a spread; it is at most 8
LEAST_RATE = 8  # rates are at most 2**-8
RATES = range(4 * LEAST_RATE, 4 * 16)  # their numbers


class Settings(NamedTuple):
    """How a learner learns: places of an update at the most, 1..WINDOW, and the rate, 2**-(n / 4) between octaves as a
    number n: (8 - n % 4) / 8 * 2**-(n // 4).
    """

    places: int
    rate: int


class Learner(NamedTuple):
    """A net that learns, as kernels take it: L learned layers, of I inputs and O outputs, both filled up.

    table, int64 [L, 9]: I and O filled up, as they are, first weight, first of the outputs, first of the inputs, fraction
    bits, limit of a weight.
    """

    forward: Packed  # all layers
    backward: Packed  # the learned ones, transposed: errors of outputs to errors of inputs
    table: NDArray[np.int64]
    masters: Ints  # [I, O] of each layer: weights, times 2**fraction
    moments: Ints  # means of gradients
    spreads: Ints  # means of their magnitudes
    bias_masters: Ints  # [O] of each layer
    bias_moments: Ints
    bias_spreads: Ints
    step_shifts: Ints  # [O]: of a step, at a rate of one
    bias_step_shifts: Ints
    back_shifts: Ints  # [O]: of a master, to a weight of `backward`
    lifts: Ints  # [I] of each layer: how much larger the unit of an input is than an activation's, log2
    clock: NDArray[np.int64]  # updates made


def exponents(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """log2 of powers of two."""
    return np.log2(values).round().astype(np.int64)


def weight_limit(inputs: int, outputs: int) -> int:
    """What every weight of a layer may become at the most."""
    most = SUM_MAX - BIAS_MAX
    return min(WEIGHT_MAX, most // (inputs * ACTIVATION_MAX), most // (outputs * ERROR_MAX))


def begin(net: LocalAR, layers: Sequence[Layer], grey: bool) -> Learner:
    """One that knows nothing of its picture yet. layers: of the net, by their names."""
    used = len(net.config.groups[: 1 if grey else None])
    static = [net.stem, *net.layers, *net.heads[:used], *net.outs[:used]]
    known = {layer.name.partition(".")[2]: layer for layer in layers}
    names = [
        "stem",
        *(
            f"{kind}.{i}"
            for kind, n in (("layers", len(net.layers)), ("heads", used), ("outs", used))
            for i in range(n)
        ),
    ]
    layers = [known[name] for name in names]
    learned = list(zip(static[1:], layers[1:], strict=True))
    table, backward = [], []
    weights, biases, steps, bias_steps, backs, lifts = [], [], [], [], [], []
    first = start = row = 0
    for affine, layer in learned:
        i, o = affine.weight.shape
        rows, columns = matmul.round_up(i, WIDTH), matmul.round_up(o, WIDTH)
        unit, made = exponents(layer.units), exponents(layer.steps)
        shift, limit = affine.shift.astype(np.int64), weight_limit(i, o)
        step = LEAST_RATE + RATIO_BITS - shift - unit.min() + made
        fraction = int(min(FRACTION_MAX, step.min() - (unit.max() - unit.min()) - 1))
        largest = np.abs(affine.weight.astype(np.int64)).max(0)
        # the finest unit in which all weights of `backward` may double, and which masters can give
        back = next(
            s for s in range(24, -1, -1)
            if (largest * 2.0 ** (s - shift)).max() * 2 <= limit and (fraction + shift - s).min() >= 1
        )  # fmt: skip
        table.append((rows, columns, i, o, first, start, row, fraction, limit))
        backward.append(transposed(affine, shift, back, columns))
        weights.append(filled(affine.weight.astype(np.int64) << fraction, (rows, columns)))
        biases.append(filled(affine.bias.astype(np.int64) << BIAS_FRACTION, (columns,)))
        steps.append(filled(step - fraction - LEAST_RATE, (columns,)))
        bias_steps.append(filled(RATIO_BITS - BIAS_FRACTION - shift + made, (columns,)))
        backs.append(filled(fraction + shift - back, (columns,), 1))
        lifts.append(filled(unit - unit.min(), (rows,)))
        first, start, row = first + rows * columns, start + columns, row + rows
    flat = np.concatenate([w.reshape(-1) for w in weights])
    bias = np.concatenate(biases)
    return Learner(
        matmul.pack(static, unit=WIDTH), matmul.pack(backward, unit=WIDTH), np.array(table, np.int64),
        flat, np.zeros_like(flat), np.zeros_like(flat), bias, np.zeros_like(bias), np.zeros_like(bias),
        np.concatenate(steps), np.concatenate(bias_steps), np.concatenate(backs), np.concatenate(lifts),
        np.zeros(1, np.int64),
    )  # fmt: skip


def filled(values: NDArray[np.int64], shape: tuple[int, ...], beyond: int = 0) -> Ints:
    """Values in an array of a larger shape."""
    whole = np.full(shape, beyond, np.int32)
    whole[tuple(slice(n) for n in values.shape)] = values
    return whole


def transposed(affine: Affine, shift: NDArray[np.int64], back: int, columns: int) -> Affine:
    """Weights of the way back, in units of 2**-back, of so many inputs."""
    weight = filled(np.floor(affine.weight * 2.0 ** (back - shift) + 0.5).T, (columns, len(affine.weight)))
    half = (1 << back) >> 1
    return Affine(
        weight.astype(np.int16),
        np.full(weight.shape[1], half, np.int32),
        np.full(weight.shape[1], back, np.int32),
    )
