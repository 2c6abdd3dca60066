"""Laws of the geometry."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vlaezip.format.tiles import Tile, split

sides = st.integers(1, 200)


@given(sides, sides, st.integers(1, 64))
def test_each_pixel_is_in_exactly_one_tile(height, width, side):
    count = np.zeros((height, width), int)
    for tile in split(height, width, side):
        assert count[tile.slices].shape == (tile.height, tile.width)
        count[tile.slices] += 1
    assert (count == 1).all()


@given(sides, sides, st.integers(1, 64))
def test_tiles_are_nearly_equal_few_and_row_by_row(height, width, side):
    tiles = split(height, width, side)
    assert len(tiles) == -(-height // side) * -(-width // side)
    for sizes in ([t.height for t in tiles], [t.width for t in tiles]):
        assert 1 <= min(sizes) <= max(sizes) <= side
        assert max(sizes) - min(sizes) <= 1
    assert tiles == sorted(tiles, key=lambda t: (t.top, t.left))


def test_a_small_picture_is_one_tile():
    assert split(16, 24, 1024) == [Tile(0, 0, 16, 24)]
