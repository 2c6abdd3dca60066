"""Tunings: a picture's own integer changes of the pixel model's layers, as files before 0.8 may hold them: read and
applied (docs/format.md).

A layer's real weights W [O, I] and bias b [O] become W (1 + gain) + left right^T and b + bias: what the picture says
of itself, a global latent. Integers alone decide; the law of exactness is proved again for every layer that changes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding import ans, mixture_codec
from vlaezip.coding.logistic import Grid, Mixture, uniform_grid
from vlaezip.coding.tables import WEIGHT_BITS
from vlaezip.errors import CorruptFile, ModelError
from vlaezip.exact import law
from vlaezip.exact.law import Affine
from vlaezip.model import layout
from vlaezip.model.layout import Layer
from vlaezip.model.local_ar import LocalAR
from vlaezip.model.vlae import Vlae

KINDS = ("bias", "gain", "left", "right")
MAX_RANK = 4
CHANGE_MAX = 255  # steps of a change
STEP_LOG2 = {"bias": -8, "gain": -12, "left": -16, "right": 0}  # real value of a step at exponent 0, log2
EXPONENT_MAX = {"bias": 15, "gain": 15, "left": 15, "right": 0}
SPREADS = np.array([0] + [30 + 6 * n for n in range(1, 16)])  # scale indices of the prior; 0: no change at all
WEIGHT_LIMIT, BIAS_LIMIT = 1 << 24, 1 << 31  # clamps, so that what follows fits into 64 bits
Longs = NDArray[np.int64]


class Change(NamedTuple):
    """Changes of one kind, int64 [O], or [O, R] and [I, R] for the factors, in steps of 2**(STEP_LOG2 + exponent)."""

    values: Longs
    exponent: int


@dataclass(frozen=True, slots=True)
class Tuning:
    """rank: columns of the factors. changes: (layer, kind) -> its changes; what is not there does not change."""

    rank: int
    changes: Mapping[tuple[str, str], Change]


def tunable(model: Vlae, grey: bool) -> list[Layer]:
    """The layers of the pixel model that a picture uses, as layout names them."""
    c = model.config
    later = tuple(f"pixel.{kind}.{i}" for kind in ("heads", "outs") for i in range(1, len(c.pixel.groups)))
    return [
        layer
        for layer in layout.local("pixel", c.pixel, layout.extras(c)["pixel"])
        if not (grey and layer.name in later)
    ]


def shapes(layer: Layer, rank: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Kind and shape of a layer's changes, in the order of the file."""
    rows, columns = len(layer.steps), len(layer.largest)
    yield "bias", (rows,)
    yield "gain", (rows,)
    if rank:
        yield "left", (rows, rank)
        yield "right", (columns, rank)


def read(data: bytes, layers: list[Layer]) -> Tuning:
    """The tuning of a payload of TUNING. Raises CorruptFile."""
    if not data or data[0] > MAX_RANK:
        raise CorruptFile(f"a tuning starts with {data[:1]!r}, expected a rank of at most {MAX_RANK}")
    rank = data[0]
    wanted = [(layer.name, kind, shape) for layer in layers for kind, shape in shapes(layer, rank)]
    if len(data) <= len(wanted):
        raise CorruptFile(f"a tuning of rank {rank} has {len(data)} bytes, its parts alone {len(wanted) + 1}")
    message, changes = ans.read(data[1 + len(wanted) :], 1), {}
    for (name, kind, shape), head in zip(wanted, data[1:], strict=False):
        spread, exponent = head & 15, head >> 4
        if exponent > (EXPONENT_MAX[kind] if spread else 0):
            raise CorruptFile(f"the tuning's {kind} of {name} has step exponent {exponent}")
        if spread:
            message, values = mixture_codec.codec(*prior(int(np.prod(shape)), spread)).pop(message)
            changes[name, kind] = Change(values.astype(np.int64).reshape(shape), exponent)
    if not ans.is_empty(message):
        raise CorruptFile("data is left over after the tuning")
    return Tuning(rank, changes)


def prior(count: int, spread: int) -> tuple[Mixture, Grid]:
    """Changes are logistic around zero."""
    one = np.full((count, 1), 1 << WEIGHT_BITS, np.int32)
    mix = Mixture(one, np.zeros_like(one), np.full_like(one, SPREADS[spread]))
    return mix, uniform_grid(count, 1, -CHANGE_MAX, 2 * CHANGE_MAX + 1)


def read_into(model: Vlae, data: bytes, grey: bool) -> Vlae:
    """The model with the tuning that a file holds. Raises CorruptFile."""
    layers = tunable(model, grey)
    return apply(model, read(data, layers), layers)


def apply(model: Vlae, tuning: Tuning, layers: list[Layer]) -> Vlae:
    """The model with a tuned pixel model. Raises CorruptFile if a layer cannot be made to obey the law of exactness."""
    made = {layer.name: changed(find(model.pixel, layer), layer, tuning) for layer in layers}

    def stack(kind: str, old: tuple[Affine, ...]) -> tuple[Affine, ...]:
        return tuple(made.get(f"pixel.{kind}.{i}", affine) for i, affine in enumerate(old))

    net = model.pixel
    pixel = replace(
        net,
        stem=made["pixel.stem"],
        layers=stack("layers", net.layers),
        heads=stack("heads", net.heads),
        outs=stack("outs", net.outs),
    )
    return replace(model, pixel=pixel)


def find(net: LocalAR, layer: Layer) -> Affine:
    """The layer that a name stands for."""
    _, kind, *number = layer.name.split(".")
    found: Affine = getattr(net, kind)[int(number[0])] if number else getattr(net, kind)
    return found


def integers(affine: Affine) -> tuple[Longs, Longs, Longs]:
    """Stored integers of a layer: weight [O, I], bias [O], shift [O]."""
    return affine.weight.T.astype(np.int64), affine.bias.astype(np.int64), affine.shift.astype(np.int64)


def changed(affine: Affine, layer: Layer, tuning: Tuning) -> Affine:
    """A layer with its changes. Raises CorruptFile."""
    changes = {kind: part for kind in KINDS if (part := tuning.changes.get((layer.name, kind))) is not None}
    if not changes:
        return affine
    weight, bias, shift = integers(affine)
    # A real change d of row o and column i is d * 2**(row[o] + column[i]) in integers.
    row = shift - exponents(layer.steps)
    if "bias" in changes:
        values, exponent = changes["bias"]
        bias = bias + shifted(values, row + (STEP_LOG2["bias"] + exponent))
    old = weight
    if "gain" in changes:
        values, exponent = changes["gain"]
        weight = weight + shifted(old * values[:, None], np.array(STEP_LOG2["gain"] + exponent))
    if "left" in changes and "right" in changes:
        (left, exponent), (right, _) = changes["left"], changes["right"]
        by = row[:, None] + exponents(layer.units) + (STEP_LOG2["left"] + exponent)
        weight = weight + shifted(left @ right.T, by)
    weight, bias = np.clip(weight, -WEIGHT_LIMIT, WEIGHT_LIMIT), np.clip(bias, -BIAS_LIMIT, BIAS_LIMIT)
    try:
        return law.affine(layer.name, *halve(weight, bias, shift, layer.largest), layer.largest)
    except ModelError as error:
        raise CorruptFile(f"a tuning breaks the law: {error}") from None


def halve(weight: Longs, bias: Longs, shift: Longs, largest: Longs) -> tuple[Longs, Longs, Longs]:
    """Halve the rows, and lower their shifts by one, until they obey the law of exactness or have no shift left."""
    for _ in range(24):
        bound = (abs(weight) * largest).sum(1) + abs(bias)
        over = ((bound >= law.SUM_LIMIT) | (abs(weight).max(1) > law.OPERAND_MAX)) & (shift > 0)
        if not over.any():
            break
        weight = np.where(over[:, None], (weight + 1) >> 1, weight)
        bias, shift = np.where(over, (bias + 1) >> 1, bias), shift - over
    return weight, bias, shift


def shifted(values: Longs, power: Longs) -> Longs:
    """floor(values * 2**power + 1/2), |values| < 2**36 and power clamped to -60..24."""
    up, down = np.clip(power, 0, 24), np.clip(-power, 0, 60)
    half = np.where(down > 0, 1 << np.maximum(down - 1, 0), 0)
    return ((values << up) + half) >> down


def exponents(units: NDArray[np.float64]) -> Longs:
    """Exponents of powers of two."""
    return np.log2(units).round().astype(np.int64)
