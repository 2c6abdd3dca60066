"""The bytes of a .vlz file: a header and chunks (docs/format.md). Knows nothing of pixels, models or their words.

Everything read is hostile: each number is compared with a limit before it is used.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain
from typing import IO, NamedTuple, TypeVar

from vlaezip.errors import CorruptFile, FileError, UnsupportedVersion
from vlaezip.format import archive_names as names
from vlaezip.format import notes
from vlaezip.format.notes import Notes

Bytes = bytes | memoryview
B = TypeVar("B", bytes, memoryview)

MAGIC = b"VLZ"
VERSION, VERSION_2, VERSION_3 = VERSIONS = 1, 2, 3  # a file has the lowest that knows all that it holds
LEARNED = 0x80  # kind of lossless data that a learner made
BANDS = b"B"  # how a stored picture starts that is cut into several
MODES = ("1", "L", "LA", "P", "RGB", "RGBA")
MODELLED_MODES = ("L", "LA", "RGB", "RGBA")
ARCHIVED_MODES = ("1", "L", "RGB")
ALPHA_MODES = ("LA", "RGBA")
MAX_PIXELS = 100_000_000
MAX_SIDE = 2**24
MAX_COUNT = 2**24
MAX_DRAWS = 64  # of z for each picture of an archive
MAX_ARCHIVED = 2**20  # pixels of each picture of an archive: what memory has room for at once
MIN_TILE_LOG2, MAX_TILE_LOG2 = 6, 13
ARCHIVE_TILE = 1 << MIN_TILE_LOG2  # always: pictures of an archive are not cut
MAX_LANES_LOG2 = 12
MAX_METADATA = 16 * 2**20
MAX_DEFLATED = MAX_METADATA + 2**16  # what does not deflate grows by less
MAX_START = 6  # bytes of a chunk before its payload
LAST = 0x80  # set in the type byte of the last chunk, so that a file cut between two chunks is found out

FILE_START = struct.Struct("<3sBB")  # magic, version, kind | mode << 2
MODEL = struct.Struct("<4sB")  # model, log2(tile) - 6 | log2(lanes) << 4
LOSSY = struct.Struct("<BB")  # quality, temperature
# Of lossless data: CRC-32 of the pixels, and block.Refund of the blocks, plus draws - 1, or LEARNED.
PROLOGUE = struct.Struct("<IB")
CRC = struct.Struct("<I")
MAX_HEADER = FILE_START.size + 5 + 5 + MODEL.size + LOSSY.size + 5


class Kind(IntEnum):
    """What DATA holds: a PNG or WebP stream, the bits-back chain, z alone, or a chain of many pictures."""

    STORED = 0
    LOSSLESS = 1
    LOSSY = 2
    ARCHIVE = 3


MODES_OF = {
    Kind.STORED: MODES,
    Kind.LOSSLESS: MODELLED_MODES,
    Kind.LOSSY: MODELLED_MODES,
    Kind.ARCHIVE: ARCHIVED_MODES,
}


class ChunkType(IntEnum):
    """Types rise within a file; DATA is always there, the others at most once."""

    DATA = 1
    ALPHA = 2
    ICC = 3
    EXIF = 4
    XMP = 5
    TUNING = 6
    NAMES = 7
    NOTES = 8


METADATA = (ChunkType.ICC, ChunkType.EXIF, ChunkType.XMP, ChunkType.NOTES)


class Metadata(NamedTuple):
    """What stands beside the samples of a picture: profile, EXIF, XMP and notes, in the order of METADATA."""

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    notes: Notes | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """What a reader knows before it decodes. The law: a Header that exists is valid; CorruptFile otherwise.

    model: first 4 bytes of the SHA-256 of the integer weights. tile: side of the largest tile. lanes: of the ANS
    coder. quality: level of rounding, from 0. temperature: in 1/64. count: pictures of an archive, all of this size.
    Fields that a kind lacks keep their defaults.
    """

    kind: Kind
    mode: str
    width: int
    height: int
    model: bytes = b""
    tile: int = 1
    lanes: int = 1
    quality: int = 0
    temperature: int = 0
    seed: int = 0
    count: int = 1

    @property
    def grey(self) -> bool:
        """Whether the picture has one colour."""
        return self.mode in ("L", "LA")

    def __post_init__(self) -> None:
        if self.kind not in tuple(Kind):
            raise CorruptFile(f"kind {self.kind} is none of {', '.join(map(str, map(int, Kind)))}")
        modes = MODES_OF[self.kind]
        if self.mode not in modes:
            raise CorruptFile(f"mode {self.mode!r} cannot be {Kind(self.kind).name}, only {', '.join(modes)} can")
        check_size(self.width, self.height)
        if self.kind == Kind.STORED:
            _expect_defaults(model=(self.model, b""), tile=(self.tile, 1), lanes=(self.lanes, 1))
        else:
            _check_model(self)
        if self.kind == Kind.LOSSY:
            _check_range("quality", self.quality, 255)
            _check_range("temperature", self.temperature, 255)
            _check_range("seed", self.seed, 2**32 - 1)
        else:
            _expect_defaults(quality=(self.quality, 0), temperature=(self.temperature, 0), seed=(self.seed, 0))
        if self.kind == Kind.ARCHIVE:
            check_count(self.count, self.width, self.height)
            _expect_defaults(tile=(self.tile, ARCHIVE_TILE), lanes=(self.lanes, 1))
        else:
            _expect_defaults(count=(self.count, 1))


@dataclass(frozen=True, slots=True)
class Container:
    """A whole file. DATA, ALPHA and TUNING are opaque here; metadata and names are plain, and deflated inside the file.
    Of a file that was read, DATA is a view and no copy.

    The law: alpha is there exactly if the mode has alpha and the picture is not STORED, and a tuning only if it is
    LOSSLESS. Names are only in an ARCHIVE, one a picture, distinct and safe; it has no metadata. Notes are sound.
    CorruptFile otherwise.
    """

    header: Header
    data: Bytes
    alpha: bytes | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    tuning: bytes | None = None
    names: tuple[str, ...] | None = None
    notes: Notes | None = None

    @property
    def metadata(self) -> Metadata:
        return Metadata(self.icc, self.exif, self.xmp, self.notes)

    @property
    def version(self) -> int:
        """Of the format: notes and bands are known from 2 on, learners from 3 on."""
        if self.header.kind == Kind.LOSSLESS and is_learned(self.data):
            return VERSION_3
        stored = self.data if self.header.kind == Kind.STORED else self.alpha or b""
        return VERSION_2 if self.notes is not None or _has_bands(stored) else VERSION

    def __post_init__(self) -> None:
        if self.tuning is not None and self.header.kind != Kind.LOSSLESS:
            raise CorruptFile(f"{self.header.kind.name} picture comes with a tuning, only LOSSLESS ones have any")
        wanted = self.header.kind != Kind.STORED and self.header.mode in ALPHA_MODES
        if wanted != (self.alpha is not None):
            found = "without alpha" if wanted else "with alpha"
            raise CorruptFile(f"{self.header.kind.name} picture of mode {self.header.mode} comes {found}")
        if self.header.kind == Kind.ARCHIVE and self.metadata != Metadata():
            raise CorruptFile("ARCHIVE comes with metadata, only single pictures have any")
        if self.names is not None:
            if self.header.kind != Kind.ARCHIVE:
                raise CorruptFile(
                    f"{self.header.kind.name} picture comes with names, only those of an ARCHIVE have any"
                )
            names.checked(self.names, self.header.count)
        if self.notes is not None:
            notes.checked(self.notes)


@dataclass(frozen=True, slots=True)
class Info:
    """What a file tells undecoded: its header, the bytes of each chunk's payload, and of all the file."""

    header: Header
    sizes: dict[str, int]
    total: int

    @property
    def bits_per_pixel(self) -> float:
        """Over all pictures of the file."""
        return 8 * self.total / (self.header.width * self.header.height * self.header.count)


def write(container: Container) -> bytes:
    """The file. The law: read(write(c)) == c. Raises FileError on metadata over 16 MiB."""
    head = write_header(container.header, container.version)
    payloads: dict[ChunkType, Bytes | None] = {
        ChunkType.DATA: container.data,
        ChunkType.ALPHA: container.alpha,
        ChunkType.ICC: _deflate(container.icc),
        ChunkType.EXIF: _deflate(container.exif),
        ChunkType.XMP: _deflate(container.xmp),
        ChunkType.TUNING: container.tuning,
        ChunkType.NAMES: _deflate(None if container.names is None else names.write(container.names)),
        ChunkType.NOTES: _deflate(None if container.notes is None else notes.write(container.notes)),
    }
    there = {kind: payload for kind, payload in payloads.items() if payload is not None}
    last = max(there)
    chunks = (_write_chunk(kind, payload, kind == last, head) for kind, payload in there.items())
    return b"".join([head, *chain.from_iterable(chunks)])


def read(data: bytes) -> Container:
    """Inverse of write. Raises FileError, never anything else."""
    header, views = _opened(data)
    content = views.pop(ChunkType.DATA)
    chunks = {kind: bytes(view) for kind, view in views.items()}
    beside = _read_metadata(chunks)
    alpha, tuning = chunks.get(ChunkType.ALPHA), chunks.get(ChunkType.TUNING)
    titles = _inflate(chunks.get(ChunkType.NAMES))
    told = None if titles is None else names.read(titles, header.count)
    file = Container(header, content, alpha, beside.icc, beside.exif, beside.xmp, tuning, told, beside.notes)
    if data[len(MAGIC)] != file.version:
        raise CorruptFile(f"file has version {data[len(MAGIC)]}, what it holds is of version {file.version}")
    return file


def skim(file: IO[bytes]) -> tuple[Header, Metadata]:
    """Header and metadata of a file that can be sought in; the rest is passed over, and may be damaged or missing.

    Raises FileError where the header is at fault. Metadata that is damaged counts as missing, until the file is read.
    """

    def fetch(start: int, size: int) -> bytes:
        file.seek(start)
        return file.read(min(size, MAX_DEFLATED))

    header, offset = read_header(start := fetch(0, MAX_HEADER))
    chunks: dict[ChunkType, bytes] = {}
    with suppress(CorruptFile):
        chunks.update(_read_chunks(fetch, start[:offset], METADATA))
    with suppress(CorruptFile):
        return header, _read_metadata(chunks)
    return header, Metadata()


def _read_metadata(chunks: dict[ChunkType, bytes]) -> Metadata:
    icc, exif, xmp, told = (_inflate(chunks.get(kind)) for kind in METADATA)
    return Metadata(icc, exif, xmp, None if told is None else notes.read(told))


def info(data: bytes) -> Info:
    """Describe a file without decoding it; every checksum is verified. Raises FileError."""
    header, chunks = _opened(data)
    return Info(header, {kind.name: len(payload) for kind, payload in chunks.items()}, len(data))


def write_header(header: Header, version: int = VERSION) -> bytes:
    """At most MAX_HEADER bytes. The law: read_header(write_header(h)) == (h, length)."""
    parts = [FILE_START.pack(MAGIC, version, header.kind | MODES.index(header.mode) << 2)]
    parts += [write_varint(header.width), write_varint(header.height)]
    if header.kind != Kind.STORED:
        geometry = (header.tile.bit_length() - 1 - MIN_TILE_LOG2) | (header.lanes.bit_length() - 1) << 4
        parts.append(MODEL.pack(header.model, geometry))
    if header.kind == Kind.LOSSY:
        parts += [LOSSY.pack(header.quality, header.temperature), write_varint(header.seed)]
    if header.kind == Kind.ARCHIVE:
        parts.append(write_varint(header.count))
    return b"".join(parts)


def read_header(data: bytes) -> tuple[Header, int]:
    """Inverse of write_header: the header and where it ends. Raises FileError, and TypeError for what is no bytes."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(
            f"a .vlz file is read from its bytes, found {type(data).__name__}: Path(...).read_bytes() has them"
        )
    kind, mode = _read_prologue(data)
    width, offset = read_varint(data, FILE_START.size, "width")
    height, offset = read_varint(data, offset, "height")
    if kind == Kind.STORED:
        return Header(kind, mode, width, height), offset
    model, tile, lanes = _read_model(data, offset)
    offset += MODEL.size
    if kind == Kind.LOSSLESS:
        return Header(kind, mode, width, height, model, tile, lanes), offset
    if kind == Kind.ARCHIVE:
        count, offset = read_varint(data, offset, "count")
        return Header(kind, mode, width, height, model, tile, lanes, count=count), offset
    quality, temperature = LOSSY.unpack(_take(data, offset, LOSSY.size, "lossy settings"))
    seed, offset = read_varint(data, offset + LOSSY.size, "seed")
    return Header(kind, mode, width, height, model, tile, lanes, quality, temperature, seed), offset


def write_varint(value: int) -> bytes:
    """LEB128: seven bits a byte, the lowest first, 0x80 set on all but the last. 0 <= value < 2**35."""
    groups = [value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


def read_varint(data: B, offset: int, name: str) -> tuple[int, int]:
    """Inverse of write_varint: the value and where it ends. Raises CorruptFile unless it is canonical."""
    value = 0
    for i in range(5):
        (byte,) = _take(data, offset + i, 1, name)
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            if byte == 0 and i > 0:
                raise CorruptFile(f"{name} is written in {i + 1} bytes, fewer are enough")
            return value, offset + i + 1
    raise CorruptFile(f"{name} is longer than 5 bytes")


def check_size(width: int, height: int) -> None:
    """Raise CorruptFile unless width x height is a size that a file may have."""
    for name, side in (("width", width), ("height", height)):
        if not 0 < side <= MAX_SIDE:
            raise CorruptFile(f"{name} {side} is outside 1..{MAX_SIDE}")
    if width * height > MAX_PIXELS:
        raise CorruptFile(f"{width} x {height} pixels are more than {MAX_PIXELS}")


def check_count(count: int, width: int, height: int) -> None:
    """Raise CorruptFile unless so many pictures of width x height are what an archive may have."""
    if not 0 < count <= MAX_COUNT:
        raise CorruptFile(f"count {count} is outside 1..{MAX_COUNT}")
    if width * height > MAX_ARCHIVED:
        raise CorruptFile(f"{width} x {height} pixels are more than a picture of an archive has, {MAX_ARCHIVED}")
    if count * width * height > MAX_PIXELS:
        raise CorruptFile(f"{count} pictures of {width} x {height} pixels are more than {MAX_PIXELS}")


def _read_prologue(data: bytes) -> tuple[Kind, str]:
    if data[: len(MAGIC)] != MAGIC:
        raise CorruptFile(f"not a .vlz file: starts with {bytes(data[: len(MAGIC)])!r}, not {MAGIC!r}")
    _, version, what = FILE_START.unpack(_take(data, 0, FILE_START.size, "header"))
    if version not in VERSIONS:
        raise UnsupportedVersion(f"file has version {version}, this reader knows {min(VERSIONS)} to {max(VERSIONS)}")
    kind, mode = what & 3, what >> 2
    if kind >= len(Kind) or mode >= len(MODES):
        raise CorruptFile(f"kind {kind} and mode {mode} are not below {len(Kind)} and {len(MODES)}")
    return Kind(kind), MODES[mode]


def _read_model(data: bytes, offset: int) -> tuple[bytes, int, int]:
    """Model id, side of tiles, lanes."""
    model, geometry = MODEL.unpack(_take(data, offset, MODEL.size, "model"))
    return model, 1 << (geometry & 15) + MIN_TILE_LOG2, 1 << (geometry >> 4)


def _write_chunk(kind: ChunkType, payload: Bytes, last: bool, head: bytes) -> tuple[Bytes, ...]:
    """Pieces of a chunk."""
    start = bytes([kind | LAST * last]) + write_varint(len(payload))
    return start, payload, CRC.pack(_checksum(head, start, payload))


def _opened(data: bytes) -> tuple[Header, dict[ChunkType, memoryview]]:
    """The header of a file, and the payload of each of its chunks, all checked. Raises FileError."""
    header, offset = read_header(data)
    view = memoryview(data)
    chunks = dict(_read_chunks(lambda start, size: view[start : start + size], data[:offset], tuple(ChunkType)))
    return header, chunks


def _read_chunks(
    fetch: Callable[[int, int], B], head: bytes, wanted: Sequence[ChunkType]
) -> Iterator[tuple[ChunkType, B]]:
    """Chunks after the header, those that are wanted: each is checked before it is yielded. Raises CorruptFile.

    fetch: the bytes of the file from an offset, so many or those that are left.
    """
    offset, before, last = len(head), 0, False
    while not last:
        start = fetch(offset, MAX_START)
        (tag,) = _take(start, 0, 1, "chunk")
        kind, last = _next_type(tag & ~LAST, before), bool(tag & LAST)
        length, size = read_varint(start, 1, f"length of {kind.name}")
        offset += size
        if kind in wanted:
            yield kind, _checked(kind, fetch(offset, length + CRC.size), length, head, start[:size])
        before, offset = kind, offset + length + CRC.size
    if fetch(offset, 1):
        raise CorruptFile("bytes follow the last chunk, expected none")


def _checked(kind: ChunkType, rest: B, length: int, head: bytes, start: B) -> B:
    """The payload of a chunk, of it and the checksum behind it."""
    payload = _take(rest, 0, length, kind.name)
    (crc,) = CRC.unpack(_take(rest, length, CRC.size, f"checksum of {kind.name}"))
    found = _checksum(head, start, payload)
    if found != crc:
        raise CorruptFile(f"checksum of {kind.name} is {found:08x}, the file says {crc:08x}")
    return payload


def _next_type(number: int, before: int) -> ChunkType:
    """The type of a chunk, given that of the one before (0 if none)."""
    if before == 0 and number != ChunkType.DATA:
        raise CorruptFile(f"first chunk has type {number}, expected {int(ChunkType.DATA)}")
    if not before < number <= max(ChunkType):
        raise CorruptFile(f"chunk of type {number} after type {before}, expected {before + 1}..{int(max(ChunkType))}")
    return ChunkType(number)


def _checksum(head: Bytes, start: Bytes, payload: Bytes) -> int:
    """CRC-32 of header, type, length and payload: a changed header is found out by every chunk."""
    return zlib.crc32(payload, zlib.crc32(start, zlib.crc32(head)))


def _deflate(plain: bytes | None) -> bytes | None:
    if plain is None:
        return None
    if len(plain) > MAX_METADATA:
        raise FileError(f"metadata of {len(plain)} bytes, at most {MAX_METADATA} are taken")
    return zlib.compress(plain, 9)


def is_learned(data: Bytes) -> bool:
    """Whether lossless data was made by a learner."""
    return len(data) > CRC.size and data[CRC.size] == LEARNED


def _has_bands(stored: Bytes) -> bool:
    return len(stored) > 1 and stored[:1] == BANDS  # one byte alone is a plane of alpha


def _inflate(packed: bytes | None) -> bytes | None:
    """Inverse of _deflate. Never makes more than MAX_METADATA + 1 bytes."""
    if packed is None:
        return None
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(packed, MAX_METADATA + 1)
    except zlib.error as error:
        raise CorruptFile(f"metadata does not inflate: {error}") from None
    if len(plain) > MAX_METADATA:
        raise CorruptFile(f"metadata inflates to more than {MAX_METADATA} bytes")
    if not stream.eof or stream.unused_data:
        raise CorruptFile("metadata is cut short" if not stream.eof else "bytes follow the metadata")
    return plain


def _take(data: B, offset: int, size: int, name: str) -> B:
    """data[offset : offset + size], all of it there."""
    if len(data) - offset < size:
        raise CorruptFile(f"{name} needs {size} bytes, the file has {max(len(data) - offset, 0)} left")
    return data[offset : offset + size]


def _check_model(header: Header) -> None:
    if len(header.model) != 4:
        raise CorruptFile(f"model id has {len(header.model)} bytes, expected 4")
    _check_power("tile", header.tile, MIN_TILE_LOG2, MAX_TILE_LOG2)
    _check_power("lanes", header.lanes, 0, MAX_LANES_LOG2)


def _check_power(name: str, value: int, low: int, high: int) -> None:
    if value not in [1 << n for n in range(low, high + 1)]:
        raise CorruptFile(f"{name} is {value}, expected a power of two in {1 << low}..{1 << high}")


def _check_range(name: str, value: int, high: int) -> None:
    if not 0 <= value <= high:
        raise CorruptFile(f"{name} is {value}, expected 0..{high}")


def _expect_defaults(**fields: tuple[object, object]) -> None:
    for name, (found, default) in fields.items():
        if found != default:
            raise CorruptFile(f"{name} is {found!r} in a picture that has none")
