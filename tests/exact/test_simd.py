"""Sixteen at a time is one after another."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixtures import seeds

from vlaezip.exact import simd
from vlaezip.exact.simd import (
    WIDTH,
    broadcast,
    divide,
    interleave,
    load,
    lookup,
    maximum,
    minimum,
    multiply_shift,
    select_equal,
    store,
    transpose,
)


@numba.njit
def operators(a, c, results):
    x, y = load(a, 0), load(c, 0)
    for n, value in enumerate(
        (x + y, x - y, x * y, x >> 3, minimum(x, y), maximum(x, y), 7 - x, x * 5 + 1, broadcast(9))
    ):
        store(results, WIDTH * n, value)


@given(seeds)
def test_operators_are_those_of_integers(seed):
    a, c = np.random.default_rng(seed).integers(-30000, 30000, (2, WIDTH)).astype(np.int32)
    results = np.empty((9, WIDTH), np.int32)
    operators(a, c, results)
    plain = (a + c, a - c, a * c, a >> 3, np.minimum(a, c), np.maximum(a, c), 7 - a, a * 5 + 1, np.full(WIDTH, 9))
    assert (results == np.array(plain)).all()


@numba.njit
def functions(a, c, part, whole, table, results):
    x, y = load(a, 0), load(c, 0)
    store(results, 0, multiply_shift(x, y, 18))
    store(results, WIDTH, divide(load(part, 0), load(whole, 0)))
    store(results, 2 * WIDTH, select_equal(y, broadcast(3), x, y))
    store(results, 3 * WIDTH, lookup(table, y))


@given(seeds)
def test_functions_are_those_of_integers(seed):
    rng = np.random.default_rng(seed)
    a, c = rng.integers(-(2**31), 2**31, WIDTH).astype(np.int32), rng.integers(0, 5, WIDTH).astype(np.int32)
    whole = rng.integers(1, 2 ** rng.integers(1, 21), WIDTH).astype(np.int32)
    part = np.minimum(rng.integers(0, 2**27 // whole + 1) * whole - rng.integers(0, 2, WIDTH), 2**27 - 1)
    part = np.maximum(part, 0).astype(np.int32)
    table, results = rng.integers(-9, 9, 5).astype(np.int32), np.empty((4, WIDTH), np.int32)
    functions(a, c, part, whole, table, results)
    long = a.astype(np.int64) * c >> 18
    assert (results == np.array([long, part // whole, np.where(c == 3, a, c), table[c]])).all()


@numba.njit
def copy(source, at, target, to):
    store(target, to, load(source, at))


@pytest.mark.parametrize("given_as", [np.int16, np.int32, np.int64])
@pytest.mark.parametrize("kept_as", [np.int16, np.int32])
def test_vectors_lie_anywhere_in_arrays_of_several_types(given_as, kept_as):
    source, target = np.arange(-20, 20).astype(given_as), np.zeros(WIDTH + 5, kept_as)
    copy(source, 3, target, 4)
    assert target.tolist() == [0] * 4 + list(range(-17, -1)) + [0]


@numba.njit
def transposed(source, stride, target):
    transpose(source, 2, stride, target, WIDTH)


@given(st.integers(WIDTH, 3 * WIDTH))
def test_transposed_rows_are_columns(stride):
    source, target = np.arange(WIDTH * stride + 2).astype(np.int32), np.zeros((WIDTH + 1, WIDTH), np.int32)
    transposed(source, stride, target)
    assert (target[1:] == source[2:].reshape(WIDTH, stride)[:, :WIDTH].T).all()
    assert (target[0] == 0).all()


@numba.njit
def interleaved(source, results):
    interleave(1, source, 0, results, 0)
    interleave(2, source, 0, results, WIDTH)
    interleave(3, source, 0, results, 3 * WIDTH)
    interleave(5, source, 0, results, 6 * WIDTH)


def test_interleaved_rows_are_columns():
    source, results = np.arange(5 * WIDTH).reshape(5, WIDTH).astype(np.int32), np.empty(11 * WIDTH, np.int32)
    interleaved(source, results)
    first = 0
    for count in (1, 2, 3, 5):
        assert (results[first:][: count * WIDTH].reshape(WIDTH, count) == source[:count].T).all()
        first += count * WIDTH


def test_arrays_out_of_order_are_refused():
    with pytest.raises(numba.TypingError):
        copy(np.zeros((WIDTH, 2), np.int32)[:, 0], 0, np.zeros(WIDTH, np.int32), 0)


def test_names_of_two_values_mean_nothing_outside_of_kernels():
    with pytest.raises(NotImplementedError):
        simd.minimum(1, 2)
