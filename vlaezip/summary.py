"""What a file says of itself, without decoding a pixel or importing a net."""

from dataclasses import dataclass

from vlaezip.container import Header, read


@dataclass(frozen=True, slots=True)
class Info:
    """header: kind, mode, size, model, quality, seed, temperature. sizes: bytes of each chunk; total: of the file."""

    header: Header
    sizes: dict[str, int]
    total: int

    @property
    def bits_per_pixel(self) -> float:
        return 8 * self.total / (self.header.width * self.header.height)


def info(data: bytes) -> Info:
    """The header and the sizes of a .vlz file, its checksums verified. Raises FileError."""
    file = read(data)
    parts = {"data": file.data, "alpha": file.alpha, "icc": file.icc, "exif": file.exif, "xmp": file.xmp}
    return Info(file.header, {name: len(part) for name, part in parts.items() if part is not None}, len(data))
