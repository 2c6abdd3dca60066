"""Pictures that no model takes or does well on: PNG or lossless WebP, whichever is smaller; large ones in bands."""

import struct
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from vlaezip.errors import CorruptFile, ImageError
from vlaezip.format import pixels, tiles
from vlaezip.format.container import BANDS, B, Bytes, read_varint, write_varint
from vlaezip.format.origin import PIL_ERRORS, opened, reason
from vlaezip.format.pixels import STRIP, Picture, Plane

# A lossless WebP stream without metadata: RIFF, size, WEBP, VP8L, size, 0x2f, width - 1 | height - 1 << 14 | flags.
WEBP_HEADER = struct.Struct("<4sI4s4sIBI")
WEBP_MAX_SIDE = 2**14 - 1
WEBP_CARRIER = {"L": "RGB", "LA": "RGBA", "RGB": "RGB", "RGBA": "RGBA"}  # what a mode becomes inside WebP
# Methods of WebP: 6 takes up to ten times as long as 5, mostly for the same bytes; 0 is smallest where all is flat.
FLAT, USUAL, THOROUGH = 0, 5, 6
SEARCHED = 1 << 23  # pixels, up to which PNG and the thorough method are always tried
SPARSE = 1 / 80  # bytes a pixel, below which that method is quick, and finds a little more
GLANCES, GLANCE = (
    4,
    1 << 19,
)  # strips and their pixels in all, on which it is tried first; and what it has to save there
WORTH = 0.997
WHOLE = 3 << 23  # pixels, above which a picture is cut: WebP takes 26 bytes a pixel to write, and 16 to read
BAND = 1 << 23


def pack_alpha(alpha: Plane) -> bytes:
    """[H, W] -> one byte if all samples have that value, else a stored picture of mode L."""
    if all((rows == alpha[0, 0]).all() for rows in np.array_split(alpha, -(-len(alpha) // STRIP))):
        return bytes([alpha[0, 0]])
    return store(Picture("L", alpha[..., None], None))


def unpack_alpha(data: Bytes, height: int, width: int) -> Plane:
    """Inverse of pack_alpha. -> [H, W]. Raises CorruptFile."""
    if len(data) == 1:
        return np.full((height, width), data[0], np.uint8)
    return np.asarray(unstore(data, "L", width, height))


def store(image: Image.Image | Picture) -> bytes:
    """A picture without metadata, as unstore reads it. Raises ImageError.

    Whatever is written is decoded again, and taken only if it comes back identical.
    """
    picture = pixels.split(image, strip=True)
    cuts = bands(picture)
    if len(cuts) == 1:
        return _store(picture)
    parts = [_store(part, cut=True) for part in _cut(picture, cuts)]
    return BANDS + write_varint(len(parts)) + b"".join(write_varint(len(part)) + part for part in parts)


def unstore(data: Bytes, mode: str, width: int, height: int) -> Image.Image:
    """Inverse of store. Raises CorruptFile.

    Mode and size are compared with the header's before any sample is decoded.
    """
    if data[:1] != BANDS:
        return _unstore(data, mode, width, height)
    if mode not in WEBP_CARRIER:
        raise CorruptFile(f"a picture of mode {mode} is stored in bands, only {', '.join(WEBP_CARRIER)} are")
    image = Image.new(mode, (width, height), None)
    for top, rows, part in _read_bands(memoryview(data), height):
        image.paste(_unstore(part, mode, width, rows), (0, top))
    return image


def bands(picture: Picture) -> list[tuple[int, int]]:
    """(top, rows) of the bands of a picture: one, unless it is large and has a mode for WebP."""
    width, height = picture.size
    count = -(-width * height // BAND)
    if width * height <= WHOLE or not _has_webp(picture.mode, width) or count > height:
        return [(0, height)]
    return tiles.cuts(height, count)


def _has_webp(mode: str, side: int) -> bool:
    return mode in WEBP_CARRIER and side <= WEBP_MAX_SIDE


def _cut(picture: Picture, cuts: list[tuple[int, int]]) -> Iterator[Picture]:
    for top, rows in cuts:
        alpha = None if picture.alpha is None else picture.alpha[top : top + rows]
        yield replace(picture, pixels=picture.pixels[top : top + rows], alpha=alpha)


def _read_bands(data: B, height: int) -> Iterator[tuple[int, int, B]]:
    """(top, rows, payload) of each band. Raises CorruptFile."""
    count, offset = read_varint(data, len(BANDS), "number of bands")
    if not 2 <= count <= height:
        raise CorruptFile(f"{height} rows are stored in {count} bands")
    for top, rows in tiles.cuts(height, count):
        length, offset = read_varint(data, offset, "length of a band")
        if length > len(data) - offset:
            raise CorruptFile(f"a band has {length} bytes, there are {len(data) - offset} left")
        yield top, rows, data[offset : offset + length]
        offset += length
    if offset != len(data):
        raise CorruptFile(f"{len(data) - offset} bytes follow the last band")


def _store(picture: Picture, cut: bool = False) -> bytes:
    """The smallest sound form. cut: it is a band of a larger picture."""
    for data in sorted(_candidates(picture, cut), key=len):
        if _same(picture, _opened(data, picture.mode, *picture.size)):
            return data
    raise ImageError(f"mode {picture.mode} comes back changed from PNG and from WebP")


def _candidates(picture: Picture, cut: bool) -> Iterator[bytes]:
    image = pixels.join(picture)
    webp = _has_webp(picture.mode, max(picture.size))
    if not webp or picture.mode == "L" or not _is_large(image, cut):
        _pad_palette(image, picture)
        yield _encode(image, "PNG", optimize=True)
    if webp:
        carrier = WEBP_CARRIER[picture.mode]
        yield from _webps(image if image.mode == carrier else image.convert(carrier), cut)


def _webps(image: Image.Image, cut: bool) -> Iterator[bytes]:
    if not _is_large(image, cut):
        yield _encode_webp(image, THOROUGH)
        return
    yield (flat := _encode_webp(image, FLAT))
    yield (usual := _encode_webp(image, USUAL))
    sparse = len(usual) < SPARSE * image.width * image.height
    if not cut and len(usual) < len(flat) and (sparse or _is_worth_it(_glance(image))):
        yield _encode_webp(image, THOROUGH)


def _glance(image: Image.Image) -> Image.Image:
    """A few strips of a picture, one below the other."""
    rows = max(1, GLANCE // image.width // GLANCES)
    glance = Image.new(image.mode, (image.width, GLANCES * rows))
    for n in range(GLANCES):
        top = (2 * n + 1) * (image.height - rows) // (2 * GLANCES)
        glance.paste(image.crop((0, top, image.width, top + rows)), (0, n * rows))
    return glance


def _is_worth_it(image: Image.Image) -> bool:
    """Whether the thorough method saves what would be noticed."""
    return len(_encode_webp(image, THOROUGH)) < WORTH * len(_encode_webp(image, USUAL))


def _is_large(image: Image.Image, cut: bool) -> bool:
    return cut or image.width * image.height > SEARCHED


def _encode_webp(image: Image.Image, method: int) -> bytes:
    return _encode(image, "WEBP", lossless=True, exact=True, method=method, quality=100)


def _unstore(data: Bytes, mode: str, width: int, height: int) -> Image.Image:
    """A picture, or a band of one, that is not cut."""
    image = _opened(data, mode, width, height)
    plain = image.copy() if image.mode == mode else image.convert(mode)
    plain.info = pixels.transparency(image)
    return plain


def _opened(data: Bytes, mode: str, width: int, height: int) -> Image.Image:
    """The picture as its file has it: of this mode, or the one that carries it. Raises CorruptFile."""
    kind = "PNG" if data[:1] == b"\x89" else "WEBP"
    if kind == "WEBP":
        _check_webp(data, width, height)  # Pillow makes room for the whole canvas when it opens one
    try:
        image = opened(BytesIO(data), kind)
        found, expected = (image.mode, *image.size), (mode, width, height)
        if found != expected and (kind == "PNG" or found[1:] != expected[1:] or mode not in WEBP_CARRIER):
            raise CorruptFile(f"stored {kind} is {found}, the header says {expected}")
        image.load()
    except PIL_ERRORS as error:
        raise CorruptFile(f"stored {kind} cannot be decoded: {reason(error)}") from None
    return image


def _pad_palette(image: Image.Image, picture: Picture) -> None:
    """Have the palette cover all samples; PNG would cut those beyond it."""
    palette = image.getpalette(None) if image.mode == "P" else None
    if palette and image.palette and int(picture.pixels.max()) >= len(palette) // len(image.palette.mode):
        image.putpalette(palette + [0] * (256 * len(image.palette.mode) - len(palette)), image.palette.mode)


def _encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _same(picture: Picture, image: Image.Image) -> bool:
    """Whether a file came back with the picture's samples, and with its colours where a palette tells them."""
    width, height = picture.size
    for top in range(0, height, STRIP):
        rows = picture.rows(top, top + STRIP)
        strip = image.crop((0, top, width, top + len(rows)))
        strip = strip if strip.mode == picture.mode else strip.convert(picture.mode)
        if not np.array_equal(np.asarray(strip).reshape(rows.shape), rows):
            return False
    return picture.mode != "P" or _same_colours(picture, image)


def _same_colours(picture: Picture, image: Image.Image) -> bool:
    """Whether a palette gives each sample that occurs the colour that it had."""
    row = np.flatnonzero(np.bincount(picture.pixels.reshape(-1), minlength=256)).astype(np.uint8)
    before = pixels.join(replace(picture, pixels=row[None, :, None]))
    after = Image.fromarray(row[None])
    after.putpalette(image.getpalette(None) or (), image.im.getpalettemode())
    after.info = pixels.transparency(image)
    return before.convert("RGBA").tobytes() == after.convert("RGBA").tobytes()


def _check_webp(data: Bytes, width: int, height: int) -> None:
    if len(data) < WEBP_HEADER.size:
        raise CorruptFile(f"stored picture needs {WEBP_HEADER.size} bytes, there are {len(data)}")
    riff, _, webp, vp8l, _, mark, sides = WEBP_HEADER.unpack_from(data)
    if (riff, webp, vp8l, mark) != (b"RIFF", b"WEBP", b"VP8L", 0x2F):
        raise CorruptFile(f"stored picture is neither PNG nor lossless WebP: starts with {bytes(data[:16])!r}")
    found = (sides & WEBP_MAX_SIDE) + 1, (sides >> 14 & WEBP_MAX_SIDE) + 1
    if found != (width, height):
        raise CorruptFile(f"stored WEBP has {found} pixels, the header says {width, height}")
