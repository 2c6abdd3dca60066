"""What stands beside the samples: from the pictures of PIL, to them, and into the files that Pillow writes."""

import math
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from PIL import Image, TiffTags
from PIL.PngImagePlugin import PngInfo, iTXt

from vlaezip.errors import ImageError, MetadataWarning
from vlaezip.format import notes
from vlaezip.format.container import Metadata
from vlaezip.format.notes import Note
from vlaezip.format.origin import PIL_ERRORS, reason

EXIF_PREFIX = b"Exif\0\0"
IPTC = 0x0404  # of the resources of Photoshop
XMP_TAG = 700  # of TIFF

# Tags of a TIFF that describe the picture. Keyed as in EXIF.
TIFF_TAGS = {
    269, 270, 271, 272, 274, 282, 283, 285, 296, 301, 305, 306, 315, 316, 318, 319, 33432, 34665, 34853,
}  # fmt: skip
# Of the file's own layout, or kept elsewhere: XMP, ICC, and JPEG's tables.
TIFF_LAYOUT = {
    254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291, 292,
    293, 297, 317, 320, 321, 322, 323, 324, 325, 330, 332, 333, 334, 338, 339, 340, 341, 347, 512, 513, 514, 515, 517,
    518, 519, 520, 521, 529, 530, 531, 532, 700, 34665, 34675, 40965,
}  # fmt: skip

# Keys of image.info that describe the file and not the picture, or that have a place of their own.
COVERED = {"exif", "icc_profile", "xmp", "transparency", "XML:com.adobe.xmp", "Raw profile type exif", "vlz"}
LAYOUT = {
    "adobe", "adobe_transform", "background", "bbox", "blend", "bpp", "compression", "default_image", "disposal",
    "duration", "extension", "filename", "flashpix", "interlace", "jfif", "jfif_density", "jfif_unit", "jfif_version",
    "loop", "mp", "mpoffset", "offset", "orientation", "progression", "progressive", "resolution", "scale", "sizes",
    "timestamp", "version",
}  # fmt: skip

# What Pillow writes into a file of each kind. Text: of any key; a comment is a text of PNG.
WRITTEN = {
    "PNG": {"ICC", "EXIF", "XMP", "gamma", "chromaticity", "srgb", "dpi", "cICP", "tIME", "comment", "text"},
    "JPEG": {"ICC", "EXIF", "XMP", "dpi", "comment", "iptc"},
    "WEBP": {"ICC", "EXIF", "XMP"},
    "AVIF": {"ICC", "EXIF", "XMP"},
    "TIFF": {"ICC", "EXIF", "XMP", "dpi"},
    "BMP": {"dpi"},
    "GIF": {"comment"},
    "JPEG2000": {"comment"},
}
PLAIN = ("ICC", "EXIF", "XMP")
JPEG_SEGMENT = 65400  # bytes, beside the names that some have before them
JPEG_DENSITY = 65535


def gathered(image: Image.Image, beside: Mapping[str, bytes] | None = None) -> tuple[Metadata, list[str]]:
    """Metadata of a loaded picture and of what Pillow passed over, and names of what is not kept. Raises ImageError."""
    info = image.info
    exif: bytes | None = info.get("exif")
    lost: list[str] = []
    if not exif and (image.format == "TIFF" or "Raw profile type exif" in info):
        exif, lost = _tags(image)
    xmp = info.get("xmp")
    found, more = noted(_described(image) | dict(beside or {}))
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    return Metadata(info.get("icc_profile") or None, exif or None, xmp or None, found or None), lost + more


def names(metadata: Metadata) -> list[str]:
    """What there is, in words."""
    plain = [name for name, data in zip(PLAIN, metadata[:3], strict=True) if data is not None]
    return plain + [_name(note) for note in metadata.notes or ()]


def warn(what: Iterable[str], where: str) -> None:
    """Warn of what is left out, if it is anything."""
    if told := ", ".join(dict.fromkeys(what)):
        warnings.warn(f"not kept in {where}: {told}", MetadataWarning, stacklevel=3)


def attach(image: Image.Image, metadata: Metadata) -> Image.Image:
    """The same picture, given this metadata where Pillow looks for it."""
    found = dict(zip(("icc_profile", "exif", "xmp"), metadata[:3], strict=True))
    image.info |= {key: value for key, value in found.items() if value is not None}
    image.info |= dict(_entry(note) for note in metadata.notes or ())
    return image


def save_options(metadata: Metadata, kind: str) -> tuple[dict[str, Any], list[str]]:
    """Options of Image.save for a kind of file, and names of what it has no room for."""
    icc, exif, xmp = (
        data if data is not None and _fits(name, data, kind) else None
        for name, data in zip(PLAIN, metadata[:3], strict=True)
    )
    told = [note for note in metadata.notes or () if _fits(_kind(note), note.value, kind)]
    if kind == "PNG" and icc is not None:  # it wins over srgb, and the two are not written together
        told = [note for note in told if note.key != "srgb"]
    written = Metadata(icc, exif, xmp, tuple(told))
    return _options(written, kind), [name for name in names(metadata) if name not in names(written)]


def _options(metadata: Metadata, kind: str) -> dict[str, Any]:
    exif = metadata.exif and EXIF_PREFIX + metadata.exif.removeprefix(EXIF_PREFIX)
    found = {"icc_profile": metadata.icc, "exif": exif, "xmp": metadata.xmp}
    given: dict[str, Any] = {key: value for key, value in found.items() if value is not None}
    told = {note.key: note for note in metadata.notes or ()}
    if "dpi" in told:
        given["dpi"] = told["dpi"].value
    if kind == "TIFF" and metadata.xmp is not None:
        given["exif"] = _with_xmp(exif, given.pop("xmp"))
    if kind == "PNG":
        given["pnginfo"] = _png_info(metadata)
    elif "comment" in WRITTEN.get(kind, ()):
        given["comment"] = told["comment"].value if "comment" in told else None  # not what is in image.info
    if "iptc" in told:
        given["extra"] = _photoshop(told["iptc"].value)
    return given


def _with_xmp(exif: bytes | None, xmp: bytes) -> Image.Exif:
    """Tags of a TIFF."""
    tags = Image.Exif()
    tags.load(exif or b"")
    tags[XMP_TAG] = xmp
    return tags


def noted(described: Mapping[Any, Any]) -> tuple[notes.Notes, list[str]]:
    """Notes of values by Pillow's keys, sorted, and names of those that none can be made of. None is nothing."""
    found: dict[str, Note] = {}
    lost = []
    for key, value in described.items():
        note = _note(key, value)
        if note is not None and notes.is_sound(note) and len(found) < notes.MOST:
            found[note.key] = note
        elif value is not None:
            lost.append(str(key))
    return tuple(found[key] for key in sorted(found)), lost


def _described(image: Image.Image) -> dict[Any, Any]:
    """What image.info says of the picture."""
    info = {key: value for key, value in image.info.items() if key not in COVERED and not _is_layout(key, value)}
    if image.info.get("jfif_unit") == 0 and len(set(image.info.get("jfif_density", ()))) == 2:
        info["aspect"] = image.info["jfif_density"]
    if "dpi" in info and not _has_dpi(image):
        del info["dpi"]
    if "photoshop" in info:
        resources = info.pop("photoshop")
        info |= {"iptc": resources[IPTC]} if isinstance(resources, dict) and IPTC in resources else {}
    return info


def _is_layout(key: Any, value: Any) -> bool:
    """Whether it describes the file; of a PNG, text may have any key."""
    return key in LAYOUT and (not isinstance(value, str) or key == "compression")


def _has_dpi(image: Image.Image) -> bool:
    """Whether the file tells it: of a JPEG without JFIF, Pillow takes it from EXIF or makes it up; of a TIFF too."""
    if image.format in ("JPEG", "MPO"):
        return image.info.get("jfif_unit") in (1, 2) and any(image.info["dpi"])
    if image.format == "TIFF":
        return 282 in getattr(image, "tag_v2", ())
    return any(image.info["dpi"]) if isinstance(image.info["dpi"], tuple) else True


def _note(key: Any, value: Any) -> Note | None:
    if not isinstance(key, str):
        return None
    if isinstance(value, iTXt):
        return Note(key, str(value), _told(value.lang), _told(value.tkey))
    if isinstance(value, str | bytes):
        return Note(key, value)
    try:
        numbers = tuple(map(float, value if isinstance(value, tuple | list) else (value,)))
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return Note(key, numbers) if all(map(math.isfinite, numbers)) else None


def _told(text: str | bytes | None) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text or ""


def _entry(note: Note) -> tuple[str, Any]:
    """A note as image.info has it."""
    if isinstance(note.value, str):
        told = note.language is not None
        return note.key, iTXt(note.value, note.language, note.title) if told else note.value
    if note.key == "iptc":
        return "photoshop", {IPTC: note.value}
    if isinstance(note.value, bytes):
        return note.key, note.value
    numbers = tuple(int(number) for number in note.value) if note.key in notes.WHOLE else note.value
    return note.key, numbers if len(numbers) > 1 else numbers[0]


def _kind(note: Note) -> str:
    return "text" if isinstance(note.value, str) else note.key


def _name(note: Note) -> str:
    return f"text {note.key!r}" if isinstance(note.value, str) else note.key


def _fits(name: str, value: notes.Value, kind: str) -> bool:
    """Whether a file of this kind has room for it."""
    if name not in WRITTEN.get(kind, ()):
        return False
    if kind != "JPEG" or name == "ICC":
        return True
    return max(map(float, value)) <= JPEG_DENSITY if isinstance(value, tuple) else len(value) <= JPEG_SEGMENT


def _png_info(metadata: Metadata) -> PngInfo:
    info = PngInfo()
    if metadata.xmp is not None:
        info.add_itxt("XML:com.adobe.xmp", metadata.xmp)
    for note in metadata.notes or ():
        _add(info, note)
    return info


def _add(info: PngInfo, note: Note) -> None:
    """A note as a chunk; the density is an option of its own."""
    if isinstance(note.value, str):
        info.add_text(note.key, _entry(note)[1])
    elif note.key == "comment":
        info.add_text("Comment", _readable(note.value))
    elif isinstance(note.value, bytes):
        info.add(note.key.encode(), note.value)
    elif note.key == "srgb":
        info.add(b"sRGB", bytes([int(note.value[0])]))
    elif note.key != "dpi":
        name = {"gamma": b"gAMA", "chromaticity": b"cHRM"}[note.key]
        info.add(name, b"".join(round(number * 100000).to_bytes(4, "big") for number in note.value))


def _readable(comment: Any) -> str:
    """A comment as text: UTF-8, or what any bytes are."""
    try:
        text = str(comment, "utf-8")
    except UnicodeDecodeError:
        text = str(comment, "latin-1")
    return text.replace("\0", "")


def _photoshop(iptc: Any) -> bytes:
    """A segment of a JPEG that holds IPTC alone."""
    resource = b"8BIM" + IPTC.to_bytes(2, "big") + bytes(2) + len(iptc).to_bytes(4, "big") + iptc + bytes(len(iptc) % 2)
    body: bytes = b"Photoshop 3.0\0" + resource
    return b"\xff\xed" + (len(body) + 2).to_bytes(2, "big") + body


def _tags(image: Image.Image) -> tuple[bytes | None, list[str]]:
    """EXIF of a TIFF, without the tags of its layout, and names of the others that it leaves out. Raises ImageError."""
    kept = Image.Exif()
    try:
        kept.load(image.getexif().tobytes())
        others = set(kept) - TIFF_TAGS
        for tag in others:
            del kept[tag]
        lost = [f"tag {tag} ({TiffTags.lookup(tag).name})" for tag in sorted(others - TIFF_LAYOUT)]
        return kept.tobytes() if len(kept) else None, lost
    except PIL_ERRORS as error:
        raise ImageError(f"its EXIF cannot be read, only left out (strip): {reason(error)}") from None
