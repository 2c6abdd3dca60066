"""Sixteen at a time is one after another."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixtures import seeds

from vlaezip.exact import simd
from vlaezip.exact.simd import SIZE, least, load, most, quotient, same, scaled, store, take, turn, weave, where


@numba.njit
def operators(a, c, results):
    x, y = load(a, 0), load(c, 0)
    for n, value in enumerate((x + y, x - y, x * y, x >> 3, least(x, y), most(x, y), 7 - x, x * 5 + 1, same(9))):
        store(results, SIZE * n, value)


@given(seeds)
def test_operators_are_those_of_integers(seed):
    a, c = np.random.default_rng(seed).integers(-30000, 30000, (2, SIZE)).astype(np.int32)
    results = np.empty((9, SIZE), np.int32)
    operators(a, c, results)
    plain = (a + c, a - c, a * c, a >> 3, np.minimum(a, c), np.maximum(a, c), 7 - a, a * 5 + 1, np.full(SIZE, 9))
    assert (results == np.array(plain)).all()


@numba.njit
def functions(a, c, part, whole, table, results):
    x, y = load(a, 0), load(c, 0)
    store(results, 0, scaled(x, y, 18))
    store(results, SIZE, quotient(load(part, 0), load(whole, 0)))
    store(results, 2 * SIZE, where(y, same(3), x, y))
    store(results, 3 * SIZE, take(table, y))


@given(seeds)
def test_functions_are_those_of_integers(seed):
    rng = np.random.default_rng(seed)
    a, c = rng.integers(-(2**31), 2**31, SIZE).astype(np.int32), rng.integers(0, 5, SIZE).astype(np.int32)
    whole = rng.integers(1, 2 ** rng.integers(1, 21), SIZE).astype(np.int32)
    part = np.minimum(rng.integers(0, 2**27 // whole + 1) * whole - rng.integers(0, 2, SIZE), 2**27 - 1)
    part = np.maximum(part, 0).astype(np.int32)
    table, results = rng.integers(-9, 9, 5).astype(np.int32), np.empty((4, SIZE), np.int32)
    functions(a, c, part, whole, table, results)
    long = a.astype(np.int64) * c >> 18
    assert (results == np.array([long, part // whole, np.where(c == 3, a, c), table[c]])).all()


@numba.njit
def copy(source, at, target, to):
    store(target, to, load(source, at))


@pytest.mark.parametrize("given_as", [np.int16, np.int32, np.int64])
@pytest.mark.parametrize("kept_as", [np.int16, np.int32])
def test_vectors_lie_anywhere_in_arrays_of_several_types(given_as, kept_as):
    source, target = np.arange(-20, 20).astype(given_as), np.zeros(SIZE + 5, kept_as)
    copy(source, 3, target, 4)
    assert target.tolist() == [0] * 4 + list(range(-17, -1)) + [0]


@numba.njit
def transpose(source, stride, target):
    turn(source, 2, stride, target, SIZE)


@given(st.integers(SIZE, 3 * SIZE))
def test_turned_rows_are_columns(stride):
    source, target = np.arange(SIZE * stride + 2).astype(np.int32), np.zeros((SIZE + 1, SIZE), np.int32)
    transpose(source, stride, target)
    assert (target[1:] == source[2:].reshape(SIZE, stride)[:, :SIZE].T).all()
    assert (target[0] == 0).all()


@numba.njit
def woven(source, results):
    weave(1, source, 0, results, 0)
    weave(2, source, 0, results, SIZE)
    weave(3, source, 0, results, 3 * SIZE)
    weave(5, source, 0, results, 6 * SIZE)


def test_woven_rows_are_columns():
    source, results = np.arange(5 * SIZE).reshape(5, SIZE).astype(np.int32), np.empty(11 * SIZE, np.int32)
    woven(source, results)
    first = 0
    for count in (1, 2, 3, 5):
        assert (results[first:][: count * SIZE].reshape(SIZE, count) == source[:count].T).all()
        first += count * SIZE


def test_arrays_out_of_order_are_refused():
    with pytest.raises(numba.TypingError):
        copy(np.zeros((SIZE, 2), np.int32)[:, 0], 0, np.zeros(SIZE, np.int32), 0)


def test_names_of_two_values_mean_nothing_outside_of_kernels():
    with pytest.raises(NotImplementedError):
        simd.least(1, 2)
