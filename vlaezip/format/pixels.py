"""Pictures: PIL images <-> arrays of samples and what stands beside them.

Taken: 8 bits a sample, one frame, modes 1, L, LA, P, RGB and RGBA. Metadata is kept as it is, EXIF orientation too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from io import BytesIO
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from vlaezip.errors import ImageError
from vlaezip.format import metadata, origin
from vlaezip.format.container import ALPHA_MODES, MAX_PIXELS, MAX_SIDE, MODES, Metadata
from vlaezip.format.notes import Notes
from vlaezip.format.origin import PIL_ERRORS, opened, reason
from vlaezip.format.tiles import Tile

Plane = NDArray[np.uint8]
Part = tuple[Tile, Plane]  # of a picture: the samples of a tile, [h, w, 1 or 3]

STRIP = 256  # rows

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
    notes: Notes | None = None
    palette: tuple[str, bytes] | None = None
    transparency: Any = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width, _ = self.pixels.shape
        return width, height

    @property
    def metadata(self) -> Metadata:
        return Metadata(self.icc, self.exif, self.xmp, self.notes)

    def rows(self, start: int, end: int) -> Plane:
        """Samples [end - start, W, C], alpha last."""
        part = self.pixels[start:end]
        return part if self.alpha is None else np.dstack([part, self.alpha[start:end]])


def load(file: bytes | IO[bytes]) -> Image.Image:
    """Open a picture file of any kind that Pillow reads; it may read on when the picture is used. Raises ImageError."""
    try:
        return opened(BytesIO(file) if isinstance(file, bytes) else file)
    except UnidentifiedImageError:
        raise ImageError("not a picture of a kind that can be read") from None
    except PIL_ERRORS as error:
        raise ImageError(f"cannot be read: {reason(error)}") from None


def save(image: Image.Image, suffix: str) -> bytes:
    """The picture as a file of the kind that the suffix (".png") names, metadata included. Raises ImageError."""
    out = BytesIO()
    save_into(out, image, suffix)
    return out.getvalue()


def save_into(file: IO[bytes], image: Image.Image, suffix: str) -> None:
    """save, to where it is to stand. Raises OSError too, where that has no room. Warns of metadata that the kind of
    file has no place for.
    """
    kind = Image.registered_extensions().get(suffix.lower(), "")
    if kind not in Image.SAVE:
        raise ImageError(f"cannot write {suffix or 'a file without suffix'!r}, expected .png or the like")
    found, lost = metadata.gathered(image)
    try:
        options, more = metadata.save_options(found, kind)
        image.save(file, kind, **SAVE_OPTIONS.get(kind, {}), **options)
    except PIL_ERRORS as error:
        if isinstance(error, OSError) and error.errno is not None:  # the file's, not Pillow's
            raise
        raise ImageError(f"mode {image.mode} cannot be written as {kind}: {reason(error)}") from None
    metadata.warn(lost + more, f"the {suffix} file")


def prepare(image: Image.Image) -> Image.Image:
    """Load the picture, one of MODES. Raises ImageError if it is not taken.

    One transparent colour in an L or RGB picture becomes an alpha channel, as it has no place in those modes. Of an
    MPO file (a photograph with its gain map or second view) the first picture is taken.
    """
    try:
        _check(image)
        image.load()
    except PIL_ERRORS as error:
        raise ImageError(f"cannot be read: {reason(error)}") from None
    if image.mode in ("L", "RGB") and "transparency" in image.info:
        return image.convert(image.mode + "A")
    return image


def split(image: Image.Image | Picture, strip: bool = False) -> Picture:
    """Samples and metadata of a picture, prepared here; strip leaves the metadata out. Raises ImageError, and TypeError
    for what is no picture. Warns of metadata that is not kept.

    A Picture is split already.
    """
    if isinstance(image, Picture):
        return replace(image, icc=None, exif=None, xmp=None, notes=None) if strip else image
    check_picture(image)
    beside, lost = ({}, []) if strip else passed_over(image)
    image = prepare(image)
    found, more = (Metadata(), []) if strip else metadata.gathered(image, beside)
    metadata.warn(lost + more, "the .vlz file")
    samples = samples_of(image)
    if image.mode in ALPHA_MODES:
        return Picture(image.mode, samples[..., :-1], samples[..., -1], *found)
    return Picture(image.mode, samples, None, *found, _palette(image), transparency(image).get("transparency"))


def check_picture(thing: Any) -> None:
    """Raise TypeError, which says what would be taken, unless it is a picture."""
    if not isinstance(thing, Image.Image | Picture):
        how = "Image.fromarray makes one" if hasattr(thing, "__array_interface__") else "Image.open makes one of a file"
        raise TypeError(f"a picture is a PIL.Image.Image, found {type(thing).__name__}: {how}")


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
    return metadata.attach(image, picture.metadata)


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


def passed_over(image: Image.Image) -> tuple[dict[str, bytes], list[str]]:
    """origin.passed_over. Raises ImageError."""
    try:
        return origin.passed_over(image)
    except PIL_ERRORS as error:
        raise ImageError(f"cannot be read: {reason(error)}") from None


def _check(image: Image.Image) -> None:
    if image.mode not in MODES:
        raise ImageError(f"mode {image.mode} is not taken, only {', '.join(MODES)} are")
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise ImageError(f"{image.format} with several frames of mode {image.mode} is not taken, only single pictures")
    if origin.is_deep(image):
        raise ImageError(f"mode {image.mode} with 16 bits a sample (or any more than 8) is not taken, only 8 bits")
    width, height = image.size
    if max(width, height) > MAX_SIDE:
        raise ImageError(f"a side of {max(width, height)} pixels, at most {MAX_SIDE} are taken")
    if not 0 < width * height <= MAX_PIXELS:
        raise ImageError(f"{width} x {height} pixels of mode {image.mode}, expected 1..{MAX_PIXELS}")


def transparency(image: Image.Image) -> dict[str | tuple[int, int], Any]:
    """The part of a palette or 1-bit picture that Pillow keeps in its info."""
    if image.mode in ("1", "P") and "transparency" in image.info:
        return {"transparency": image.info["transparency"]}
    return {}


def _palette(image: Image.Image) -> tuple[str, bytes] | None:
    """Mode and colours of the palette of a picture of mode P."""
    if image.mode != "P":
        return None
    return image.im.getpalettemode(), bytes(image.getpalette(None) or ())
