"""Whether a stored form may be smaller than what a model makes: guesses, as finding out takes seconds."""

import zlib

import numpy as np

from vlaezip.format.pixels import Picture

STRIP = 32
SMALL = 1 << 12  # guesses below are bad guesses
SCREEN = 0.35  # what deflates below this share is no photograph: long repeats, of which PNG and WebP make more
SURELY_SMALLER = {True: 0.25, False: 0.7}  # of a fast deflate's size, for screens and others: no stored form can win
# Over more strips than that, a glance at a quarter of each is within 12 % of a look at all, and decides clear cases.
MANY_STRIPS, SURELY_PHOTOGRAPH, SURELY_LARGER = 3, 0.42, 0.6

LARGE, FLAT = 1 << 22, 0.01  # pixels; what deflates below this share has next to nothing in it


def may_be_smaller(picture: Picture, size: int) -> bool:
    """Whether a stored picture might have fewer bytes than `size`; trying takes seconds."""
    height = len(picture.pixels)
    samples = picture.rows(0, 1).size * height
    if height > MANY_STRIPS * 4 * STRIP:
        glance = deflated(picture, STRIP // 4)
        if glance > SURELY_PHOTOGRAPH * samples and size < SURELY_LARGER * glance:
            return False
    guess = deflated(picture, STRIP)
    return guess < SMALL or size > SURELY_SMALLER[guess < SCREEN * samples] * guess


def is_drawn(picture: Picture, lossless: bool) -> bool:
    """Whether a large picture is likely to be stored, so that this comes first; for a lossy one it has to be flat."""
    width, height = picture.size
    if width * height < LARGE:
        return False
    share = deflated(picture, STRIP // 4) / (picture.rows(0, 1).size * height)
    return share < (SCREEN if lossless else FLAT)


def hopeless(kept: bytes) -> int:
    """Words from which a model's data will not come down to the bytes of what is stored: a quarter more, as a tile may
    take a little less than nothing.
    """
    return max(len(kept), 1 << 16) * 5 // 16


def deflated(picture: Picture, rows: int) -> float:
    """A guess at what PNG needs, from a fast deflate of so many rows of every 4 * STRIP."""
    height = len(picture.pixels)
    plain = across = seen = 0
    for top in range(0, height, 4 * STRIP):
        strip = picture.rows(top, top + rows)
        plain += len(zlib.compress(strip.tobytes(), 1))
        across += len(zlib.compress(np.diff(strip, axis=1, prepend=0).tobytes(), 1))
        seen += len(strip)
    return min(plain, across) * height / seen
