"""Pillow reads and writes .vlz files once this module is imported.

Opening reads the header and the metadata; samples come with load(), and only then are the nets imported.
"""

from dataclasses import replace
from io import BytesIO
from typing import IO, Any

from PIL import Image, ImageFile

from vlaezip import container, metadata
from vlaezip.container import Metadata
from vlaezip.errors import CorruptFile, VlaezipError
from vlaezip.options import Options

FORMAT, SUFFIX, MIME = "VLZ", ".vlz", "image/vlz"
# Of Image.save, for api.compress:
OPTIONS = ("lossless", "quality", "seed", "temperature", "device", "strip", "model", "effort")
PLAIN = {"icc_profile": "icc", "exif": "exif", "xmp": "xmp"}  # options of Image.save, and what they are to us
NOTES = ("dpi", "comment")


class VlzImageFile(ImageFile.ImageFile):
    """A .vlz file. Its header is in info["vlz"]."""

    format = FORMAT
    format_description = "Variational lossy autoencoder"

    def _open(self) -> None:
        """Raises SyntaxError on bytes that may be another format's, OSError on a .vlz file of another version."""
        assert self.fp is not None
        try:
            header, beside = container.skim(self.fp)
        except CorruptFile as error:
            raise SyntaxError(str(error)) from error
        except VlaezipError as error:
            raise OSError(str(error)) from error
        if header.kind is container.Kind.ARCHIVE:
            raise OSError(f"an archive of {header.count} pictures: vlaezip.decompress_archive reads it")
        self._size = header.width, header.height
        self._mode = header.mode
        metadata.attach(self, beside)
        self.info["vlz"] = header

    def load(self) -> Any:
        """Decode, once. Raises OSError."""
        if self._im is None:
            self._become(self._decode())
        return Image.Image.load(self)

    def verify(self) -> None:
        """Check every checksum of the file; to be used, it must be opened anew, as for Pillow's own. Raises OSError."""
        data = self._whole()
        try:
            container.read(data)
        except VlaezipError as error:
            raise OSError(str(error)) from error
        finally:
            super().verify()

    def _whole(self) -> bytes:
        """All bytes of the file. Raises OSError once it is closed."""
        if self.fp is None or self.fp.closed:
            raise OSError("the file is closed: open it anew")
        self.fp.seek(0)
        return self.fp.read()

    def _decode(self) -> Image.Image:
        from vlaezip import api

        try:
            return api.decompress(self._whole())
        except VlaezipError as error:
            raise OSError(str(error)) from error

    def _become(self, image: Image.Image) -> None:
        self.im, self.palette = image.im, image.palette
        self.info |= {key: value for key, value in image.info.items() if key not in self.info}
        if self._exclusive_fp and self.fp is not None:
            self.fp.close()
        self.fp = None


def accept(prefix: bytes) -> bool:
    return prefix.startswith(container.MAGIC)


def save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """For Image.save: OPTIONS as in api.compress; icc_profile, exif, xmp, dpi, comment and pnginfo as Pillow's own
    formats take them, in place of the picture's own: None for none. Raises OSError, and OptionError.
    """
    from vlaezip import api, pixels

    given = image.encoderinfo
    options = Options(**{key: given[key] for key in OPTIONS if key in given})
    try:
        picture = pixels.split(image, given.get("strip", False))
        picture = replace(picture, **changes(picture.metadata, given))
        file.write(api.encode(picture, options))
    except VlaezipError as error:
        raise OSError(str(error)) from error


def changes(found: Metadata, given: dict[str, Any]) -> dict[str, Any]:
    """Fields of a Picture that what is given to Image.save changes."""
    told = written(given["pnginfo"]) if given.get("pnginfo") else Metadata()
    changed = {field: value for field, value in told._asdict().items() if value is not None}
    changed |= {field: plain(given[key]) for key, field in PLAIN.items() if key in given}
    described = {key: plain(given[key]) if key == "comment" else given[key] for key in NOTES if key in given}
    notes, lost = metadata.noted(described)
    metadata.warn(lost, "the .vlz file")
    kept = {note.key: note for some in (found.notes, told.notes) for note in some or () if note.key not in described}
    kept |= {note.key: note for note in notes}
    return changed | {"notes": tuple(kept[key] for key in sorted(kept)) or None}


def plain(value: Any) -> bytes | None:
    """Bytes of what Pillow's formats take as such."""
    if isinstance(value, Image.Exif):
        return value.tobytes() if len(value) else None
    return (value.encode() if isinstance(value, str) else value) or None


def written(pnginfo: Any) -> Metadata:
    """What a PNG tells that was written with this."""
    from vlaezip import pixels

    file = BytesIO()
    Image.new("L", (1, 1)).save(file, "PNG", pnginfo=pnginfo)
    return pixels.split(Image.open(file)).metadata


Image.register_open(FORMAT, VlzImageFile, accept)
Image.register_save(FORMAT, save)
Image.register_extension(FORMAT, SUFFIX)
Image.register_mime(FORMAT, MIME)
