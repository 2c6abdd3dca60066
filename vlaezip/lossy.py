"""DATA of a lossy file: z of the whole picture, rounded, under its prior. The pixels are dreamed."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from vlaezip import codec
from vlaezip.coding import ans
from vlaezip.container import Bytes, Header
from vlaezip.errors import CorruptFile
from vlaezip.pixels import Part
from vlaezip.progress import Progress, unheard
from vlaezip.tiles import Tile
from vlaezip.vlae import Vlae

ITERATIONS = (0, 2, 4, 7, 10, 15, 25, 40, 60, 100)  # of refine, by effort


def encode(net: Vlae, header: Header, colour: Any, effort: int, progress: Progress = unheard) -> bytes:
    """z of the whole picture, rounded, under its prior. colour uint8 [H, W, 3]."""
    z = codec.rounded_latent(net, colour, header.quality, header.tile)
    if effort:
        from vlaezip.refine import refine  # torch takes a second to import

        z = refine(net, colour, z, header.quality, ITERATIONS[effort], header.tile, progress)
    shape = (1, header.height, header.width)
    return ans.write(codec.prior_codec(net, shape, header.quality).push(ans.empty(header.lanes), z))


def decode(net: Vlae, header: Header, data: Bytes, preview: bool) -> Iterator[Part]:
    """The preview or the dream of a lossy file, tile by tile. Raises CorruptFile."""
    if header.quality >= len(net.rounding):
        raise CorruptFile(f"quality level {header.quality}, the model has {len(net.rounding)}")
    shape = (1, header.height, header.width)
    message, z = codec.prior_codec(net, shape, header.quality).pop(ans.read(data, header.lanes))
    codec.finish(message)
    for number, (tile, mean, features) in enumerate(codec.previews(net, z, header.tile, header.quality)):
        place = inside(tile, net.config.stride, header)
        if header.grey:
            mean = np.repeat(mean[..., 1:2], 3, 3)
        if not preview:
            size, key = (1, place.height, place.width), (header.seed, number)
            mean = codec.dream(net, mean, features, size, header.grey, header.temperature, key)
        yield place, mean[0, : place.height, : place.width, : 1 if header.grey else 3].astype(np.uint8)


def inside(tile: Tile, stride: int, header: Header) -> Tile:
    """What a tile of z covers of the picture, in pixels."""
    top, left = tile.top * stride, tile.left * stride
    return Tile(
        top, left, min(tile.height * stride, header.height - top), min(tile.width * stride, header.width - left)
    )
