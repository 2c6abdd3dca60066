"""Pillow reads and writes .vlz files once this module is imported.

Opening reads the header alone; samples and metadata come with load(), and only then are the nets imported.
"""

from typing import IO, Any

from PIL import Image, ImageFile

from vlaezip import container
from vlaezip.errors import CorruptFile, VlaezipError

FORMAT, SUFFIX, MIME = "VLZ", ".vlz", "image/vlz"
# Of Image.save, for api.compress:
OPTIONS = ("lossless", "quality", "seed", "temperature", "device", "strip", "model", "effort")
METADATA = ("icc_profile", "exif", "xmp")


class VlzImageFile(ImageFile.ImageFile):
    """A .vlz file. Its header is in info["vlz"]."""

    format = FORMAT
    format_description = "Variational lossy autoencoder"

    def _open(self) -> None:
        """Raises SyntaxError on bytes that may be another format's, OSError on a .vlz file of another version."""
        assert self.fp is not None
        try:
            header, _ = container.read_header(self.fp.read(container.MAX_HEADER))
        except CorruptFile as error:
            raise SyntaxError(str(error)) from error
        except VlaezipError as error:
            raise OSError(str(error)) from error
        if header.kind is container.Kind.ARCHIVE:
            raise OSError(f"an archive of {header.count} pictures: vlaezip.decompress_archive reads it")
        self._size = header.width, header.height
        self._mode = header.mode
        self.info["vlz"] = header

    def load(self) -> Any:
        """Decode, once. Raises OSError."""
        if self._im is None:
            self._become(self._decode())
        return Image.Image.load(self)

    def _decode(self) -> Image.Image:
        from vlaezip import api

        assert self.fp is not None
        self.fp.seek(0)
        try:
            return api.decompress(self.fp.read())
        except VlaezipError as error:
            raise OSError(str(error)) from error

    def _become(self, image: Image.Image) -> None:
        self.im, self.palette = image.im, image.palette
        self.info |= image.info
        if self._exclusive_fp and self.fp is not None:
            self.fp.close()
        self.fp = None


def accept(prefix: bytes) -> bool:
    return prefix.startswith(container.MAGIC)


def save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """For Image.save: OPTIONS as in api.compress, METADATA in place of the picture's own. Raises OSError."""
    from vlaezip import api

    given = image.encoderinfo
    if any(key in given for key in METADATA):
        image = image.copy()
        image.info |= {key: given[key] for key in METADATA if key in given}
    try:
        file.write(api.compress(image, **{key: given[key] for key in OPTIONS if key in given}))
    except VlaezipError as error:
        raise OSError(str(error)) from error


Image.register_open(FORMAT, VlzImageFile, accept)
Image.register_save(FORMAT, save)
Image.register_extension(FORMAT, SUFFIX)
Image.register_mime(FORMAT, MIME)
