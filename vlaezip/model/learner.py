"""The learner: a local model whose weights move on while a picture is coded, in the same way on both sides.

After some places of the wavefront the decoder knows what was there, and takes the step of gradient descent that the
encoder took (prequential coding, Dawid 1984; "dynamic evaluation", Krause et al. 2018). Nothing is sent for it. All
layers learn but the stem. A step is Adam's (Kingma and Ba 2015), with a mean of |g| for the root of a mean of g^2.

The law of exactness, extended: inputs are at most ACTIVATION_MAX, errors at most ERROR_MAX, and a weight never leaves
the limit of its layer. So all sums fit into 32 bits, forward, back, and of gradients over WINDOW places. Within an
update there are sums alone, whose order cannot matter.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.logistic import Ints
from vlaezip.errors import ModelError
from vlaezip.exact import law, matmul
from vlaezip.exact.law import ACTIVATION_MAX, ERROR_MAX, Affine
from vlaezip.exact.matmul import Packed
from vlaezip.exact.simd import WIDTH
from vlaezip.format.settings import OCTAVES
from vlaezip.model.layout import Layer
from vlaezip.model.local_ar import LocalAR

WINDOW = 256  # places of an update, at the most
INT32_MAX = (1 << 31) - 1
WEIGHT_MAX, BIAS_MAX = 4095, 1 << 25
FRACTION_MAX, BIAS_FRACTION = 18, 5  # bits that masters keep below one
GRADIENT_MAX = (1 << 24) - 1  # of a sum, as moments see it
GRADIENT_BITS = 6  # that moments keep below one
BIAS_GAIN = 7  # a bias is the weight of an input of one, which is 2**7 steps
MOMENT_SHIFT, SPREAD_SHIFT = 1, 7  # means over about 2 updates, and over 128
SPREAD_FLOOR, SPREAD_BITS = 1 << 10, 11  # added to a spread; kept of it, as of the moment that it divides
LEADING_BITS = 5  # of those of a spread that count
RATIO_BITS, RATIO_MAX = 21, 1 << 14  # of a moment over a spread; it is at most 8


class Learner(NamedTuple):
    """A net that learns, as kernels take it: L learned layers of I inputs and O outputs, both filled up.

    table, int64 [L, 9]: I and O filled up, and as they are; first weight, output and input; fraction bits; limit.
    """

    forward: Packed  # all layers, as they are now
    backward: Packed  # the learned ones, transposed: errors of outputs to errors of inputs
    table: NDArray[np.int64]
    masters: Ints  # [I, O] of each layer: weights, times 2**fraction
    moments: Ints  # running means of gradients
    spreads: Ints  # running means of their magnitudes
    bias_masters: Ints  # [O] of each layer
    bias_moments: Ints
    bias_spreads: Ints
    step_shifts: Ints  # [O] of each layer: of a step at a rate of one
    bias_step_shifts: Ints
    back_shifts: Ints  # [O] of each layer: of a master, to a weight of `backward`
    lifts: Ints  # [I] of each layer: by how many octaves the unit of an input is larger than the layer's smallest
    clock: NDArray[np.int64]  # [1]: updates made


@dataclass(frozen=True, slots=True)
class Scales:
    """The fixed points of a layer that learns, by the names that Learner has for them. back: shift of the way back."""

    limit: int
    fraction: int
    back: int
    step_shifts: NDArray[np.int64]
    bias_step_shifts: NDArray[np.int64]
    back_shifts: NDArray[np.int64]
    lifts: NDArray[np.int64]


def begin(net: LocalAR, layers: list[Layer], grey: bool) -> Learner:
    """A learner that knows nothing of its picture yet. layers: of the net. Raises ModelError if that cannot learn."""
    stacks = pairs_of(net, {layer.name.partition(".")[2]: layer for layer in layers}, grey)
    affines, scales = zip(*((affine, scales_of(affine, layer)) for affine, layer in stacks), strict=True)
    shapes = [affine.weight.shape for affine in affines]
    rows, columns = (np.array([matmul.round_up(n, WIDTH) for n in sizes]) for sizes in zip(*shapes, strict=True))
    firsts = [np.cumsum(sizes) - sizes for sizes in (rows * columns, columns, rows)]
    fixed = [[s.fraction for s in scales], [s.limit for s in scales]]
    whole, each = list(zip(rows, columns, strict=True)), columns[:, None]

    def join(values: Any, shapes: Any, beyond: int = 0) -> Ints:
        return np.concatenate([filled(v, tuple(s), beyond).reshape(-1) for v, s in zip(values, shapes, strict=True)])

    masters = join([a.weight.astype(int) << s.fraction for a, s in zip(affines, scales, strict=True)], whole)
    biases = join([a.bias.astype(int) << BIAS_FRACTION for a in affines], each)
    return Learner(
        forward=matmul.pack((net.stem, *affines), unit=WIDTH),
        backward=matmul.pack([transposed(*layer) for layer in zip(affines, scales, columns, strict=True)], unit=WIDTH),
        table=np.stack([rows, columns, *np.array(shapes).T, *firsts, *np.array(fixed)], 1).astype(np.int64),
        masters=masters,
        moments=np.zeros_like(masters),
        spreads=np.zeros_like(masters),
        bias_masters=biases,
        bias_moments=np.zeros_like(biases),
        bias_spreads=np.zeros_like(biases),
        step_shifts=join([s.step_shifts for s in scales], each),
        bias_step_shifts=join([s.bias_step_shifts for s in scales], each),
        back_shifts=join([s.back_shifts for s in scales], each, 1),
        lifts=join([s.lifts for s in scales], rows[:, None]),
        clock=np.zeros(1, np.int64),
    )


def pairs_of(net: LocalAR, layers: dict[str, Layer], grey: bool) -> Iterator[tuple[Affine, Layer]]:
    """The layers that learn, in the order of packed_net(), and what each is."""
    used = len(net.config.groups[: 1 if grey else None])
    for kind, affines in (("layers", net.layers), ("heads", net.heads[:used]), ("outs", net.outs[:used])):
        yield from ((affine, layers[f"{kind}.{i}"]) for i, affine in enumerate(affines))


def scales_of(affine: Affine, layer: Layer) -> Scales:
    """Choose a layer's fixed points, and prove that no sum of it can overflow. Raises ModelError."""
    inputs, outputs = affine.weight.shape
    unit, made, shift = exponents(layer.units), exponents(layer.steps), affine.shift.astype(np.int64)
    largest = np.abs(affine.weight.astype(np.int64)).max(0)
    room = INT32_MAX - BIAS_MAX
    limit = min(WEIGHT_MAX, room // (inputs * ACTIVATION_MAX), room // (outputs * ERROR_MAX))
    step = RATIO_BITS - shift - unit.min() + made  # of a master without fraction, at a rate of one
    lifts = unit - unit.min()
    fraction = int(min(FRACTION_MAX, step.min() + OCTAVES.start - lifts.max() - 1))
    # the finest unit in which all weights of the way back may double, and which masters can give
    fits = [b for b in range(1, 25) if (2 * largest * 2.0 ** (b - shift)).max() <= limit]
    back = max((b for b in fits if (fraction + shift - b).min() >= 1), default=0)
    scales = Scales(
        limit,
        fraction,
        back,
        step - fraction,
        RATIO_BITS - BIAS_FRACTION - shift + made,
        fraction + shift - back,
        lifts,
    )
    prove(layer.name, affine, scales)
    return scales


def prove(name: str, affine: Affine, scales: Scales) -> None:
    """Raise ModelError unless every shift is one of 32 bits, and all weights and outputs stay within their bounds."""
    inputs = len(affine.weight)
    steps = np.concatenate([scales.step_shifts - scales.lifts.max(), scales.bias_step_shifts]) + OCTAVES.start
    outputs = (inputs * ACTIVATION_MAX * scales.limit + BIAS_MAX) >> affine.shift.astype(np.int64)
    held = {
        "weights begin beyond their limit": np.abs(affine.weight.astype(np.int64)).max() <= scales.limit,
        "steps are too coarse": scales.fraction >= 0 and steps.min() >= 1,
        "steps are too fine": steps.max() + scales.lifts.max() + len(OCTAVES) <= 30,
        "there is no way back": scales.back >= 1 and scales.back_shifts.max() <= 30,
        "sums are not halved": affine.shift.min() >= 1,
        "outputs are too large": ".outs." not in name or outputs.max() < law.SUM_LIMIT,
    }
    for fault, fine in held.items():
        if not fine:
            raise ModelError(f"{name} cannot learn: {fault}")


def transposed(affine: Affine, scales: Scales, columns: int) -> Affine:
    """A layer of the way back: weights in units of 2**-back, rounded as masters are. columns: of inputs, filled up."""
    weight = np.floor(affine.weight * 2.0 ** (scales.back - affine.shift) + 0.5).astype(np.int64).T
    inputs = len(affine.weight)
    return Affine(
        filled(weight, (columns, inputs)).astype(np.int16),
        np.full(inputs, (1 << scales.back) >> 1, np.int32),
        np.full(inputs, scales.back, np.int32),
    )


def filled(values: NDArray[Any], shape: tuple[int, ...], beyond: int = 0) -> Ints:
    """Values in an array of a larger shape."""
    whole = np.full(shape, beyond, np.int32)
    whole[tuple(slice(n) for n in values.shape)] = values
    return whole


def exponents(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """log2 of powers of two."""
    return np.log2(values).round().astype(np.int64)
