"""DATA of a lossless file: tiles, one block each, chained by bits-back on one stack; and the tuning beside it."""

import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from vlaezip import codec, coupled, tuned
from vlaezip.codec import Refund
from vlaezip.coding import ans
from vlaezip.container import Header, Kind
from vlaezip.errors import CorruptFile
from vlaezip.limits import least_bits
from vlaezip.tiles import Tile, split
from vlaezip.vlae import Vlae

PROLOGUE = struct.Struct("<IB")  # CRC-32 of the pixels, kind of the chain: codec.Refund of the blocks, plus draws - 1
CHUNK_MAX = 10  # bytes of a chunk beside its payload: type, length, checksum


def encode(net: Vlae, header: Header, colour: Any) -> bytes:
    """Tiles, one block each, chained on one stack. colour uint8 [H, W, 3]."""
    tiles = split(header.height, header.width, header.tile)

    def blocks(_: int) -> Iterable[Any]:
        return (colour[t.slices][None].astype(np.int32) for t in tiles)

    return chain(net, header, blocks, len(tiles) > 1, checksum(colour))


def encode_many(net: Vlae, header: Header, colours: Any) -> list[bytes]:
    """encode of every picture, at once on the device of the net. colours uint8 [B, H, W, 3]."""
    from vlaezip.device import batch

    tiles = split(header.height, header.width, header.tile)
    refund = Refund.WHITE if len(tiles) > 1 else Refund.NONE
    blocks = (np.array(colours[:, *t.slices]) for t in tiles)
    try:
        messages = batch.push_blocks(net, [ans.empty(header.lanes)] * len(colours), blocks, header.grey, refund)
    except CorruptFile:  # see chain; which of the pictures it was does not matter
        return [encode(net, header, colour) for colour in colours]
    return [PROLOGUE.pack(checksum(c), refund) + ans.write(m) for c, m in zip(colours, messages, strict=True)]


def chain(
    net: Vlae, header: Header, blocks: Callable[[int], Iterable[Any]], several: bool, crc: int, draws: int = 1
) -> bytes:
    """Prologue and message of blocks, which each call gives anew, for so many draws; chained where they can be."""

    def push(refund: Refund, draws: int) -> bytes:
        message = codec.push_blocks(net, ans.empty(header.lanes), blocks(draws), header.grey, refund, draws)
        return PROLOGUE.pack(crc, refund + draws - 1) + ans.write(message)

    for tried in sorted({draws, 1}, reverse=True) if several else ():
        with suppress(CorruptFile):  # a block was so cheap that the next had too few bits to take
            return push(Refund.WHITE, tried)
    return push(Refund.NONE, 1)


def fit(net: Vlae, header: Header, colour: Any, data: bytes, effort: int) -> tuple[bytes, bytes | None]:
    """Spend effort: smaller data and the tuning that it needs, or the data as it was where nothing is gained."""
    from vlaezip import tune  # torch takes a second to import

    tiles = split(header.height, header.width, header.tile)
    blocks = (colour[t.slices][None].astype(np.int32) for t in tiles)
    tuning = tune.search(net, blocks, header.width * header.height, header.grey, effort)
    if tuning is None:
        return data, None
    smaller = encode(tuned.read_into(net, tuning, header.grey), header, colour)
    if len(smaller) + len(tuning) + CHUNK_MAX >= len(data):
        return data, None
    if 8 * len(smaller) < least_bits(header, net.config.stride, net.config.latent):
        return data, None
    return smaller, tuning


class Opened(NamedTuple):
    """Checksum of the pixels, the blocks' refund, draws of z for each block, and the message."""

    crc: int
    refund: Refund
    draws: int
    message: ans.Message


def open_data(header: Header, data: bytes) -> Opened:
    """Lossless data, looked through. Raises CorruptFile."""
    if len(data) < PROLOGUE.size:
        raise CorruptFile(f"lossless data has {len(data)} bytes, its prologue alone {PROLOGUE.size}")
    crc, kind = PROLOGUE.unpack_from(data)
    draws = max(1, kind + 1 - Refund.WHITE)
    if draws > (coupled.MOST if header.kind is Kind.ARCHIVE else 1):
        raise CorruptFile(f"the chain is of kind {kind}, which is not known")
    return Opened(crc, Refund(kind - draws + 1), draws, ans.read(data[PROLOGUE.size :], header.lanes))


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


def decode(net: Vlae, header: Header, data: bytes) -> Any:
    """Inverse of encode: uint8 [H, W, 3]. Raises CorruptFile."""
    crc, refund, _, message = open_data(header, data)
    tiles = split(header.height, header.width, header.tile)
    colour = np.empty((header.height, header.width, 3), np.uint8)
    shapes = [tile_shape(t) for t in tiles]
    for tile, x in zip(reversed(tiles), codec.pop_blocks(net, message, shapes, header.grey, refund), strict=True):
        colour[tile.slices] = x[0]
    check_sum(colour, crc)
    return colour


def decode_many(net: Vlae, header: Header, files: Sequence[bytes]) -> Any:
    """decode of the data of many files that share header and prologue's refund, at once: uint8 [B, H, W, 3]."""
    from vlaezip.device import batch

    opened = [open_data(header, data) for data in files]
    tiles = split(header.height, header.width, header.tile)
    colours = np.empty((len(files), header.height, header.width, 3), np.uint8)
    shapes = [(len(files), t.height, t.width) for t in tiles]
    decoded = batch.pop_blocks(net, [o.message for o in opened], shapes, header.grey, opened[0].refund)
    for tile, x in zip(reversed(tiles), decoded, strict=True):
        colours[:, *tile.slices] = x
    for colour, (crc, *_) in zip(colours, opened, strict=True):
        check_sum(colour, crc)
    return colours


def preview(net: Vlae, header: Header, data: bytes) -> Any:
    """The preview of a lossless file. Of a single tile z is enough, and comes first; of several all is decoded."""
    tiles = split(header.height, header.width, header.tile)
    result = np.empty((header.height, header.width, 3), np.uint8)
    if len(tiles) == 1:
        message = open_data(header, data).message
        latents = [codec.prior_codec(net, tile_shape(tiles[0]), codec.FIRST_LEVEL).pop(message)[1]]
    else:
        colour = decode(net, header, data)
        latents = [codec.first_latent(net, colour[t.slices][None].astype(np.int32)) for t in tiles]
    for tile, z in zip(tiles, latents, strict=True):
        result[tile.slices] = net.preview(z)[0][0, : tile.height, : tile.width]
    return result


def tile_shape(tile: Tile) -> tuple[int, int, int]:
    return 1, tile.height, tile.width
