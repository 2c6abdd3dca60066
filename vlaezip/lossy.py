"""DATA of a lossy file: z of the whole picture, rounded, under its prior. The pixels are dreamed."""

from typing import Any

import numpy as np

from vlaezip import codec
from vlaezip.coding import ans
from vlaezip.container import Header
from vlaezip.errors import CorruptFile
from vlaezip.tiles import Tile
from vlaezip.vlae import Vlae

ITERATIONS = (0, 2, 4, 7, 10, 15, 25, 40, 60, 100)  # of refine, by effort


def encode(net: Vlae, header: Header, colour: Any, effort: int) -> bytes:
    """z of the whole picture, rounded, under its prior. colour uint8 [H, W, 3]."""
    z = codec.rounded_latent(net, colour, header.quality, header.tile)
    if effort:
        from vlaezip.refine import refine  # torch takes a second to import

        z = refine(net, colour, z, header.quality, ITERATIONS[effort], header.tile)
    shape = (1, header.height, header.width)
    return ans.write(codec.prior_codec(net, shape, header.quality).push(ans.empty(header.lanes), z))


def decode(net: Vlae, header: Header, data: bytes, preview: bool) -> Any:
    """The preview or the dream of a lossy file: uint8 [H, W, 3]. Raises CorruptFile."""
    if header.quality >= len(net.rounding):
        raise CorruptFile(f"quality level {header.quality}, the model has {len(net.rounding)}")
    shape = (1, header.height, header.width)
    message, z = codec.prior_codec(net, shape, header.quality).pop(ans.read(data, header.lanes))
    codec.finish(message)
    colour = np.empty((header.height, header.width, 3), np.uint8)
    stride = net.config.stride
    for number, (tile, mean, features) in enumerate(codec.previews(net, z, header.tile, header.quality)):
        place = Tile(tile.top * stride, tile.left * stride, tile.height * stride, tile.width * stride)
        target = colour[place.slices]
        size = (1, *target.shape[:2])
        if header.grey:
            mean = np.repeat(mean[..., 1:2], 3, 3)
        if not preview:
            mean = codec.dream(net, mean, features, size, header.grey, header.temperature, (header.seed, number))
        target[:] = mean[0, : size[1], : size[2]]
    return colour
