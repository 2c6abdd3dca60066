"""Pictures: PIL images <-> arrays of samples, and the fallback for pictures that no model takes.

Taken: 8 bits a sample, one frame, modes 1, L, LA, P, RGB and RGBA. Metadata is kept as it is, EXIF orientation too.
"""

import struct
import warnings
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from io import BytesIO
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from vlaezip.container import ALPHA_MODES, MAX_PIXELS, MAX_SIDE, MODES, Bytes
from vlaezip.errors import CorruptFile, ImageError
from vlaezip.tiles import Tile

Plane = NDArray[np.uint8]
Part = tuple[Tile, Plane]  # of a picture: the samples of a tile, [h, w, 1 or 3]

# What Pillow and its plugins raise on bytes that they cannot make sense of, or cannot write.
PIL_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, TypeError, KeyError, IndexError, OverflowError, RuntimeError,
    AssertionError, struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip

# Tags of a TIFF that describe the picture and not the file's own layout. Keyed as in EXIF.
TIFF_TAGS = {270, 271, 272, 274, 282, 283, 296, 305, 306, 315, 33432, 34665, 34853}
EXIF_PREFIX = b"Exif\0\0"

# A lossless WebP stream without metadata: RIFF, size, WEBP, VP8L, size, 0x2f, width - 1 | height - 1 << 14 | flags.
WEBP_HEADER = struct.Struct("<4sI4s4sIBI")
WEBP_MAX_SIDE = 2**14 - 1
STRIP = 256  # rows
WEBP_CARRIER = {"L": "RGB", "LA": "RGBA", "RGB": "RGB", "RGBA": "RGBA"}  # what a mode becomes inside WebP

SAVE_OPTIONS: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True, "exact": True}}


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """pixels: [H, W, 3] for RGB and RGBA, else [H, W, 1]; alpha: [H, W] for LA and RGBA, else None.

    The pixels of P and 1 are indices: such a picture is never modelled. palette, of P: mode and colours, as Pillow has
    them. transparency, of P and 1: what Pillow keeps under that name.
    """

    mode: str
    pixels: Plane
    alpha: Plane | None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    palette: tuple[str, bytes] | None = None
    transparency: Any = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width, _ = self.pixels.shape
        return width, height

    def rows(self, start: int, end: int) -> Plane:
        """Samples [end - start, W, C], alpha last."""
        part = self.pixels[start:end]
        return part if self.alpha is None else np.dstack([part, self.alpha[start:end]])


def load(file: bytes | IO[bytes]) -> Image.Image:
    """Open a picture file of any kind that Pillow reads; it may read on when the picture is used. Raises ImageError."""
    try:
        return _open(BytesIO(file) if isinstance(file, bytes) else file)
    except UnidentifiedImageError:
        raise ImageError("not a picture of a kind that can be read") from None
    except PIL_ERRORS as error:
        raise ImageError(f"cannot be read: {_reason(error)}") from None


def save(image: Image.Image, suffix: str) -> bytes:
    """The picture as a file of the kind that the suffix (".png") names, metadata included. Raises ImageError."""
    out = BytesIO()
    save_into(out, image, suffix)
    return out.getvalue()


def save_into(file: IO[bytes], image: Image.Image, suffix: str) -> None:
    """save, to where it is to stand. Raises OSError too, where that has no room."""
    kind = Image.registered_extensions().get(suffix.lower(), "")
    if kind not in Image.SAVE:
        raise ImageError(f"cannot write {suffix or 'a file without suffix'!r}, expected .png or the like")
    icc, exif, xmp = metadata(image)
    exif = exif and EXIF_PREFIX + exif.removeprefix(EXIF_PREFIX)
    options = SAVE_OPTIONS.get(kind, {}) | {"icc_profile": icc, "exif": exif, "xmp": xmp}
    if kind == "PNG" and xmp:
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp)
    try:
        image.save(file, kind, **{key: value for key, value in options.items() if value is not None})
    except PIL_ERRORS as error:
        if isinstance(error, OSError) and error.errno is not None:  # the file's, not Pillow's
            raise
        raise ImageError(f"mode {image.mode} cannot be written as {kind}: {_reason(error)}") from None


def prepare(image: Image.Image) -> Image.Image:
    """Load the picture, one of MODES. Raises ImageError if it is not taken.

    One transparent colour in an L or RGB picture becomes an alpha channel, as it has no place in those modes. Of an
    MPO file (a photograph with its gain map or second view) the first picture is taken.
    """
    try:
        _check(image)
        image.load()
    except PIL_ERRORS as error:
        raise ImageError(f"cannot be read: {_reason(error)}") from None
    if image.mode in ("L", "RGB") and "transparency" in image.info:
        return image.convert(image.mode + "A")
    return image


def split(image: Image.Image | Picture, strip: bool = False) -> Picture:
    """Samples and metadata of a picture, prepared here; strip leaves the metadata out. Raises ImageError.

    A Picture is split already.
    """
    if isinstance(image, Picture):
        return replace(image, icc=None, exif=None, xmp=None) if strip else image
    image = prepare(image)
    samples = samples_of(image)
    meta = metadata(image, strip)
    if image.mode in ALPHA_MODES:
        return Picture(image.mode, samples[..., :-1], samples[..., -1], *meta)
    return Picture(image.mode, samples, None, *meta, _palette(image), _transparency(image).get("transparency"))


def samples_of(image: Image.Image) -> Plane:
    """uint8 [H, W, C]. In strips: of a whole picture at once, Pillow makes two copies."""
    width, height = image.size
    samples = np.empty((height, width, len(image.getbands())), np.uint8)
    for top in range(0, height, STRIP):
        strip = samples[top : top + STRIP]
        strip[:] = np.asarray(image.crop((0, top, width, top + len(strip)))).reshape(strip.shape)
    return samples


def join(picture: Picture) -> Image.Image:
    """Inverse of split. The law: join(split(im)) has the mode, samples, palette and metadata of im."""
    samples = picture.rows(0, len(picture.pixels))
    samples = samples[..., 0] if samples.shape[-1] == 1 else samples
    image = Image.fromarray(np.ascontiguousarray(samples, bool if picture.mode == "1" else np.uint8))
    if picture.palette is not None:
        mode, colours = picture.palette
        image.putpalette(colours, mode)
    if picture.transparency is not None:
        image.info["transparency"] = picture.transparency
    return attach(image, picture.icc, picture.exif, picture.xmp)


def assemble(width: int, height: int, grey: bool, parts: Iterable[Part]) -> Image.Image:
    """A picture of mode L or RGB, from parts that cover it. They wait for the last one, as samples take less room than
    Pillow's picture does, and each is let go once it is drawn.
    """
    waiting = list(parts)
    image = Image.new("L" if grey else "RGB", (width, height), None)
    while waiting:
        tile, samples = waiting.pop()
        x = samples[..., 0] if grey else samples
        image.paste(Image.fromarray(np.ascontiguousarray(x)), (tile.left, tile.top))
    return image


def metadata(image: Image.Image, strip: bool = False) -> tuple[bytes | None, bytes | None, bytes | None]:
    """ICC, EXIF and XMP as Pillow found them; of a TIFF the tags that describe the picture. Raises ImageError."""
    if strip:
        return None, None, None
    info = image.info
    exif = info.get("exif")
    if not exif and (image.format == "TIFF" or "Raw profile type exif" in info):
        exif = _tags(image)
    xmp = info.get("xmp")
    return info.get("icc_profile") or None, exif or None, xmp.encode() if isinstance(xmp, str) else xmp or None


def attach(image: Image.Image, icc: bytes | None, exif: bytes | None, xmp: bytes | None) -> Image.Image:
    """The same picture, given this metadata where Pillow looks for it."""
    found = {"icc_profile": icc, "exif": exif, "xmp": xmp}
    image.info |= {key: value for key, value in found.items() if value is not None}
    return image


def pack_alpha(alpha: Plane) -> bytes:
    """[H, W] -> one byte if all samples have that value, else a stored picture of mode L."""
    if (alpha == alpha[0, 0]).all():
        return bytes([alpha[0, 0]])
    return store(Image.fromarray(np.ascontiguousarray(alpha)))


def unpack_alpha(data: bytes, height: int, width: int) -> Plane:
    """Inverse of pack_alpha. -> [H, W]. Raises CorruptFile."""
    if len(data) == 1:
        return np.full((height, width), data[0], np.uint8)
    return np.asarray(unstore(data, "L", width, height))


def store(image: Image.Image) -> bytes:
    """The smaller of PNG and lossless WebP, without metadata. Raises ImageError.

    The picture is prepared first. Both are decoded again, and taken only if they come back identical.
    """
    image = prepare(image)
    bare = _pad_palette(image)
    bare.info = _transparency(image)
    candidates = [_encode(bare, "PNG", optimize=True)]
    if image.mode in WEBP_CARRIER and max(image.size) <= WEBP_MAX_SIDE:
        carrier = bare.convert(WEBP_CARRIER[image.mode])
        candidates.append(_encode(carrier, "WEBP", lossless=True, exact=True, method=6, quality=100))
    sound = [data for data in candidates if _same(bare, unstore(data, image.mode, *image.size))]
    if not sound:
        raise ImageError(f"mode {image.mode} picture does not survive PNG")
    return min(sound, key=len)


def unstore(
    data: Bytes,
    mode: str,
    width: int,
    height: int,
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
) -> Image.Image:
    """Inverse of store, with metadata attached. Raises CorruptFile.

    Mode and size are compared with the header's before any sample is decoded.
    """
    kind = "PNG" if data[:1] == b"\x89" else "WEBP"
    if kind == "WEBP":
        _check_webp(data, width, height)  # Pillow makes room for the whole canvas when it opens one
    try:
        image = _open(BytesIO(data), kind)
        found, expected = (image.mode, *image.size), (mode, width, height)
        if found != expected and (kind == "PNG" or found[1:] != expected[1:] or mode not in WEBP_CARRIER):
            raise CorruptFile(f"stored {kind} is {found}, the header says {expected}")
        image.load()
    except PIL_ERRORS as error:
        raise CorruptFile(f"stored {kind} cannot be decoded: {_reason(error)}") from None
    plain = image.copy() if image.mode == mode else image.convert(mode)
    plain.info = _transparency(image)
    return attach(plain, icc, exif, xmp)


def _open(file: IO[bytes], *kinds: str) -> Image.Image:
    """Open without Pillow's warning of large pictures, which stands below our own limit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(file, formats=kinds or None)


def _check(image: Image.Image) -> None:
    if image.mode not in MODES:
        raise ImageError(f"mode {image.mode} is not taken, only {', '.join(MODES)} are")
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise ImageError(f"{image.format} with several frames of mode {image.mode} is not taken, only single pictures")
    if _is_deep(image):
        raise ImageError(f"mode {image.mode} with 16 bits a sample is not taken, only 8 bits")
    width, height = image.size
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise ImageError(f"{width} x {height} pixels of mode {image.mode}, expected 1..{MAX_PIXELS}")


def _is_deep(image: Image.Image) -> bool:
    """Whether the file has 16 bits a sample and Pillow would round them silently. Known only before loading."""
    for decoder, _, _, args in getattr(image, "tile", []):
        args = args if isinstance(args, tuple) else (args,)
        if any(isinstance(arg, str) and ";16" in arg for arg in args):
            return True
        if decoder.startswith("ppm") and args[-1] > 255:
            return True
    return False


def _tags(image: Image.Image) -> bytes | None:
    """EXIF of a TIFF, without the tags that describe its layout. Raises ImageError."""
    kept = Image.Exif()
    try:
        kept.load(image.getexif().tobytes())
        for tag in set(kept) - TIFF_TAGS:
            del kept[tag]
        return kept.tobytes() if len(kept) else None
    except PIL_ERRORS as error:
        raise ImageError(f"its EXIF cannot be read, only left out (strip): {_reason(error)}") from None


def _transparency(image: Image.Image) -> dict[str | tuple[int, int], Any]:
    """The part of a palette or 1-bit picture that Pillow keeps in its info."""
    if image.mode in ("1", "P") and "transparency" in image.info:
        return {"transparency": image.info["transparency"]}
    return {}


def _palette(image: Image.Image) -> tuple[str, bytes] | None:
    """Mode and colours of the palette of a picture of mode P."""
    if image.mode != "P":
        return None
    return image.im.getpalettemode(), bytes(image.getpalette(None) or ())


def _pad_palette(image: Image.Image) -> Image.Image:
    """A copy whose palette covers all of its samples; PNG would cut those beyond it."""
    bare = image.copy()
    palette = bare.getpalette(None) if bare.mode == "P" else None
    if palette and bare.palette and int(np.asarray(bare).max()) >= len(palette) // len(bare.palette.mode):
        bare.putpalette(palette + [0] * (256 * len(bare.palette.mode) - len(palette)), bare.palette.mode)
    return bare


def _encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _same(a: Image.Image, b: Image.Image) -> bool:
    if a.mode != b.mode or a.tobytes() != b.tobytes():
        return False
    return a.mode != "P" or a.convert("RGBA").tobytes() == b.convert("RGBA").tobytes()


def _check_webp(data: Bytes, width: int, height: int) -> None:
    if len(data) < WEBP_HEADER.size:
        raise CorruptFile(f"stored picture needs {WEBP_HEADER.size} bytes, there are {len(data)}")
    riff, _, webp, vp8l, _, mark, sides = WEBP_HEADER.unpack_from(data)
    if (riff, webp, vp8l, mark) != (b"RIFF", b"WEBP", b"VP8L", 0x2F):
        raise CorruptFile(f"stored picture is neither PNG nor lossless WebP: starts with {bytes(data[:16])!r}")
    found = (sides & WEBP_MAX_SIDE) + 1, (sides >> 14 & WEBP_MAX_SIDE) + 1
    if found != (width, height):
        raise CorruptFile(f"stored WEBP has {found} pixels, the header says {width, height}")


def _reason(error: Exception) -> str:
    return str(error).split("\n")[0] or type(error).__name__
