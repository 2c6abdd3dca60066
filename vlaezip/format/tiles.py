"""Geometry: what is coded at once is bounded, and shares its steps.

A large picture is cut into tiles, a set of small ones into blocks: runs of pictures.
"""

from dataclasses import dataclass
from itertools import pairwise

FIRST_BLOCK = 16  # pictures: no z of theirs is refunded
BLOCK, BLOCK_PIXELS = 256, 2**20
SHARE = 8  # pictures that pay for the z of one: of a 28x28 digit z takes the bits of four
SHARE_OF_DRAWS = 16  # the same where z is one of several draws: of a digit they take the bits of ten


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of pixels: rows top .. top + height, columns left .. left + width."""

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the tile in an array [H, W, ...]."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def split(height: int, width: int, side: int) -> list[Tile]:
    """Cut into tiles of at most side x side, nearly equal, row by row. The law: each pixel is in exactly one."""
    rows, columns = parts(height, side), parts(width, side)
    return [Tile(top, left, h, w) for top, h in rows for left, w in columns]


def parts(length: int, side: int) -> list[tuple[int, int]]:
    """(start, size) of ceil(length / side) parts whose sizes differ by at most one."""
    return cuts(length, -(-length // side))


def cuts(length: int, count: int) -> list[tuple[int, int]]:
    """(start, size) of so many parts whose sizes differ by at most one."""
    edges = [length * i // count for i in range(count + 1)]
    return [(start, end - start) for start, end in pairwise(edges)]


def blocks(count: int, pixels: int = 1, share: int = SHARE) -> list[int]:
    """Sizes of the blocks of `count` pictures, of so many pixels each. The law: they are at least 1 and sum to count.

    The first is small, as its z is paid in full; later ones grow with what the stack holds.
    """
    most = max(1, min(BLOCK, BLOCK_PIXELS // pixels))
    sizes, done = [], 0
    while done < count:
        size = max(1, min(most, done // share)) if done else min(most, FIRST_BLOCK)
        sizes.append(min(size, count - done))
        done += sizes[-1]
    return sizes
