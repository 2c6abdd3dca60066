"""The whole path on one page: a picture in, the bytes of a .vlz out, and back."""

import math
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

from vlaezip import codec, pixels, weights
from vlaezip.coding import ans
from vlaezip.container import MODELLED_MODES, Container, Header, Kind, read, write
from vlaezip.errors import CorruptFile, ImageError, ModelError
from vlaezip.limits import least_bits
from vlaezip.pixels import Picture
from vlaezip.tiles import Tile, split
from vlaezip.vlae import Vlae

TILE = 1024
PLACES_PER_LANE = 1 << 14
MAX_LANES = 1 << 12
DEFAULT_QUALITY = 3
DEFAULT_TEMPERATURE = 0.88
TEMPERATURE_ONE = 64
PROLOGUE = struct.Struct("<IB")  # lossless data: CRC-32 of the pixels, whether blocks are chained by bits-back
STRIP = 32
SMALL = 1 << 12  # guesses below are bad guesses
SCREEN = 0.35  # what deflates below this share is no photograph: long repeats, of which PNG and WebP make more
SURELY_SMALLER = {True: 0.25, False: 0.7}  # of a fast deflate's size, for screens and others: no stored form can win


def compress(
    image: Image.Image,
    *,
    lossless: bool = False,
    quality: int | None = None,
    seed: int = 0,
    temperature: float | None = None,
    device: str = "auto",
    strip: bool = False,
    model: str = weights.DEFAULT,
) -> bytes:
    """A picture as the bytes of a .vlz file. Deterministic.

    lossless: the same pixels come back; otherwise z alone is kept, at quality 1 (small) .. the model's levels, and the
    decoder dreams the texture with this seed and temperature (a scale on the widths of p(x|z)). Alpha is always kept
    exactly; ICC, EXIF and XMP too unless strip. Raises ImageError for pictures that are not taken.
    """
    image = pixels.prepare(image)
    width, height = image.size
    meta = pixels.metadata(image, strip)
    stored = Header(Kind.STORED, image.mode, width, height, b"", 1, 1, 0, 0, 0)
    if image.mode not in MODELLED_MODES:
        return write(Container(stored, pixels.store(image), None, *meta))
    picture = pixels.split(image)
    info = weights.find(model)
    colour = np.broadcast_to(picture.pixels, (height, width, 3))
    if lossless:
        net = weights.load(info.path, "lossless", choose(device))
        header = Header(
            Kind.LOSSLESS, picture.mode, width, height, bytes.fromhex(info.id), TILE, lanes(width * height), 0, 0, 0
        )
        data = encode_lossless(net, header, colour)
    else:
        net = weights.load(info.path, "lossy", choose(device))
        level = check_quality(quality, net)
        warmth = check_temperature(temperature)
        header = Header(Kind.LOSSY, picture.mode, width, height, bytes.fromhex(info.id), TILE, 1, level, warmth, seed)
        data = encode_lossy(net, header, colour)
    alpha = None if picture.alpha is None else pixels.pack_alpha(picture.alpha)
    size = len(data) + len(alpha or b"")
    flat = 8 * len(data) < least_bits(header, net.config.stride, net.config.latent)
    if (flat or may_be_smaller(image, size)) and (len(kept := pixels.store(image)) < size or flat):
        return write(Container(stored, kept, None, *meta))
    return write(Container(header, data, alpha, *meta))


def decompress(data: bytes, *, preview: bool = False, device: str = "auto") -> Image.Image:
    """The picture of a .vlz file. preview: the mean picture of z, quick. Raises FileError and ModelError, no other."""
    file = read(data)
    header = file.header
    if header.kind is Kind.STORED:
        image = pixels.unstore(file.data, header.mode, header.width, header.height)
        return pixels.attach(image, file.icc, file.exif, file.xmp)
    info = weights.find(header.model)
    if header.kind is Kind.LOSSLESS:
        net = weights.load(info.path, "lossless", choose(device))
        check_size(net, header, file.data)
        colour = (preview_lossless if preview else decode_lossless)(net, header, file.data)
    else:
        net = weights.load(info.path, "lossy", choose(device))
        check_size(net, header, file.data)
        colour = decode_lossy(net, header, file.data, preview)
    planes = colour[..., :1] if grey(header) else colour
    alpha = None if file.alpha is None else pixels.unpack_alpha(file.alpha, header.height, header.width)
    return pixels.join(Picture(header.mode, planes, alpha, file.icc, file.exif, file.xmp))


def grey(header: Header) -> bool:
    return header.mode in ("L", "LA")


def choose(device: str) -> str:
    """auto is the CPU: a step of the wavefront is too small for a GPU to pay."""
    if device in ("auto", "cpu"):
        return "cpu"
    import torch

    if device != "cuda" or not torch.cuda.is_available():
        raise ModelError(
            f"device {device} is not there; auto and cpu are" + (", and cuda" if torch.cuda.is_available() else "")
        )
    return device


def lanes(places: int) -> int:
    """A power of two that grows with the work, at about 36 bits a lane."""
    return min(1 << max((places // PLACES_PER_LANE).bit_length() - 1, 0), MAX_LANES)


def check_quality(quality: int | None, net: Vlae) -> int:
    """The rounding level of a quality; raises ImageError outside the model's range."""
    levels = len(net.rounding)
    quality = DEFAULT_QUALITY if quality is None else quality
    if not 1 <= quality <= levels:
        raise ImageError(f"quality {quality} is outside 1..{levels}")
    return quality - 1


def check_temperature(temperature: float | None) -> int:
    value = DEFAULT_TEMPERATURE if temperature is None else temperature
    if not (math.isfinite(value) and 1 / TEMPERATURE_ONE <= value <= 2):
        raise ImageError(f"temperature {value} is outside {1 / TEMPERATURE_ONE}..2")
    return round(value * TEMPERATURE_ONE)


def may_be_smaller(image: Image.Image, size: int) -> bool:
    """Whether a stored picture might have fewer bytes than `size`; trying takes seconds."""
    guess = deflated(image)
    screen = guess < SCREEN * len(image.getbands()) * image.width * image.height
    return guess < SMALL or size > SURELY_SMALLER[screen] * guess


def deflated(image: Image.Image) -> float:
    """A guess at what PNG needs, from a fast deflate of every fourth strip of rows."""
    raw = np.asarray(image)
    strips = [raw[top : top + STRIP] for top in range(0, len(raw), 4 * STRIP)]
    across = [np.diff(s, axis=1, prepend=0) for s in strips]
    share = sum(len(s) for s in strips) / len(raw)
    return min(sum(len(zlib.compress(s.tobytes(), 1)) for s in kind) for kind in (strips, across)) / share


def tile_shape(tile: Tile) -> tuple[int, int, int]:
    return 1, tile.height, tile.width


def cut(colour: Any, tile: Tile) -> Any:
    """A view of the tile's pixels."""
    return colour[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]


def encode_lossless(net: Vlae, header: Header, colour: Any) -> bytes:
    """Tiles, one block each, chained on one stack. colour uint8 [H, W, 3]."""
    tiles = split(header.height, header.width, header.tile)

    def push(refund: bool) -> ans.Message:
        blocks = (cut(colour, t)[None].astype(np.int32) for t in tiles)
        return codec.push_blocks(net, ans.empty(header.lanes), blocks, grey(header), refund)

    refund = len(tiles) > 1
    try:
        message = push(refund)
    except CorruptFile:  # a block was so cheap that the next had no bits to take back
        refund = False
        message = push(refund)
    return PROLOGUE.pack(checksum(colour), refund) + ans.write(message)


def open_lossless(header: Header, data: bytes) -> tuple[int, bool, ans.Message]:
    """Checksum, refund and message of lossless data."""
    if len(data) < PROLOGUE.size:
        raise CorruptFile(f"lossless data has {len(data)} bytes, its prologue alone {PROLOGUE.size}")
    expected, refund = PROLOGUE.unpack_from(data)
    if refund > 1:
        raise CorruptFile(f"the flag of the chain is {refund}, not 0 or 1")
    return expected, bool(refund), ans.read(data[PROLOGUE.size :], header.lanes)


def checksum(colour: Any) -> int:
    """CRC-32 of the samples, row by row."""
    crc = 0
    for row in colour:
        crc = zlib.crc32(row.tobytes(), crc)
    return crc


def check_size(net: Vlae, header: Header, data: bytes) -> None:
    """Refuse pictures that these bytes cannot hold, before anything is allocated. Raises CorruptFile."""
    least = least_bits(header, net.config.stride, net.config.latent)
    if 8 * len(data) < least:
        raise CorruptFile(
            f"{len(data)} bytes cannot hold {header.width} x {header.height} pixels, {least / 8:.0f} might"
        )


def decode_lossless(net: Vlae, header: Header, data: bytes) -> Any:
    """Inverse of encode_lossless: uint8 [H, W, 3]. Raises CorruptFile."""
    expected, refund, message = open_lossless(header, data)
    tiles = split(header.height, header.width, header.tile)
    colour = np.empty((header.height, header.width, 3), np.uint8)
    shapes = [tile_shape(t) for t in tiles]
    for tile, x in zip(reversed(tiles), codec.pop_blocks(net, message, shapes, grey(header), refund), strict=True):
        cut(colour, tile)[:] = x[0]
    if (found := checksum(colour)) != expected:
        raise CorruptFile(f"the pixels have CRC {found:08x}, the file says {expected:08x}")
    return colour


def preview_lossless(net: Vlae, header: Header, data: bytes) -> Any:
    """The preview of a lossless file. Of a single tile z is enough, and comes first; of several all is decoded."""
    tiles = split(header.height, header.width, header.tile)
    result = np.empty((header.height, header.width, 3), np.uint8)
    if len(tiles) == 1:
        message = open_lossless(header, data)[2]
        latents = [codec.prior_codec(net, tile_shape(tiles[0]), codec.FIRST_LEVEL).pop(message)[1]]
    else:
        colour = decode_lossless(net, header, data)
        latents = [codec.first_latent(net, cut(colour, t)[None].astype(np.int32)) for t in tiles]
    for tile, z in zip(tiles, latents, strict=True):
        cut(result, tile)[:] = net.preview(z)[0][0, : tile.height, : tile.width]
    return result


def encode_lossy(net: Vlae, header: Header, colour: Any) -> bytes:
    """z of the whole picture, rounded, under its prior."""
    z = codec.rounded_latent(net, colour, header.quality, header.tile)
    shape = (1, header.height, header.width)
    return ans.write(codec.prior_codec(net, shape, header.quality).push(ans.empty(header.lanes), z))


def decode_lossy(net: Vlae, header: Header, data: bytes, preview: bool) -> Any:
    """The preview or the dream of a lossy file: uint8 [H, W, 3]. Raises CorruptFile."""
    if header.quality >= len(net.rounding):
        raise CorruptFile(f"quality level {header.quality}, the model has {len(net.rounding)}")
    shape = (1, header.height, header.width)
    message, z = codec.prior_codec(net, shape, header.quality).pop(ans.read(data, header.lanes))
    codec.finish(message)
    colour = np.empty((header.height, header.width, 3), np.uint8)
    stride = net.config.stride
    for number, (tile, mean, features) in enumerate(codec.previews(net, z, header.tile)):
        place = Tile(tile.top * stride, tile.left * stride, tile.height * stride, tile.width * stride)
        target = cut(colour, place)
        size = (1, *target.shape[:2])
        if grey(header):
            mean = np.repeat(mean[..., 1:2], 3, 3)
        if not preview:
            mean = codec.dream(net, mean, features, size, grey(header), header.temperature, (header.seed, number))
        target[:] = mean[0, : size[1], : size[2]]
    return colour
