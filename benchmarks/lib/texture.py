"""How far the texture of a picture is from another's, whatever the phase: no network, no list of opinions.

A measure turns a picture, uint8 [H, W, 3], into logarithms (base 2) of local statistics of its luma; the distance of
two pictures is the mean absolute difference. Statistics forget where in a block things are, so grain in the wrong
place is right and no grain is wrong. Both are taken to lie under noise of one level: what is fainter does not count.
"""

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
NOISE = 1.0  # variance, levels of 255 squared
WINDOW, STEP = 32, 16  # of spectra, pixels
BANDS = 9  # half octaves, from one wave a window to the corner of the plane
BLOCK = 64  # of wavelets, pixels
OCTAVES, ANGLES = 4, 3  # the highest octave is what lies above the others, to the corner of the plane
MARGIN = 32  # mirrored around the picture, where a transform would see the other side

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


def distance(a: Floats, b: Floats) -> float:
    """Of the statistics of two pictures of one shape, in doublings."""
    return float(np.mean(np.abs(a - b)))


def luma(x: Pixels) -> Floats:
    """-> [H, W]. Raises ValueError for pictures smaller than a block."""
    if min(x.shape[:2]) < BLOCK:
        raise ValueError(f"a picture of {x.shape[1]} x {x.shape[0]} has no block of {BLOCK} x {BLOCK}")
    return x.astype(np.float32) @ LUMA


def spectra(x: Pixels) -> Floats:
    """log2 of the power in each ring of frequencies, of overlapping windows under a Hann bell. -> [windows, BANDS]"""
    bell, rings = window_and_rings()
    windows = sliding_window_view(luma(x), (WINDOW, WINDOW))[::STEP, ::STEP].reshape(-1, WINDOW, WINDOW)
    mean = (windows * bell).sum((1, 2), keepdims=True) / bell.sum()
    power = np.abs(np.fft.rfft2((windows - mean) * bell)) ** 2 / (bell**2).sum()
    return np.log2(power.reshape(len(power), -1) @ rings + NOISE)


@lru_cache
def window_and_rings() -> tuple[Floats, Floats]:
    """The bell [WINDOW, WINDOW], and the matrix that averages rfft2's powers in rings, [places, BANDS]."""
    hann = np.hanning(WINDOW + 1)[:-1]
    fy, fx = np.fft.fftfreq(WINDOW)[:, None] * WINDOW, np.arange(WINDOW // 2 + 1)[None]
    radius = np.hypot(fy, fx).reshape(-1, 1)
    ring = np.where(radius > 0, np.floor(2 * np.log2(np.maximum(radius, 1))), -1)
    rings = (np.minimum(ring, BANDS - 1) == np.arange(BANDS)).astype(np.float32)
    rings *= np.broadcast_to(np.where((fx == 0) | (fx == WINDOW // 2), 1, 2), (WINDOW, fx.size)).reshape(-1, 1)
    return np.outer(hann, hann).astype(np.float32), rings / rings.sum(0)


def wavelets(x: Pixels) -> Floats:
    """log2 of variance and kurtosis of the sub-bands of a steerable pyramid. -> [OCTAVES * ANGLES, 2, rows, columns]

    Of blocks of 64x64 pixels; what is left over on the right and below does not count. The pyramid is that of Portilla
    and Simoncelli 2000 with even filters (cos^2), three angles, of the high-pass band too.
    """
    rows, columns = x.shape[0] // BLOCK, x.shape[1] // BLOCK
    whole = luma(x)[: rows * BLOCK, : columns * BLOCK]
    spectrum = np.fft.rfft2(np.pad(whole, MARGIN, mode="reflect"), norm="forward")
    height, width = rows * BLOCK + 2 * MARGIN, columns * BLOCK + 2 * MARGIN
    found = []
    for octave in range(OCTAVES):
        halvings = max(octave - 1, 0)
        h, w = height >> halvings, width >> halvings
        part = np.concatenate([spectrum[: h // 2], spectrum[len(spectrum) - h // 2 :]])[:, : w // 2 + 1]
        for passed, gain in filters(h, w, 0.5 if octave == 0 else 0.25):
            band: Floats = np.fft.irfft2(part * passed, s=(h, w), norm="forward").astype(np.float32, copy=False)
            found.append(moments(band, BLOCK >> halvings, MARGIN >> halvings, NOISE * gain / 4**halvings))
    return np.stack(found)


def moments(band: Floats, side: int, margin: int, noise: float) -> Floats:
    """log2 of variance and kurtosis of each block, under Gaussian noise of a variance. -> [2, rows, columns]"""
    inner = band[margin:-margin, margin:-margin]
    square = inner.reshape(inner.shape[0] // side, side, inner.shape[1] // side, side) ** 2
    second, fourth = square.mean((1, 3)), (square**2).mean((1, 3))
    noisy = second + noise
    return np.log2(np.stack([noisy, (fourth + 6 * noise * second + 3 * noise**2) / noisy**2]))


@lru_cache
def filters(height: int, width: int, centre: float) -> list[tuple[Floats, float]]:
    """An octave's filters on rfft2's plane, each with the share of white noise that it lets through.

    centre: waves a pixel, 0.25 or, for all above, 0.5.
    """
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    octave = np.log2(np.maximum(np.hypot(fy, fx), 2.0**-20) / centre)
    bell = np.cos(np.pi / 2 * np.clip(octave, -1, 0 if centre == 0.5 else 1))
    angle = np.arctan2(fy, fx)
    planes = [bell * np.cos(angle - np.pi * k / ANGLES) ** 2 for k in range(ANGLES)]
    return [(p[:, : width // 2 + 1].astype(np.float32), float((p**2).mean())) for p in planes]


MEASURES = {"spectra": spectra, "wavelets": wavelets}
