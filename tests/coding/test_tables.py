"""The tables are what mathematics says, to rounding; and they never change: every file depends on them."""

import hashlib
import math

import numpy as np
import pytest

from vlaezip.coding import tables

TIE = 1e-6  # floats cannot tell on which side of a tie a value lies

DIGESTS = {
    "SIGMOID": "f1b678cff736e31fea664bcf3edadfc5a1f0da857302af4c0b85b7931be91850",
    "WEIGHT": "a1f75e37bbbf5aac53059dd0b4cf3b0523064d304ed609a0c5afed315849d29e",
    "INVERSE": "d079969d830fb7cbe5846a007b871454e6210e5000c782806be92f9f9bfaa63c",
    "TEMPERATURE": "3535b06505cfd39ec8052953b1efaadfc8222147f7eb79c14c7e0b39a6cfd6ed",
    "SIZE_OF": "257ed7ce4a925486dac7b9aa173db8907035b8292b6856d56e08dc6ea43194c7",
    "LOG2": "f050a504ec02580d6a8428cff7a2d3d08eb91f920f243c0f3e7113510876f7d1",
    "LOG_SIZE": "d5805b795223e38d8a3ec9860b41166b8f135e847518544428b680b6671ff09e",
}


@pytest.mark.parametrize("name", DIGESTS)
def test_tables_are_frozen(name):
    assert hashlib.sha256(getattr(tables, name).astype("<i8").tobytes()).hexdigest() == DIGESTS[name]


def is_rounded(table, exact):
    exact = np.array(exact)
    return len(table) == len(exact) and (abs(table - exact) <= 0.5 + TIE * (1 + abs(exact) * 1e-6)).all()


def test_sigmoid():
    us = [(i + 0.5 - 4096) / 384 for i in range(8192)]
    assert is_rounded(tables.SIGMOID, [2**18 / (1 + math.exp(-u)) for u in us])


def test_sigmoid_is_monotone_symmetric_and_never_certain():
    table = tables.SIGMOID
    assert (np.diff(table) >= 0).all()
    assert (table + table[::-1] == 2**18).all()
    assert 0 < table[0] < table[-1] < 2**18


def test_log2():
    assert is_rounded(tables.LOG2, [2**16 * math.log2(1 + i / 256) for i in range(257)])


def test_weight():
    assert is_rounded(tables.WEIGHT, [4096 * math.exp(-d / 64) for d in range(1024)])
    assert tables.WEIGHT[0] == 4096
    assert tables.WEIGHT[-1] == 0  # so what is further below may count as nothing


def test_inverse():
    assert is_rounded(tables.INVERSE, [384 * 2**12 * math.exp((64 - i) / 16) for i in range(256)])
    assert (np.diff(tables.INVERSE) <= 0).all()
    assert tables.INVERSE[-1] > 0


def test_temperature():
    assert is_rounded(tables.TEMPERATURE[1:], [16 * math.log(t / 64) for t in range(1, 256)])
    assert tables.TEMPERATURE[64] == 0
    assert (np.diff(tables.TEMPERATURE) >= 0).all()


def test_sizes():
    sizes = [2 ** (s / 4) for s in range(tables.SIZES)]
    assert tables.SIZE_OF.tolist() == [math.floor(64 * size + TIE) for size in sizes]
    assert is_rounded(tables.LOG_SIZE, [16 * math.log(size / 16) for size in sizes])


def test_exponentials_are_right_to_many_digits():
    assert abs(float(tables.exponential(1, 1)) - math.e) < 1e-15
    assert len(str(tables.exponential(-7, 3))) > 60
