"""Errors of answers are those of the definition, and the gradient of a symbol's cost."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import random_grid, random_symbols, seeds
from reference_learner import errors_of
from test_mixture import channels, components, counts, random_outputs

from vlaezip.coding.logistic import Grid
from vlaezip.coding.mixture_gradient import gradient_kernel
from vlaezip.coding.tables import LOGITS_PER_NAT, SCALES_PER_NAT, SIZES
from vlaezip.device.float_mixture import symbol_bits
from vlaezip.exact.law import ERROR_MAX
from vlaezip.model.layout import MEANS_PER_UNIT


def errors(outputs, base, size, grid, symbols, channels=1, beyond=0):
    """Of outputs [N, 3, K], in rows of so many symbols and some columns more: [N, 3 K]."""
    count, _, k = outputs.shape
    rows = np.pad(outputs.reshape(count // channels, -1), ((0, 0), (0, beyond)))
    result = np.full(rows.shape, 7, np.int16)
    gradient_kernel(rows, channels, base, size, k, grid, symbols, result)
    width = rows.shape[1] - beyond
    assert (result[:, width:] == 7).all()
    return result[:, :width].reshape(count, -1)


def defined(outputs, base, size, grid, symbols):
    values = zip(outputs.tolist(), base.tolist(), size.tolist(), zip(*(a.tolist() for a in grid), strict=True),
                 symbols.tolist(), strict=True)  # fmt: skip
    return np.array([errors_of(*v) for v in values])


@settings(max_examples=100)
@given(seeds, counts, components, channels, st.integers(0, 5))
def test_errors_are_those_of_the_definition(seed, rows, k, channels, beyond):
    rng = np.random.default_rng(seed)
    outputs, base, size = random_outputs(rng, rows * channels, k)
    grid = random_grid(rng, rows * channels)
    symbols = random_symbols(rng, grid)
    found = errors(outputs, base, size, grid, symbols, channels, beyond)
    assert (found == defined(outputs, base, size, grid, symbols)).all()


EXTREME = {
    "first symbol, mean far above": ([0], [2**24 - 1], [0], 0),
    "last symbol, mean far below": ([0], [1 - 2**24], [0], 255),
    "first symbol, mean below": ([0], [-9000], [0], 0),
    "last symbol, mean above": ([0], [9000], [0], 255),
    "between, mean far away": ([0], [2**20], [0], 128),
    "narrow, at the mean": ([0], [0], [-(2**24)], 128),
    "narrow, beside the mean": ([0], [0], [-(2**24)], 129),
    "narrow, at the edge": ([0], [32 * 64], [-(2**24)], 128),
    "wide": ([0], [0], [2**24 - 1], 3),
    "a weight of nothing explains it": ([0, -(2**24)], [4096, 0], [-80, -80], 128),
    "a weight of nothing is far away": ([2**24 - 1, 0], [0, 2**24 - 1], [0, 112], 128),
    "two of one weight, far apart": ([5, 5], [-(2**20), 2**20], [-80, 112], 128),
}


@pytest.mark.parametrize("size", [0, 20, SIZES - 1])
@pytest.mark.parametrize("case", EXTREME)
def test_errors_are_those_of_the_definition_at_extremes(case, size):
    logits, means, scales, symbol = EXTREME[case]
    outputs = np.array([[logits, means, scales]], np.int32)
    grid = Grid(*(np.array([v], np.int32) for v in (1, 0, 256)))
    given = (outputs, np.array([128], np.int32), np.array([size]), grid, np.array([symbol], np.int32))
    found = errors(*given)
    assert (found == defined(*given)).all()
    assert np.abs(found).max() <= ERROR_MAX


@pytest.mark.parametrize("symbol", [0, 255, None])
def test_errors_are_the_gradient_where_masses_are_not_tiny(symbol):
    rng, count, k = np.random.default_rng(1), 4000, 3
    outputs = rng.integers([[-60], [-90], [-16]], [[60], [90], [16]], (count, 3, k)).astype(np.int32)
    size = rng.choice([16, 20], count)  # of tables that hardly round
    base = rng.integers(0, 256, count).astype(np.int32) if symbol is None else np.full(count, symbol, np.int32)
    symbols = np.clip(base + rng.integers(-3, 4, count), 0, 255).astype(np.int32)
    grid = Grid(*(np.full(count, v, np.int32) for v in (1, 0, 256)))
    steps = torch.tensor([1 / LOGITS_PER_NAT, 1 / MEANS_PER_UNIT, 1 / SCALES_PER_NAT])[:, None]
    answers = torch.from_numpy(outputs).double().requires_grad_(True)
    offset, symbol = (torch.from_numpy(v)[:, None] for v in (symbols - base, symbols))
    bits = symbol_bits((answers * steps)[:, None], offset, torch.from_numpy(size), 0, 255, symbol, 1.0, 1.0)[:, 0]
    (gradient,) = torch.autograd.grad(bits.sum() * np.log(2), answers)
    likely = (bits < 8).numpy()
    expected = np.clip(2**15 * gradient.numpy()[likely], -ERROR_MAX, ERROR_MAX)
    found = errors(outputs, base, size, grid, symbols)[likely].reshape(expected.shape)
    assert likely.mean() > 0.8
    for kind in range(3):
        a, b = (errors[:, kind].reshape(-1).astype(float) for errors in (found, expected))
        assert a @ b == pytest.approx(b @ b, rel=0.01)
        assert a @ b > 0.999 * np.sqrt((a @ a) * (b @ b))
