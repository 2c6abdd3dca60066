"""Efforts against the static model, with files whose sizes are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import learning
from benchmarks.lossless import Outcome

sides = st.integers(1, 20)


@given(sides, sides, sides)
def test_the_middle_has_as_much_on_both_sides(height, width, side):
    x = np.arange(height * width * 3).reshape(height, width, 3)
    y = learning.middle(x, side)
    assert y.shape == (min(side, height), min(side, width), 3)
    above, left = (y[0, 0, 0] // 3) // width, (y[0, 0, 0] // 3) % width
    assert above in ((height - y.shape[0]) // 2, height)
    assert left == (width - y.shape[1]) // 2
    assert np.array_equal(y, x[above : above + side, left : left + side])


def outcomes(*sizes_and_values):
    return [Outcome(size, values, 1.0, 3.0, True) for size, values in sizes_and_values]


def test_differences_are_those_of_the_mean_and_of_all_bytes():
    static, learnt = outcomes((100, 400), (300, 2400)), outcomes((50, 400), (300, 2400))
    _, mean, of_mean, pooled, of_pooled, encode, decode, exact = learning.summary("effort 2", learnt, static)
    assert [mean, of_mean] == pytest.approx([1, -100 / 3])
    assert [pooled, of_pooled] == pytest.approx([1, -12.5])
    assert (encode, decode, exact) == (1, 3, "2 of 2")


def test_a_file_that_learning_makes_larger_is_told():
    static = outcomes((100, 400), (300, 2400))
    learning.check_no_larger({"effort 0": static, "effort 1": outcomes((116, 400), (20, 2400))})
    with pytest.raises(SystemExit, match="17 bytes"):
        learning.check_no_larger({"effort 0": static, "effort 1": outcomes((20, 400), (317, 2400))})
