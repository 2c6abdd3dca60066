"""The nets around z: kernels and torch alike give what int64 gives, at the edge of the law, in any batch."""

import numpy as np
import pytest
import random_nets
import reference
import torch
from edge_layers import edge_layer, extremes, make
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import seeds
from vlaes import CONFIGS, MODELS, latents, pictures

from vlaezip.device import transforms as convs_torch
from vlaezip.exact import conv3, microkernel, threads
from vlaezip.exact.conv3 import PaddedMap
from vlaezip.exact.law import ACTIVATION_MAX, STREAM_MAX
from vlaezip.model import transforms
from vlaezip.model.transforms import STEM, Runner, Stack

IDENTITY = make(np.eye(1, dtype=int), [0], [0], np.ones(1, int))
shapes = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))


def runner(stem, convolved):
    """Of one layer that matters."""
    return Runner(Stack(stem, convolved, (), IDENTITY, (), IDENTITY, None))


def layer_of(rng, width, copies):
    """A layer that neither vanishes nor saturates."""
    weight = rng.integers(-10, 11, (width, width * copies))
    bias, shift = rng.integers(-(1 << 14), 1 << 14, width), rng.integers(4, 10, width)
    return make(weight, bias, shift, np.full(width * copies, ACTIVATION_MAX))


@settings(max_examples=40)
@given(seeds, st.integers(1, 300), st.integers(1, 20))
def test_products_are_int64_arithmetic_at_the_edge_of_the_law(seed, inputs, outputs):
    rng = np.random.default_rng(seed)
    weight, bias, shift, largest = edge_layer(rng, inputs, outputs)
    x, layer = extremes(rng, weight, largest, 24), make(weight, bias, shift, largest)
    expected = reference.affine(x, weight, bias, shift)
    assert (runner(layer, False).product(STEM, x.reshape(2, 3, 4, -1)) == expected.reshape(2, 3, 4, -1)).all()
    assert (convs_torch.linear(layer, "cpu")(torch.from_numpy(x).float()).numpy() == expected).all()


@settings(max_examples=40, deadline=None)
@given(seeds, shapes, st.integers(1, 24), st.integers(1, 40))
def test_convolutions_are_int64_arithmetic_at_the_edge_of_the_law(seed, shape, inputs, outputs):
    rng = np.random.default_rng(seed)
    weight, bias, shift, largest = edge_layer(rng, inputs, outputs, 9)
    x = rng.integers(-largest[:inputs], largest[:inputs] + 1, (*shape, inputs))
    if min(shape[1:]) >= 3:
        x[0, :3, :3] = (largest * np.sign(weight[0])).reshape(3, 3, inputs)
        x[-1, -3:, -3:] = -(largest * np.sign(weight[-1])).reshape(3, 3, inputs)
    expected, layer = reference.conv3(x, weight, bias, shift), make(weight, bias, shift, largest)
    seen, out = PaddedMap(shape, inputs), PaddedMap(shape, outputs)
    seen.inner[:] = x
    runner(layer, True).begin(seen, out)
    assert (out.inner == np.clip(expected, -STREAM_MAX - 1, STREAM_MAX)).all()
    assert (convs_torch.conv3(layer, "cpu")(torch.from_numpy(x).float()).numpy() == expected).all()


@settings(max_examples=30, deadline=None)
@given(seeds, shapes, st.integers(1, 40))
def test_blocks_are_int64_arithmetic(seed, shape, width):
    rng, there, blocks = np.random.default_rng(seed), PaddedMap(shape, width), []
    there.inner[:] = x = rng.integers(-STREAM_MAX - 1, STREAM_MAX + 1, (*shape, width))
    for _ in range(2):
        a, b = (layer_of(rng, width, copies) for copies in (9, 1))
        h = np.clip(reference.conv3(np.clip(x, 0, ACTIVATION_MAX), *reference.stored(a)), 0, ACTIVATION_MAX)
        x = np.clip(x + reference.affine(h, *reference.stored(b)), -STREAM_MAX - 1, STREAM_MAX)
        blocks.append((a, b))
    stack = Stack(IDENTITY, False, tuple(blocks), IDENTITY, (), IDENTITY, None)
    Runner(stack).run_blocks(transforms.FIRST, there)
    assert (there.inner == x).all()


@pytest.mark.parametrize("name", MODELS)
def test_torch_says_the_same(name):
    model, side = MODELS[name], MODELS[name].config.stride
    there = convs_torch.of(model.nets)
    x, z = pictures((2, 4 * side, 3 * side)), latents(model, (2, 4, 3))
    assert (there.analyse(x) == model.nets.analyse(x)).all()
    level = model.config.levels - 1
    for found, expected in zip(there.synthesise(z, level), model.nets.synthesise(z, level), strict=True):
        assert found.dtype == expected.dtype
        assert (found == expected).all()


@pytest.mark.parametrize("name", ["median", "direct"])
def test_strips_and_threads_leave_no_seams(name, monkeypatch):
    """Of pieces so small that there are many."""
    model = random_nets.vlae(CONFIGS[name], seed=4)
    x, z = pictures((3, 9 * model.config.stride, 40)), latents(model, (3, 9, 10))
    whole = model.nets.analyse(x), *model.nets.synthesise(z, 0)
    monkeypatch.setattr(transforms, "STRIP", 24)
    monkeypatch.setattr(conv3, "THREAD_SHARE", 64)
    for count in (1, 2):
        monkeypatch.setattr(threads, "count", lambda count=count: count)
        found = model.nets.analyse(x), *model.nets.synthesise(z, 0)
        assert all((a == b).all() for a, b in zip(found, whole, strict=True))


def test_rounding_is_half_up_when_the_bias_holds_the_half():
    layer = runner(make([[1]], [4], [3], [100]), False)
    x = np.array([[3], [4], [-4], [-5], [11], [12]], np.int16)
    assert layer.product(STEM, x).flatten().tolist() == [0, 1, 0, -1, 1, 2]


def test_clamps():
    x = torch.tensor([-5000.0, -1025, -1024, -1, 0, 1, 1023, 1024, 2047, 2048])
    assert convs_torch.rectify(x.clone()).tolist() == [0, 0, 0, 0, 0, 1, 1023, 1024, 2047, ACTIVATION_MAX]
    assert convs_torch.stream(x.clone()).tolist() == [-1024, -1024, -1024, -1, 0, 1, *[STREAM_MAX] * 4]


@given(shapes, st.integers(1, 3), st.integers(1, 4))
def test_spread_inverts_fold_and_both_are_those_of_torch(shape, c, n):
    b, h, w = shape
    x = torch.arange(b * h * n * w * n * c).view(b, h * n, w * n, c).float()
    theirs = torch.nn.functional.pixel_unshuffle(x.permute(0, 3, 1, 2), n).permute(0, 2, 3, 1)
    assert torch.equal(convs_torch.fold(x, n), theirs)
    assert torch.equal(convs_torch.spread(convs_torch.fold(x, n), n), x)


@given(shapes, st.integers(1, 3), st.integers(1, 4))
def test_cells_are_those_of_torch_in_another_order(shape, c, n):
    b, h, w = shape
    x = np.arange(b * h * n * w * n * c).reshape(b, h * n, w * n, c)
    theirs = convs_torch.fold(torch.from_numpy(x), n).numpy().reshape(b, h, w, c, n, n)
    assert (transforms.cells(x, n) == theirs.transpose(0, 1, 2, 4, 5, 3)).all()
    out = np.zeros_like(x)
    transforms.spread(transforms.cells(x, n).reshape(b, h, w, -1), n, out)
    assert (out == x).all()


def test_padded_maps_have_room_beyond_their_places():
    there = PaddedMap((2, 3, 4), 5)
    assert there.inner.shape == (2, 3, 4, 5)
    assert there.memory.shape[1] % microkernel.LANES == 0
    assert np.shares_memory(there.inner, there.memory)
