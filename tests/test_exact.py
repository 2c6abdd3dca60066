"""The law of exactness: what obeys it is proven, to the very edge, and what does not is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixtures import seeds

from vlaezip.errors import ModelError
from vlaezip.exact import law


def edge_layer(rng, inputs, outputs, copies=1):
    """A layer whose every row reaches the very edge: sum |w| * a_max + |bias| = 2**24 - 1."""
    largest = np.tile(rng.choice([1, 128, 1023, 1024, 2047, 2048], inputs), copies)
    weight = rng.integers(-2048, 2049, (outputs, inputs * copies)).astype(float)
    share = (abs(weight) * largest).sum(1, keepdims=True) / (rng.random((outputs, 1)) * (law.SUM_LIMIT - 1) + 1)
    weight = np.trunc(weight / np.maximum(share, 1)).astype(np.int64)
    slack = law.SUM_LIMIT - 1 - (abs(weight) * largest).sum(1)
    return weight, slack * rng.choice([-1, 1], outputs), rng.integers(0, 25, outputs), largest


def make(weight, bias, shift, largest):
    return law.affine("layer", *arrays(weight, bias, shift, largest))


def arrays(*values):
    return [np.asarray(v) for v in values]


def extremes(rng, weight, largest, count):
    """Inputs: some random, some that drive a row to its largest sum and smallest sum."""
    x = rng.integers(-largest, largest + 1, (count, len(largest)))
    for n in range(0, count - 1, 3):
        x[n] = largest * np.sign(weight[n % len(weight)])
        x[n + 1] = -x[n]
    return x


@given(seeds, st.integers(1, 30), st.integers(1, 9))
def test_a_layer_keeps_what_is_stored(seed, inputs, outputs):
    weight, bias, shift, largest = edge_layer(np.random.default_rng(seed), inputs, outputs)
    layer = make(weight, bias, shift, largest)
    assert (layer.weight.dtype, layer.bias.dtype, layer.shift.dtype) == (np.int16, np.int32, np.int32)
    assert (layer.weight == weight.T).all()
    assert (layer.bias == bias).all()
    assert (layer.shift == shift).all()


def test_the_edge_is_proven_and_one_more_is_refused():
    weight, largest, shift = np.full((1, 4), 2048), np.full(4, 2047), np.zeros(1, int)
    for sign in (1, -1):
        rest = law.SUM_LIMIT - 1 - 4 * 2048 * 2047
        law.prove("layer", *arrays(weight * sign, [rest * sign], shift, largest))
        with pytest.raises(ModelError, match="law of exactness"):
            law.prove("layer", *arrays(weight * sign, [(rest + 1) * sign], shift, largest))


@pytest.mark.parametrize("weight", [2049, -2049, 1 << 40])
def test_large_weights_are_refused(weight):
    with pytest.raises(ModelError, match="operand"):
        law.prove("layer", *arrays([[weight]], [0], [0], [1]))


def test_large_inputs_are_refused():
    with pytest.raises(ModelError, match="operand"):
        law.prove("layer", *arrays([[1]], [0], [0], [2049]))


@pytest.mark.parametrize("shift", [-1, 25])
def test_shifts_that_are_no_shifts_are_refused(shift):
    with pytest.raises(ModelError, match="shift"):
        law.prove("layer", *arrays([[1]], [0], [shift], [1]))
