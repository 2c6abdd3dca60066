"""Packed layers: int16 operands and int32 sums give what int64 gives, at the edge of the law and for every width."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import reference
from edge_layers import edge_layer, extremes, make
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import seeds

from vlaezip.exact import matmul, microkernel
from vlaezip.exact.law import ACTIVATION_MAX

ROOT = Path(__file__).parents[2]
GENERIC = {"NUMBA_CPU_NAME": "generic"}  # without any instructions that not every processor of a kind has


def run(layers, layer, kind, x, outputs):
    """product() of one of some layers, in buffers of whole tiles."""
    rows = matmul.round_up(len(x), microkernel.TILE_ROWS)
    inputs = matmul.aligned_zeros((rows, matmul.round_up(max(x.shape[1], outputs), matmul.LINE)), np.int16)
    inputs[: len(x), : x.shape[1]] = x
    dtype = np.int32 if kind == microkernel.PLAIN else np.int16
    out = matmul.aligned_zeros((rows, matmul.round_up(outputs, microkernel.LANES)), dtype)
    matmul.product(matmul.pack(layers), layer, kind, inputs, out, len(x))
    return out[: len(x), :outputs]


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 200), st.integers(1, 180), st.integers(1, 12))
def test_products_are_int64_arithmetic_at_the_edge_of_the_law(seed, inputs, outputs, rows):
    rng = np.random.default_rng(seed)
    weight, bias, shift, largest = edge_layer(rng, inputs, outputs)
    x = extremes(rng, weight, largest, rows)
    layers = [make(*edge_layer(rng, 3, 2)), make(weight, bias, shift, largest)]
    expected = reference.affine(x, weight, bias, shift)
    assert (run(layers, 1, microkernel.PLAIN, x, outputs) == expected).all()
    assert (run(layers, 1, microkernel.RECTIFIED, x, outputs) == np.clip(expected, 0, ACTIVATION_MAX)).all()


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(1, 180))
def test_residual_products_add_their_inputs(seed, width):
    rng = np.random.default_rng(seed)
    weight, bias, shift, _ = edge_layer(rng, width, width)
    weight, largest = weight // 2048, np.full(width, ACTIVATION_MAX)
    x = rng.integers(0, ACTIVATION_MAX + 1, (7, width))
    expected = x + reference.affine(x, weight, bias // 2, shift)
    found = run([make(weight, bias // 2, shift, largest)], 0, microkernel.RESIDUAL, x, width)
    assert (found == np.clip(expected, 0, ACTIVATION_MAX)).all()


@pytest.mark.parametrize("environment", [{}, GENERIC], ids=["native", "generic"])
def test_any_processor_gives_the_same(environment, tmp_path):
    """The child compiles for another processor, and compares with int64."""
    program = "import sys; sys.path[:0] = ['tests', 'tests/exact']; import test_matmul; test_matmul.compare()"
    environment = os.environ | environment | {"NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env=environment)


def compare():
    """One product of every number of columns."""
    rng = np.random.default_rng(1)
    for outputs in range(5, 90, 12):
        weight, bias, shift, largest = edge_layer(rng, 31, outputs)
        x = extremes(rng, weight, largest, 7)
        found = run([make(weight, bias, shift, largest)], 0, microkernel.PLAIN, x, outputs)
        assert (found == reference.affine(x, weight, bias, shift)).all()
