"""Small pictures for tests, of every mode that vlaezip takes: photographs, not noise."""

import numpy as np
from PIL import Image

from benchmarks import example


def photo(height=64, width=96, mode="RGB", seed=0):
    """A photograph-like picture; alpha, where the mode has it, is a soft disc."""
    image = Image.fromarray(example.make(height, width, seed))
    if mode == "P":
        return image.quantize(16)
    if mode in ("1", "L", "RGB"):
        return image.convert(mode)
    image = image.convert(mode)
    image.putalpha(disc(height, width))
    return image


def disc(height, width):
    """255 within, 0 without, soft between."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return Image.fromarray(np.clip(900 * (0.8 - np.hypot(x, y)), 0, 255).astype(np.uint8))
