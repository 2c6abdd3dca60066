"""DATA of a lossy file: z of the whole picture, rounded, under its prior. The pixels are dreamed."""

from collections.abc import Iterator

import numpy as np

from vlaezip.codec import block
from vlaezip.codec.dream import dream
from vlaezip.coding import ans
from vlaezip.coding.logistic import Ints
from vlaezip.errors import CorruptFile
from vlaezip.format.container import Bytes, Header
from vlaezip.format.pixels import Part
from vlaezip.format.tiles import Tile
from vlaezip.model.vlae import Vlae


def encode(net: Vlae, header: Header, z: Ints) -> bytes:
    """z of the whole picture, rounded, under its prior."""
    shape = (1, header.height, header.width)
    return ans.write(block.prior_codec(net, shape, header.quality).push(ans.empty(header.lanes), z))


def decode(net: Vlae, header: Header, data: Bytes, preview: bool) -> Iterator[Part]:
    """The preview or the dream of a lossy file, tile by tile. Raises CorruptFile."""
    if header.quality >= len(net.rounding):
        raise CorruptFile(f"quality level {header.quality}, the model has {len(net.rounding)}")
    shape = (1, header.height, header.width)
    message, z = block.prior_codec(net, shape, header.quality).pop(ans.read(data, header.lanes))
    block.finish(message)
    for number, (tile, mean, features) in enumerate(block.previews(net, z, header.tile, header.quality)):
        place = inside(tile, net.config.stride, header)
        if header.grey:
            mean = np.repeat(mean[..., 1:2], 3, 3)
        if not preview:
            size, key = (1, place.height, place.width), (header.seed, number)
            mean = dream(net, mean, features, size, header.grey, header.temperature, key)
        yield place, mean[0, : place.height, : place.width, : 1 if header.grey else 3].astype(np.uint8)


def inside(tile: Tile, stride: int, header: Header) -> Tile:
    """What a tile of z covers of the picture, in pixels."""
    top, left = tile.top * stride, tile.left * stride
    return Tile(
        top, left, min(tile.height * stride, header.height - top), min(tile.width * stride, header.width - left)
    )
