"""Plots: what matplotlib makes, with antialiased lines and text."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from benchmarks import example

DPI = 100
CLOUDS = (((0, 0), "o"), ((3, 1), "s"), ((1, 3.5), "^"))  # middle and shape of the dots

Pixels = NDArray[np.uint8]


def plot(width: int, height: int, draw: Callable[[Figure, Axes], None]) -> Pixels:
    """A figure, whatever its user has set."""
    with style.context("default"):
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, layout="constrained")
        draw(figure, figure.add_subplot())
        figure.savefig(out := BytesIO(), format="png")
        return np.asarray(Image.open(out).convert("RGB"))


def lines() -> Pixels:
    """Four noisy curves with a grid and a legend."""

    def draw(_: Figure, axes: Axes) -> None:
        rng, x = np.random.default_rng(1), np.linspace(0, 10, 400)
        for run in range(1, 5):
            noise = 0.02 * np.cumsum(rng.standard_normal(len(x)))
            axes.plot(x, np.exp(-x / (2 + run)) * np.cos((1 + run / 2) * x) + noise, label=f"run {run}")
        axes.set(xlabel="time, seconds", ylabel="amplitude, mm", title="Four dampers after a step")
        axes.grid(alpha=0.3)
        axes.legend()

    return plot(800, 500, draw)


def scatter() -> Pixels:
    """Three clouds of half-transparent dots, whose colours tell a third quantity."""

    def draw(figure: Figure, axes: Axes) -> None:
        rng = np.random.default_rng(2)
        for middle, marker in CLOUDS:
            x, y = rng.multivariate_normal(middle, [[1, 0.5], [0.5, 0.8]], 220).T
            dots = axes.scatter(
                x, y, 8 + 40 * rng.random(220), np.hypot(x, y), vmin=0, vmax=6, marker=marker, alpha=0.7
            )
        figure.colorbar(dots, label="distance")
        axes.set(xlabel="first component", ylabel="second component", title="Three kinds, 660 samples")

    return plot(720, 540, draw)


def heat_map() -> Pixels:
    """A smooth field with contours, and a bar of its colours."""

    def draw(figure: Figure, axes: Axes) -> None:
        field = 12 + 6 * example.texture(np.random.default_rng(3), 60, 90, 2.2)
        seen = axes.imshow(field, "inferno", extent=(0, 90, 0, 60), interpolation="bilinear", origin="lower")
        axes.contour(np.arange(90) + 0.5, np.arange(60) + 0.5, field, 6, colors="white", linewidths=0.7)
        figure.colorbar(seen, label="degrees", shrink=0.8)
        axes.set(title="Surface temperature", xlabel="km east", ylabel="km north")

    return plot(760, 500, draw)
