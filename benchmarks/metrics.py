"""How far a decoded picture is from the original. Pictures are uint8 [H, W, 3]."""

import math

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli, Bovik 2003, section 3.2
WINDOW = 11
SIGMA = 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
BLOCK = 64


def psnr(x: Pixels, y: Pixels) -> float:
    """Peak signal to noise ratio in dB, over all channels; infinite for equal pictures."""
    error = float(np.mean((x.astype(np.float64) - y) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def ms_ssim(x: Pixels, y: Pixels) -> float:
    """Multi-scale SSIM, five scales, the mean of the three channels. Sides must be 176 or more.

    Wang, Simoncelli, Bovik 2003, eq. 7: contrast and structure at every scale, luminance at the coarsest alone.
    """
    if min(x.shape[:2]) < (least := WINDOW << (len(MS_SSIM_WEIGHTS) - 1)):
        raise ValueError(
            f"a picture of {x.shape[1]} x {x.shape[0]} is too small for MS-SSIM, sides must be {least} or more"
        )
    a, b = x.astype(np.float64), y.astype(np.float64)
    product = np.ones(3)
    for scale, weight in enumerate(MS_SSIM_WEIGHTS, start=1):
        luminance, structure = ssim_terms(a, b)
        last = scale == len(MS_SSIM_WEIGHTS)
        product *= np.maximum((luminance * structure if last else structure).mean((0, 1)), 0) ** weight
        a, b = halve(a), halve(b)
    return float(product.mean())


def ssim_terms(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """The luminance term, and the product of the contrast and structure terms, of every window."""
    mean_a, mean_b = smooth(a), smooth(b)
    var_a, var_b = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2
    covariance = smooth(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return luminance, (2 * covariance + C2) / (var_a + var_b + C2)


def smooth(x: Floats) -> Floats:
    """Gaussian window, only where it fits. [H, W, C] -> [H - 10, W - 10, C]"""
    taps = np.exp(-0.5 * ((np.arange(WINDOW) - WINDOW // 2) / SIGMA) ** 2)
    taps /= taps.sum()
    h, w = x.shape[0] - WINDOW + 1, x.shape[1] - WINDOW + 1
    rows = sum((t * x[i : i + h] for i, t in enumerate(taps)), np.zeros((h, *x.shape[1:])))
    return sum((t * rows[:, i : i + w] for i, t in enumerate(taps)), np.zeros((h, w, x.shape[2])))


def halve(x: Floats) -> Floats:
    """The mean of 2x2 places; an odd last row or column is dropped."""
    h, w, c = x.shape[0] // 2, x.shape[1] // 2, x.shape[2]
    return x[: 2 * h, : 2 * w].reshape(h, 2, w, 2, c).mean((1, 3))


def block_means(x: Pixels, side: int = BLOCK) -> Floats:
    """Mean colour of each block; blocks at the edges may be smaller. -> [blocks, 3]"""
    top, left = np.arange(0, x.shape[0], side), np.arange(0, x.shape[1], side)
    sums = np.add.reduceat(np.add.reduceat(x.astype(np.float64), top, 0), left, 1)
    counts = np.diff(top, append=x.shape[0])[:, None] * np.diff(left, append=x.shape[1])[None]
    return (sums / counts[..., None]).reshape(-1, 3)


def drift(x: Pixels, y: Pixels) -> Floats:
    """How far the mean colour of each 64x64 block of y is from that of x, in levels of 255. -> [blocks, 3]"""
    return np.abs(block_means(x) - block_means(y))
