"""Geometry: a picture is cut into tiles, so that memory is bounded and tiles share their steps."""

from dataclasses import dataclass
from itertools import pairwise


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
    count = -(-length // side)
    edges = [length * i // count for i in range(count + 1)]
    return [(start, end - start) for start, end in pairwise(edges)]
