"""The law of exactness: what obeys it is proven, to the very edge, and what does not is refused."""

import numpy as np
import pytest
from edge_layers import arrays, edge_layer, make
from hypothesis import given
from hypothesis import strategies as st
from mixtures import seeds

from vlaezip.errors import ModelError
from vlaezip.exact import law


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
