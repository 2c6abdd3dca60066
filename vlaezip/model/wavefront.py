"""The wavefront: the order in which places are decoded, and where they lie in padded pictures."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.logistic import Ints
from vlaezip.exact.kernel_cache import kernel


@kernel()
def wavefront_kernel(count: int, height: int, width: int, order: Any, bounds: Any) -> None:
    """wavefront(), into its two results."""
    n = 0
    for step in range(len(bounds) - 1):
        bounds[step] = n
        first, last = max(0, (step - width + 2) // 2), min(height - 1, step // 2)
        for picture in range(count):
            for i in range(first, last + 1):
                order[n] = (picture * height + i) * width + step - 2 * i
                n += 1
    bounds[-1] = n


def wavefront(count: int, height: int, width: int) -> tuple[Ints, NDArray[np.int64]]:
    """Order of decoding for a batch of pictures: flat positions sorted by j + 2 * i, then by themselves.

    -> positions [B * H * W], and the bounds of the steps [W + 2 * (H - 1) + 1].
    """
    order, bounds = np.empty(count * height * width, np.int32), np.empty(width + 2 * height - 1, np.int64)
    wavefront_kernel(count, height, width, order, bounds)
    return order, bounds


@kernel()
def locate(order: Any, height: int, width: int, up: int, left: int, row: int, spot: Any, edge: Any) -> None:
    """Find where places lie in padded pictures, `row` places a row, and at which edges, as write_padded() has it."""
    for n in range(len(order)):
        line, j = order[n] // width, order[n] % width
        picture, i = line // height, line % height
        spot[n] = (picture * (up + height) + i + up) * row + j + left
        edge[n] = (j == 0 and i < height - 1) + 2 * (j == width - 1)
