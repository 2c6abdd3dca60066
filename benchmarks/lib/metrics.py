"""How far a decoded picture is from the original. Pictures are uint8 [H, W, 3]."""

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli, Bovik 2003, section 3.2
WINDOW = 11
SIGMA = 1.5
BELL = np.exp(-0.5 * ((np.arange(WINDOW) - WINDOW // 2) / SIGMA) ** 2)
TAPS = (BELL / BELL.sum()).astype(np.float32)
GREY = np.float32(128)  # taken off before squaring, which single precision then bears
C1, C2 = np.float32((0.01 * 255) ** 2), np.float32((0.03 * 255) ** 2)
BLOCK = 64


def psnr(x: Pixels, y: Pixels) -> float:
    """Peak signal to noise ratio in dB, over all channels; infinite for equal pictures."""
    error = float(np.mean((x.astype(np.float64) - y) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def ms_ssim(x: Pixels, y: Pixels) -> float:
    """Multi-scale SSIM, five scales, the mean of R, G and B. Sides must be 176 or more.

    Wang, Simoncelli, Bovik 2003, eq. 7: contrast and structure at every scale, luminance at the coarsest alone. As
    papers on learned codecs have it: of RGB, a window of 11, halved by means of 2x2.
    """
    if min(x.shape[:2]) < (least := WINDOW << (len(MS_SSIM_WEIGHTS) - 1)):
        raise ValueError(
            f"a picture of {x.shape[1]} x {x.shape[0]} is too small for MS-SSIM, sides must be {least} or more"
        )
    a, b = x.astype(np.float32) - GREY, y.astype(np.float32) - GREY
    product = np.ones(3)
    for scale, weight in enumerate(MS_SSIM_WEIGHTS, start=1):
        luminance, structure = ssim_terms(a, b)
        last = scale == len(MS_SSIM_WEIGHTS)
        product *= (
            np.maximum((luminance * structure if last else structure).mean((0, 1), dtype=np.float64), 0) ** weight
        )
        a, b = halve(a), halve(b)
    return float(product.mean())


def decibels(similarity: float) -> float:
    """MS-SSIM on a scale that does not end at 1: -10 log10(1 - MS-SSIM)."""
    return -10 * math.log10(1 - similarity) if similarity < 1 else math.inf


def ssim_terms(a: Singles, b: Singles) -> tuple[Singles, Singles]:
    """The luminance term, and the product of the contrast and structure terms, of every window. a, b: less GREY."""
    mean_a, mean_b = smooth(a), smooth(b)
    covariance = smooth(a * b) - mean_a * mean_b
    variances = smooth(a * a + b * b) - mean_a**2 - mean_b**2
    mean_a, mean_b = mean_a + GREY, mean_b + GREY
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return luminance, (2 * covariance + C2) / (variances + C2)


def smooth(x: Singles) -> Singles:
    """Gaussian window, only where it fits. [H, W, C] -> [H - 10, W - 10, C]"""
    height, width, channels = x.shape
    result = np.empty((height - WINDOW + 1, width - WINDOW + 1, channels), np.float32)
    row = np.empty(width * channels, np.float32)
    smooth_kernel(x.reshape(height, -1), TAPS, channels, row, result.reshape(len(result), -1))
    return result


@numba.njit(cache=True, nogil=True)
def smooth_kernel(x: Any, taps: Any, channels: int, row: Any, result: Any) -> None:
    """smooth(), of rows with the channels side by side, through a buffer of one row."""
    for i in range(len(result)):
        for j in range(row.size):
            total = taps[0] * x[i, j]
            for k in range(1, WINDOW):
                total += taps[k] * x[i + k, j]
            row[j] = total
        for j in range(result.shape[1]):
            total = taps[0] * row[j]
            for k in range(1, WINDOW):
                total += taps[k] * row[j + channels * k]
            result[i, j] = total


def halve(x: Singles) -> Singles:
    """The mean of 2x2 places; an odd last row or column is dropped."""
    x = x[: x.shape[0] // 2 * 2, : x.shape[1] // 2 * 2]
    return np.ascontiguousarray((x[0::2, 0::2] + x[0::2, 1::2] + x[1::2, 0::2] + x[1::2, 1::2]) / 4)


def block_means(x: Pixels, side: int = BLOCK) -> Floats:
    """Mean colour of each block; blocks at the edges may be smaller. -> [blocks, 3]"""
    top, left = np.arange(0, x.shape[0], side), np.arange(0, x.shape[1], side)
    sums = np.add.reduceat(np.add.reduceat(x.astype(np.float64), top, 0), left, 1)
    counts = np.diff(top, append=x.shape[0])[:, None] * np.diff(left, append=x.shape[1])[None]
    return (sums / counts[..., None]).reshape(-1, 3)


def drift(x: Pixels, y: Pixels) -> Floats:
    """How far the mean colour of each 64x64 block of y is from that of x, in levels of 255. -> [blocks, 3]"""
    return np.abs(block_means(x) - block_means(y))
