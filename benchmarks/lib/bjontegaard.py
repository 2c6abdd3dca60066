"""The BD-rate: how many more bytes one codec needs than another, averaged over the qualities that both reach.

Bjontegaard, VCEG-M33, 2001, with the piecewise cubic that replaced his polynomial (JCTVC-L1100's spreadsheets): it
does not swing between the points.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
STEPS = 1000  # of the integral


def bd_rate(rates: Floats, decibels: Floats, other_rates: Floats, other_decibels: Floats) -> float | None:
    """Per cent of rate that the first curve needs above the other at equal quality: negative if it needs less.

    Rates in any unit. None where a curve has fewer than two points or the two share no quality.
    """
    first, other = rising(rates, decibels), rising(other_rates, other_decibels)
    if min(len(first[0]), len(other[0])) < 2:
        return None
    low, high = max(first[0][0], other[0][0]), min(first[0][-1], other[0][-1])
    if low >= high:
        return None
    at = np.linspace(low, high, STEPS + 1)
    return 100 * (float(np.exp(np.trapezoid(pchip(*first, at) - pchip(*other, at), at) / (high - low))) - 1)


def rising(rates: Floats, decibels: Floats) -> tuple[Floats, Floats]:
    """Decibels, strictly rising, and the logarithms of their rates; points that cost more and are no better go."""
    order = np.argsort(rates)
    quality, cost = np.asarray(decibels, np.float64)[order], np.log(np.asarray(rates, np.float64)[order])
    better = np.append(True, quality[1:] > np.maximum.accumulate(quality)[:-1])
    return quality[better], cost[better]


def pchip(x: Floats, y: Floats, at: Floats) -> Floats:
    """The monotone piecewise cubic through points of rising x, at places within them. Fritsch and Butland 1984."""
    h, slope = np.diff(x), np.diff(y) / np.diff(x)
    d = tangents(h, slope)
    k = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(h) - 1)
    t = (at - x[k]) / h[k]
    bend, twist = 3 * slope[k] - 2 * d[k] - d[k + 1], d[k] + d[k + 1] - 2 * slope[k]
    result: Floats = y[k] + h[k] * t * (d[k] + t * (bend + t * twist))
    return result


def tangents(h: Floats, slope: Floats) -> Floats:
    """The curve's slope at each point: a weighted harmonic mean of its neighbours', 0 at a turn."""
    if len(h) == 1:
        return np.repeat(slope, 2)
    one, two = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    same = slope[:-1] * slope[1:] > 0
    left, right = np.where(same, slope[:-1], 1.0), np.where(same, slope[1:], 1.0)
    inner = np.where(same, (one + two) / (one / left + two / right), 0.0)
    return np.concatenate([[tip(h[0], h[1], slope[0], slope[1])], inner, [tip(h[-1], h[-2], slope[-1], slope[-2])]])


def tip(h: float, next_h: float, slope: float, next_slope: float) -> float:
    """The slope at an end: that of the parabola through three points, limited so that the curve stays monotone."""
    found = ((2 * h + next_h) * slope - h * next_slope) / (h + next_h)
    if found * slope <= 0:
        return 0.0
    return 3 * slope if slope * next_slope <= 0 and abs(found) > 3 * abs(slope) else found
