"""DATA of a lossless picture by a model that learns: tiles in reading order, each on a stack of its own.

One learner goes through all tiles. z is rounded and gets no refund: bits that a later tile popped would hang on weights
that are not known yet. So a tile can be written, and read, as soon as it is done.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from vlaezip.codec import block
from vlaezip.codec.block import TooLong
from vlaezip.coding import ans
from vlaezip.coding.ans import Message
from vlaezip.coding.logistic import Ints
from vlaezip.errors import CorruptFile
from vlaezip.format import settings
from vlaezip.format.container import Bytes, Header, read_varint, write_varint
from vlaezip.format.settings import Settings
from vlaezip.format.tiles import Tile, split
from vlaezip.model import layout, learner, learning, local_ar
from vlaezip.model.learner import Learner
from vlaezip.model.vlae import Shape, Vlae

MAX_LANES = 16  # what one processor looks for at once
SAMPLED = 8  # the static model is tried on one place of so many
SAMPLED_PIXELS = 1 << 16
SURE = 0.99  # a share of the static size at which nothing more need be tried


def begin(net: Vlae, grey: bool) -> Learner:
    """A learner at the beginning of a picture."""
    layers = list(layout.local("pixel", net.config.pixel, layout.extras(net.config)["pixel"]))
    return learner.begin(net.pixel, layers, grey)


def shape_of(tile: Tile) -> Shape:
    return 1, tile.height, tile.width


def encode(net: Vlae, header: Header, colour: Any, how: Settings, most: int = block.MAX_WORDS) -> bytes:
    """Settings, then the tiles. colour uint8 [H, W, 3]. Raises block.TooLong when there are more than `most` words."""
    state, pieces, size = begin(net, header.grey), [settings.write(how)], 0
    for tile in split(header.height, header.width, header.tile):
        x = colour[tile.slices][None].astype(np.int32)
        message = ans.write(push_tile(net, header, state, x, how))
        pieces += [write_varint(len(message)), message]
        if (size := size + len(message)) > 4 * most:
            raise TooLong
    return b"".join(pieces)


def push_tile(net: Vlae, header: Header, state: Learner, x: Ints, how: Settings) -> Message:
    """A tile on an empty stack. The learner moves on."""
    z = block.first_latent(net, x)
    scene = net.pixel_scene(z, x.shape[:3], header.grey)
    intervals = learning.encode_intervals(net.pixel, state, scene, x, how)
    message = ans.push(ans.empty(header.lanes), *intervals)
    return block.prior_codec(net, x.shape[:3], block.FIRST_LEVEL).push(message, z)


def decode(net: Vlae, header: Header, data: Bytes) -> Iterator[tuple[Tile, Ints]]:
    """Inverse of encode: tiles and their samples. Raises CorruptFile."""
    how, messages = opened(header, data)
    state = begin(net, header.grey)
    for tile, message in messages:
        message, z = block.prior_codec(net, shape_of(tile), block.FIRST_LEVEL).pop(message)
        scene = net.pixel_scene(z, shape_of(tile), header.grey)
        message, x = learning.pop(net.pixel, state, scene, message, how)
        block.finish(message)
        yield tile, x


def latents(net: Vlae, header: Header, data: Bytes) -> Iterator[tuple[Tile, Ints]]:
    """z of every tile, which comes off its stack first."""
    for tile, message in opened(header, data)[1]:
        yield tile, block.prior_codec(net, shape_of(tile), block.FIRST_LEVEL).pop(message)[1]


def opened(header: Header, data: Bytes) -> tuple[Settings, Iterator[tuple[Tile, Message]]]:
    """Settings and the stacks of all tiles. Raises CorruptFile."""
    return settings.read(data, header.width * header.height), stacks(header, memoryview(data))


def stacks(header: Header, data: memoryview) -> Iterator[tuple[Tile, Message]]:
    """Of all tiles. Raises CorruptFile."""
    offset = settings.SETTINGS.size
    for tile in split(header.height, header.width, header.tile):
        size, offset = read_varint(data, offset, "length of a tile")
        if len(data) - offset < size:
            raise CorruptFile(f"a tile of {size} bytes is cut short")
        yield tile, ans.read(data[offset : offset + size], header.lanes)
        offset += size
    if offset != len(data):
        raise CorruptFile("data is left over after the picture")


def pays(net: Vlae, header: Header, colour: Any, size: int) -> bool:
    """Whether so many bytes, which a learner took, are surely fewer than the static model takes: by a sample of it.

    Small pictures have no sample that would do.
    """
    if header.width * header.height < SAMPLED_PIXELS:
        return False
    bits = 0.0
    for tile in split(header.height, header.width, header.tile):
        x = colour[tile.slices][None].astype(np.int32)
        scene = net.pixel_scene(block.first_latent(net, x), x.shape[:3], header.grey)
        bits += local_ar.estimated_bits(net.pixel, scene, x, SAMPLED)
    return 8 * size < SURE * bits
