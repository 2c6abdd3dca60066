"""DATA of a lossless file: tiles, one block each, chained by bits-back on one stack; and the tuning beside it."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from vlaezip.codec import block, learned
from vlaezip.codec.block import Refund
from vlaezip.coding import ans
from vlaezip.errors import CorruptFile
from vlaezip.format.container import LEARNED, MAX_DRAWS, PROLOGUE, Bytes, Header, Kind, is_learned
from vlaezip.format.pixels import Part, Plane
from vlaezip.format.settings import Settings
from vlaezip.format.tiles import Tile, split
from vlaezip.model.vlae import Shape, Vlae


def encode(net: Vlae, header: Header, colour: Any, most: int = block.MAX_WORDS) -> bytes:
    """Tiles, one block each, chained on one stack. colour uint8 [H, W, 3]. Raises block.TooLong after a tile that
    leaves more than `most` words.
    """
    tiles = split(header.height, header.width, header.tile)

    def blocks(_: int) -> Iterable[Any]:
        return (colour[t.slices][None].astype(np.int32) for t in tiles)

    return chain(net, header, blocks, len(tiles) > 1, checksum(colour), most=most)


def encode_learning(net: Vlae, header: Header, colour: Any, settings: Settings, most: int = block.MAX_WORDS) -> bytes:
    """encode, by a model that learns on its way. Raises block.TooLong when there are more than `most` words."""
    return PROLOGUE.pack(checksum(colour), LEARNED) + learned.encode(net, header, colour, settings, most)


def chain(
    net: Vlae,
    header: Header,
    blocks: Callable[[int], Iterable[Any]],
    several: bool,
    crc: int,
    draws: int = 1,
    most: int = block.MAX_WORDS,
) -> bytes:
    """Prologue and message of blocks, which each call gives anew, for so many draws; chained where they can be."""

    def push(refund: Refund, draws: int) -> bytes:
        message = ans.empty(header.lanes)
        words = ans.write(block.push_blocks(net, message, blocks(draws), header.grey, refund, draws, most))
        return PROLOGUE.pack(crc, refund + draws - 1) + words

    for tried in sorted({draws, 1}, reverse=True) if several else ():
        with suppress(CorruptFile):  # a block was so cheap that the next had too few bits to take
            return push(Refund.WHITE, tried)
    return push(Refund.NONE, 1)


class Opened(NamedTuple):
    """Checksum of the pixels, the blocks' refund, draws of z for each block, and the message."""

    crc: int
    refund: Refund
    draws: int
    message: ans.Message


def open_data(header: Header, data: Bytes) -> Opened:
    """Lossless data, looked through. Raises CorruptFile."""
    if len(data) < PROLOGUE.size:
        raise CorruptFile(f"lossless data has {len(data)} bytes, its prologue alone {PROLOGUE.size}")
    crc, kind = PROLOGUE.unpack_from(data)
    draws = max(1, kind + 1 - Refund.WHITE)
    if draws > (MAX_DRAWS if header.kind is Kind.ARCHIVE else 1):
        raise CorruptFile(f"the chain is of kind {kind}, which is not known")
    return Opened(crc, Refund(kind - draws + 1), draws, ans.read(memoryview(data)[PROLOGUE.size :], header.lanes))


def checksum(colour: Any) -> int:
    """CRC-32 of the samples, row by row: an array, or any pieces of it."""
    crc = 0
    for row in colour:
        crc = zlib.crc32(row.tobytes(), crc)
    return crc


def check_sum(colour: Any, expected: int) -> None:
    """Raise CorruptFile unless the samples have this checksum."""
    if (found := checksum(colour)) != expected:
        raise CorruptFile(f"the pixels have CRC {found:08x}, the file says {expected:08x}")


def decode(net: Vlae, header: Header, data: Bytes) -> Iterator[Part]:
    """Inverse of encode: the samples of its tiles, once all are known to be right; each is let go when the next is
    asked for. Raises CorruptFile.
    """
    if is_learned(data):
        crc, _ = PROLOGUE.unpack_from(data)
        parts = [(t, narrow(x[0], header)) for t, x in learned.decode(net, header, memoryview(data)[PROLOGUE.size :])]
        parts.reverse()
    else:
        tiles = split(header.height, header.width, header.tile)
        crc, blocks = opened_blocks(net, header, data, [tile_shape(t) for t in tiles])
        parts = [(t, narrow(x[0], header)) for t, x in zip(reversed(tiles), blocks, strict=True)]
    check_sum(rows(reversed(parts)), crc)
    while parts:
        yield parts.pop()


def opened_blocks(net: Vlae, header: Header, data: Bytes, shapes: list[Shape]) -> tuple[int, Iterator[Any]]:
    """Checksum and blocks, the last first. The blocks alone hold the message, which gets shorter with each."""
    crc, refund, _, message = open_data(header, data)
    return crc, block.pop_blocks(net, message, shapes, header.grey, refund)


def narrow(x: Any, header: Header) -> Plane:
    """Samples to be kept, uint8 [h, w, 1 or 3], of those of the nets, [h, w, 3]."""
    kept: Plane = x[..., : 1 if header.grey else 3].astype(np.uint8)
    return kept


def wide(x: Plane) -> Any:
    """Inverse of narrow: a block of the nets, int32 [1, h, w, 3]."""
    return np.broadcast_to(x, (1, *x.shape[:2], 3)).astype(np.int32)


def rows(parts: Iterable[Part]) -> Iterator[Plane]:
    """Rows of a picture, uint8 [W, 3], from its tiles, row by row."""
    for _, band in groupby(parts, lambda part: part[0].top):
        x = np.concatenate([x for _, x in band], axis=1)
        yield from np.broadcast_to(x, (*x.shape[:2], 3))


def preview(net: Vlae, header: Header, data: Bytes) -> Iterator[Part]:
    """The preview of a lossless file. Where z comes first it is enough; of chained tiles all is decoded."""
    tiles = split(header.height, header.width, header.tile)
    if is_learned(data):
        latents: Iterable[tuple[Tile, Any]] = learned.latents(net, header, memoryview(data)[PROLOGUE.size :])
    elif len(tiles) == 1:
        message = open_data(header, data).message
        z = block.prior_codec(net, tile_shape(tiles[0]), block.FIRST_LEVEL).pop(message)[1]
        latents = [(tiles[0], z)]
    else:
        latents = ((tile, block.first_latent(net, wide(x))) for tile, x in decode(net, header, data))
    for tile, z in latents:
        yield tile, narrow(net.preview(z)[0][0, : tile.height, : tile.width], header)


def tile_shape(tile: Tile) -> Shape:
    return 1, tile.height, tile.width
