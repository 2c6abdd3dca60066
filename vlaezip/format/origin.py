"""The file that a picture came from: what Pillow rounds, or passes over, without a word."""

import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from PIL import Image

# What Pillow and its plugins raise on bytes that they cannot make sense of, or cannot write.
PIL_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, TypeError, KeyError, IndexError, OverflowError, RuntimeError,
    AssertionError, struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip
HEAD = 1 << 20  # bytes in which a header is looked for
BITS_PER_SAMPLE = 258  # tag of a TIFF
DEEP_RAW = re.compile(r"^(?!BGR).*;16|^BC6H")  # of Pillow's raw modes; BGR;16 has 16 bits a pixel
SIZ = re.compile(rb"\xff\x4f\xff\x51.{38}", re.DOTALL)  # of JPEG 2000, up to the depths of its components
AV1C = re.compile(rb"av1C\x81.(.)", re.DOTALL)  # of AVIF: two bits tell of 10 and 12 bits
NCLX = re.compile(rb"colrnclx(.{4})", re.DOTALL)  # of AVIF: primaries and transfer as in a PNG's cICP
USUAL_COLOURS = (1, 2), (1, 2, 13)  # primaries and transfer: BT.709 or not told, and with sRGB's curve

KEPT_CHUNKS = (b"cICP", b"mDCV", b"cLLI", b"tIME")
# Of a PNG: told by Pillow, or of the file's own layout.
KNOWN_CHUNKS = set(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP pHYs tEXt zTXt iTXt eXIf acTL fcTL fdAT sBIT hIST iDOT vpAg".split()
)
# Of a JPEG: how the segments start that Pillow tells of, or that are of the file's own layout.
KNOWN_SEGMENTS = (
    b"JFIF\0", b"JFXX\0", b"Exif\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0", b"MPF\0", b"FPXR\0", b"Ducky",
    b"Photoshop 3.0\0", b"Adobe",
)  # fmt: skip


def opened(file: Any, *kinds: str) -> Image.Image:
    """Open without Pillow's warning of large pictures, which stands below our own limit. Raises PIL_ERRORS."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(file, formats=kinds or None)


def reason(error: Exception) -> str:
    return str(error).split("\n")[0] or type(error).__name__


@contextmanager
def unloaded(image: Image.Image) -> Iterator[Image.Image]:
    """A picture as its file opens: itself or, once it is loaded and has let its file go, that file opened anew, by its
    name. Itself too where there is no such file any more.
    """
    name = getattr(image, "filename", "")
    if not name or image.format is None or getattr(image, "fp", None) is not None:
        yield image
        return
    try:
        again = opened(name, image.format)
    except PIL_ERRORS:
        yield image
        return
    with again:
        yield again if again.size == image.size else image


def is_deep(image: Image.Image) -> bool:
    """Whether the file has more than 8 bits a sample, which Pillow rounds. Of a loaded picture: if it has a name."""
    with unloaded(image) as image:
        tags = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, ())
        return _deep_tiles(image) or max(tags, default=8) > 8 or _deep_head(image)


def _deep_tiles(image: Image.Image) -> bool:
    for decoder, _, _, args in getattr(image, "tile", []):
        args = args if isinstance(args, tuple) else (args,)
        if decoder == "SGI16" or any(isinstance(arg, str) and DEEP_RAW.search(arg) for arg in args):
            return True
        if decoder.startswith("ppm") and args[-1] > 255:
            return True
    return False


def _deep_head(image: Image.Image) -> bool:
    if image.format == "JPEG2000" and (siz := SIZ.search(head := _head(image))):
        count = head[siz.end() - 1]
        return any((depth & 0x7F) + 1 > 8 for depth in head[siz.end() :][: 3 * count : 3])
    return image.format == "AVIF" and any(flags[0] & 0x60 for flags in AV1C.findall(_head(image)))


def passed_over(image: Image.Image) -> tuple[dict[str, bytes], list[str]]:
    """What Pillow does not tell of the file: chunks to be kept, by name, and names of what is lost."""
    with unloaded(image) as image:
        kept: dict[str, bytes] = {}
        lost: list[str] = []
        if image.format == "PNG":
            kept, lost = _png_chunks(image)
        elif image.format == "AVIF" and (colours := NCLX.search(_head(image))):
            primaries, transfer = struct.unpack(">HH", colours[1])
            if primaries not in USUAL_COLOURS[0] or transfer not in USUAL_COLOURS[1]:
                kept = {"cICP": bytes([primaries & 255, transfer & 255, 0, 1])}
        return kept, lost + _lost_segments(image)


def _png_chunks(image: Image.Image) -> tuple[dict[str, bytes], list[str]]:
    kept: dict[str, bytes] = {}
    lost: dict[str, None] = {}
    with _rewound(image) as file:
        for name, body in [] if file is None else _chunks(file):
            if name in KEPT_CHUNKS:
                kept[name.decode()] = body
            elif name not in KNOWN_CHUNKS:
                lost[name.decode("latin-1")] = None
    return kept, list(lost)


def _chunks(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Names of a PNG's chunks, and the first bytes of each; as far as they go."""
    file.seek(8)
    while len(start := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", start)
        body = file.read(min(length, 64))
        yield name, body
        file.seek(length - len(body) + 4, 1)


def _lost_segments(image: Image.Image) -> list[str]:
    """Of a JPEG, what is not in image.info."""
    found = getattr(image, "applist", [])
    strange = [(name, body) for name, body in found if name != "COM" and not body.startswith(KNOWN_SEGMENTS)]
    lost = [f"{name} {body[:32].split(bytes(1))[0].decode('latin-1')!r}" for name, body in strange]
    if sum(name == "COM" for name, _ in found) > 1:
        lost.append("all comments but the last")
    if image.format == "MPO":
        lost.append("the other pictures of the file (a second view, or a gain map)")
    return lost


def _head(image: Image.Image) -> bytes:
    with _rewound(image) as file:
        return b"" if file is None else file.read(HEAD)


@contextmanager
def _rewound(image: Image.Image) -> Iterator[IO[bytes] | None]:
    """The picture's file from its start, if it is open; left where it was."""
    file: IO[bytes] | None = getattr(image, "fp", None)
    if file is None or file.closed:
        yield None
        return
    place = file.tell()
    file.seek(0)
    try:
        yield file
    finally:
        file.seek(place)
