"""Dreams: samples of p(x|z) for the z of a lossy file, anchored to the preview."""

import math

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.logistic import Ints
from vlaezip.coding.tables import PRECISION, TEMPERATURE
from vlaezip.model import local_ar
from vlaezip.model.vlae import Shape, Vlae

TRIM = 1 << (PRECISION - 7)  # a dream draws from the middle 126/128 of each mixture: no stray can leave


def dream(
    model: Vlae,
    preview: Ints,
    features: NDArray[np.int16],
    shape: Shape,
    grey: bool,
    temperature: int,
    key: tuple[int, int],
) -> Ints:
    """A sample of p(x|z): the pixel decoder on random bits. temperature in 1/64; key: seed, tile.
    The preview of a grey picture is grey.

    Bits come from Philox (Salmon et al. 2011), in the order of the wavefront: the same everywhere.
    """
    scene = model.scene_of(preview, features, shape, grey, int(TEMPERATURE[temperature]))
    bits = np.random.Philox(key=np.array(key, np.uint64)).random_raw(math.prod(shape) * (1 if grey else 3))
    span = np.uint64((1 << PRECISION) - 2 * TRIM)
    targets = TRIM + (((bits >> np.uint64(32)) * span) >> np.uint64(32))
    drawn = local_ar.sample(model.pixel, scene, targets.astype(np.uint32))
    return anchored(drawn, preview[:, : shape[1], : shape[2]], model.config.anchor)


def anchored(drawn: Ints, preview: Ints, reach: int) -> Ints:
    """The preview, and a dream's residual less its mean over boxes of side 2 * reach + 1, taken twice.

    A window of a few rows cannot know what the preview knows of wide shapes, and errors of a step add up to clouds.
    int32 [B, H, W, 3] in 0..255; reach 0 changes nothing.
    """
    if not reach:
        return drawn
    residual, side = drawn - preview, 2 * reach + 1
    sums = residual
    for axis in (1, 2, 1, 2):
        sums = box_sums(sums, reach, axis)
    narrow: Ints = residual - (sums + side**4 // 2) // side**4
    result: Ints = np.clip(preview + narrow, 0, 255)
    return result


def box_sums(x: Ints, reach: int, axis: int) -> Ints:
    """Sums of 2 * reach + 1 neighbours along an axis, the edge replicated. int32 may wrap around on the way."""
    edges = [(reach + 1 if a == axis else 0, reach if a == axis else 0) for a in range(x.ndim)]
    upto = np.cumsum(np.pad(x, edges, mode="edge"), axis, dtype=np.int32)
    n, side = x.shape[axis], 2 * reach + 1
    sums: Ints = upto.take(range(side, side + n), axis) - upto.take(range(n), axis)
    return sums
