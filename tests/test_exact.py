"""The law of exactness: float32 layers at its edge equal int64, in any batch and with any number of threads."""

import numpy as np
import pytest
import reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import seeds

from vlaezip import exact
from vlaezip.config import ACTIVATION_MAX, STREAM_MAX
from vlaezip.errors import ModelError


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def edge_layer(rng, inputs, outputs, copies=1):
    """A layer whose every row reaches the very edge: sum |w| * a_max + |bias| = 2**24 - 1."""
    largest = np.tile(rng.choice([1, 128, 1023, 1024, 2047, 2048], inputs), copies)
    weight = rng.integers(-2048, 2049, (outputs, inputs * copies)).astype(float)
    share = (abs(weight) * largest).sum(1, keepdims=True) / (rng.random((outputs, 1)) * (exact.SUM_LIMIT - 1) + 1)
    weight = np.trunc(weight / np.maximum(share, 1)).astype(np.int64)
    slack = exact.SUM_LIMIT - 1 - (abs(weight) * largest).sum(1)
    return weight, slack * rng.choice([-1, 1], outputs), rng.integers(0, 25, outputs), largest


def tensors(*arrays):
    return [torch.from_numpy(np.asarray(a)) for a in arrays]


def make(weight, bias, shift, largest):
    return exact.affine("layer", *tensors(weight, bias, shift, largest), "cpu")


def extremes(rng, weight, largest, count):
    """Inputs: some random, some that drive a row to its largest sum and smallest sum."""
    x = rng.integers(-largest, largest + 1, (count, len(largest)))
    for n in range(0, count - 1, 3):
        x[n] = largest * np.sign(weight[n % len(weight)])
        x[n + 1] = -x[n]
    return x


@settings(max_examples=40)
@given(seeds, st.integers(1, 300), st.integers(1, 20))
def test_affine_is_int64_arithmetic_at_the_edge_of_the_law(seed, inputs, outputs):
    rng = np.random.default_rng(seed)
    weight, bias, shift, largest = edge_layer(rng, inputs, outputs)
    x = extremes(rng, weight, largest, 24)
    y = make(weight, bias, shift, largest)(torch.from_numpy(x).float())
    assert (y.numpy() == reference.affine(x, weight, bias, shift)).all()


@settings(max_examples=25)
@given(seeds, st.integers(1, 12), st.integers(1, 12))
def test_conv3_is_int64_arithmetic_at_the_edge_of_the_law(seed, inputs, outputs):
    rng = np.random.default_rng(seed)
    weight, bias, shift, largest = edge_layer(rng, inputs, outputs, 9)
    x = rng.integers(-largest[:inputs], largest[:inputs] + 1, (2, 5, 4, inputs))
    patch = (largest * np.sign(weight[0])).reshape(3, 3, inputs)
    x[0, 1:4, :3] = patch
    x[1, 2:5, 1:4] = -patch
    y = exact.conv3(make(weight, bias, shift, largest))(torch.from_numpy(x).float())
    assert (y.numpy() == reference.conv3(x, weight, bias, shift)).all()


@pytest.mark.parametrize("seed", range(3))
def test_neither_batch_nor_threads_matter(seed, threads):
    rng = np.random.default_rng(seed)
    weight, bias, shift, largest = edge_layer(rng, 400, 96)
    x = torch.from_numpy(extremes(rng, weight, largest, 700)).float()
    layer = make(weight, bias, shift, largest)
    expected = reference.affine(x.numpy(), weight, bias, shift)
    for count in (1, 2):
        threads(count)
        for size in (1, 3, 64, 700):
            assert (torch.cat([layer(part) for part in x[:130].split(size)]).numpy() == expected[:130]).all()
        assert (layer(x).numpy() == expected).all()


def test_rounding_is_half_up_when_the_bias_holds_the_half():
    layer = make([[1]], [4], [3], [100])
    assert layer(torch.tensor([[3.0], [4.0], [-4.0], [-5.0], [11.0], [12.0]])).flatten().tolist() == [0, 1, 0, -1, 1, 2]


def test_the_edge_is_proven_and_one_more_is_refused():
    weight, largest, shift = np.full((1, 4), 2048), np.full(4, 2047), np.zeros(1, int)
    for sign in (1, -1):
        rest = exact.SUM_LIMIT - 1 - 4 * 2048 * 2047
        exact.prove("layer", *tensors(weight * sign, [rest * sign], shift, largest))
        with pytest.raises(ModelError, match="law of exactness"):
            exact.prove("layer", *tensors(weight * sign, [(rest + 1) * sign], shift, largest))


@pytest.mark.parametrize("weight", [2049, -2049, 1 << 40])
def test_large_weights_are_refused(weight):
    with pytest.raises(ModelError, match="operand"):
        exact.prove("layer", *tensors([[weight]], [0], [0], [1]))


def test_large_inputs_are_refused():
    with pytest.raises(ModelError, match="operand"):
        exact.prove("layer", *tensors([[1]], [0], [0], [2049]))


@pytest.mark.parametrize("shift", [-1, 25])
def test_shifts_that_are_no_shifts_are_refused(shift):
    with pytest.raises(ModelError, match="shift"):
        exact.prove("layer", *tensors([[1]], [0], [shift], [1]))


def test_clamps():
    x = torch.tensor([-5000.0, -1025, -1024, -1, 0, 1, 1023, 1024, 2047, 2048])
    assert exact.rectify(x.clone()).tolist() == [0, 0, 0, 0, 0, 1, 1023, 1024, 2047, ACTIVATION_MAX]
    assert exact.stream(x.clone()).tolist() == [-1024, -1024, -1024, -1, 0, 1, *[STREAM_MAX] * 4]


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4))
def test_spread_inverts_fold_and_both_are_those_of_torch(b, h, w, c, n):
    x = torch.arange(b * h * n * w * n * c).view(b, h * n, w * n, c).float()
    folded = exact.fold(x, n)
    theirs = torch.nn.functional.pixel_unshuffle(x.permute(0, 3, 1, 2), n).permute(0, 2, 3, 1)
    assert torch.equal(folded, theirs)
    assert torch.equal(exact.spread(folded, n), x)
    assert torch.equal(
        exact.spread(theirs, n), torch.nn.functional.pixel_shuffle(theirs.permute(0, 3, 1, 2), n).permute(0, 2, 3, 1)
    )
