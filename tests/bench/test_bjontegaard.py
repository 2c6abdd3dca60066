"""BD-rates that can be told without an integral, and a curve that keeps to its points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.lib.bjontegaard import bd_rate, pchip

RATES, DECIBELS = np.array([0.1, 0.21, 0.4, 0.9]), np.array([27.0, 29.1, 30.6, 32.0])
rising = st.lists(st.floats(0.05, 3), min_size=2, max_size=8).map(np.cumsum)


@given(st.floats(0.2, 5))
def test_a_codec_that_needs_a_share_more_everywhere_has_that_bd_rate(share):
    assert bd_rate(RATES * share, DECIBELS, RATES, DECIBELS) == pytest.approx(100 * (share - 1), abs=1e-9)


def test_there_and_back_is_nothing():
    other = (np.array([0.12, 0.3, 0.5, 0.8]), np.array([27.5, 29.9, 31.2, 31.9]))
    there, back = bd_rate(RATES, DECIBELS, *other), bd_rate(*other, RATES, DECIBELS)
    assert (1 + there / 100) * (1 + back / 100) == pytest.approx(1)


def test_straight_lines_have_the_bd_rate_of_the_middle():
    slow = bd_rate(np.exp([0.0, 2.0]), np.array([30.0, 34.0]), np.exp([0.0, 1.0]), np.array([30.0, 34.0]))
    assert slow == pytest.approx(100 * (np.exp(0.5) - 1))


def test_only_the_common_range_counts():
    shifted = bd_rate(RATES * 1.5, DECIBELS, RATES[1:], DECIBELS[1:])
    assert shifted == pytest.approx(50, abs=3)


def test_order_and_points_that_are_no_better_do_not_matter():
    worse = (np.append(RATES, 0.5)[::-1], np.append(DECIBELS, 28.0)[::-1])
    assert bd_rate(*worse, RATES, DECIBELS) == pytest.approx(0, abs=1e-9)


def test_no_common_quality_has_no_bd_rate():
    assert bd_rate(RATES, DECIBELS, RATES, DECIBELS + 10) is None
    assert bd_rate(RATES[:1], DECIBELS[:1], RATES, DECIBELS) is None


@given(rising, st.data())
def test_the_curve_goes_through_its_points_and_never_turns_between_them(x, data):
    y = data.draw(st.lists(st.floats(0, 3), min_size=len(x), max_size=len(x)).map(np.cumsum))
    assert pchip(x, y, x) == pytest.approx(y)
    assert (np.diff(pchip(x, y, np.linspace(x[0], x[-1], 200))) >= -1e-9).all()
