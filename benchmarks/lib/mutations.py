"""Ways to spoil a file. Each takes a random generator, a file and a second file, and gives a spoilt one.

The blind ones change bytes, and mostly end at a checksum. The sealed ones take the file apart, spoil a part and put
it together with lengths and checksums that are right, so that what lies behind them is reached too.
"""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmarks.lib import tunings
from vlaezip.format import container
from vlaezip.format.container import Header, Kind
from vlaezip.model import tuned, weights

Random = np.random.Generator
Mutation = Callable[[Random, bytes, bytes], bytes]

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
TUNING, NAMES = int(container.ChunkType.TUNING), int(container.ChunkType.NAMES)
BOMB = 63 * 2**20  # bytes of zeros, just below what metadata may inflate to


class Parts(NamedTuple):
    """A file taken apart: its header, and type and payload of each chunk."""

    head: bytes
    chunks: list[tuple[int, bytes]]


def take_apart(data: bytes) -> Parts:
    """Inverse of put_together, for valid files."""
    _, offset = container.read_header(data)
    head, chunks = data[:offset], []
    while offset < len(data):
        tag = data[offset]
        length, start = container.read_varint(data, offset + 1, "length")
        chunks.append((tag & ~container.LAST, data[start : start + length]))
        offset = start + length + 4
    return Parts(head, chunks)


def put_together(head: bytes, chunks: list[tuple[int, bytes]]) -> bytes:
    """A file whose lengths and checksums are right, whatever it says."""
    out = head
    for number, (kind, payload) in enumerate(chunks):
        last = container.LAST if number == len(chunks) - 1 else 0
        start = bytes([kind | last]) + container.write_varint(len(payload))
        out += start + payload + struct.pack("<I", zlib.crc32(head + start + payload))
    return out


def some(random: Random, low: int, high: int) -> int:
    """A number in low..high, the small ones more often."""
    return low + int(np.exp(random.uniform(0, np.log(high - low + 1))) + 1e-9) - 1


def noise(random: Random, size: int) -> bytes:
    """Random bytes; now and then all alike."""
    return bytes([random.integers(256)]) * size if random.random() < 0.2 else random.bytes(size)


def truncate(random: Random, data: bytes, _: bytes) -> bytes:
    return data[: random.integers(len(data))]


def flip_bits(random: Random, data: bytes, _: bytes) -> bytes:
    out = bytearray(data)
    for place in random.integers(8 * len(out), size=some(random, 1, 16)) if out else []:
        out[place >> 3] ^= 1 << (place & 7)
    return bytes(out)


def set_bytes(random: Random, data: bytes, _: bytes) -> bytes:
    at = int(random.integers(len(data) + 1))
    patch = noise(random, some(random, 1, 32))
    return data[:at] + patch + data[at + len(patch) :]


def insert(random: Random, data: bytes, _: bytes) -> bytes:
    at = int(random.integers(len(data) + 1))
    return data[:at] + noise(random, some(random, 1, 1000)) + data[at:]


def remove(random: Random, data: bytes, _: bytes) -> bytes:
    at = int(random.integers(len(data) + 1))
    return data[:at] + data[at + some(random, 1, max(len(data), 2)) :]


def repeat(random: Random, data: bytes, _: bytes) -> bytes:
    low, high = sorted(random.integers(len(data) + 1, size=2))
    return data[:high] + data[low:]


def splice(random: Random, data: bytes, other: bytes) -> bytes:
    return data[: random.integers(len(data) + 1)] + other[random.integers(len(other) + 1) :]


def random_bytes(random: Random, data: bytes, _: bytes) -> bytes:
    return noise(random, some(random, 0, 4096))


def random_header(random: Random, data: bytes, _: bytes) -> bytes:
    """The magic, the version, and noise."""
    return data[:4] + noise(random, some(random, 0, 200))


def sealed_header_bytes(random: Random, data: bytes, other: bytes) -> bytes:
    head, chunks = take_apart(data)
    spoil = (flip_bits, set_bytes, insert, remove)[random.integers(4)]
    return put_together(head[:4] + spoil(random, head[4:], other), chunks)


def sealed_header_fields(random: Random, data: bytes, other: bytes) -> bytes:
    """A valid header that lies about one field or all of them: sizes and counts up to the limit, modes, tiles."""
    head, chunks = take_apart(data)
    old = container.read_header(head)[0]
    new = random_fields(random, old.model or container.read_header(other)[0].model or b"none")
    if random.random() < 0.5 and new.kind == old.kind == Kind.ARCHIVE:
        room = container.MAX_PIXELS // (old.width * old.height)
        new = replace(old, count=min(new.count, room)) if random.random() < 0.5 else replace(new, mode=old.mode)
    elif random.random() < 0.5 and new.kind == old.kind:
        new = Header(old.kind, old.mode, new.width, new.height, *fields(old)) if random.random() < 0.5 else new
        new = Header(new.kind, new.mode, old.width, old.height, *fields(new)) if random.random() < 0.3 else new
    return put_together(container.write_header(new), chunks)


def fields(header: Header) -> tuple[bytes, int, int, int, int, int]:
    """What follows the size of a single picture."""
    return header.model, header.tile, header.lanes, header.quality, header.temperature, header.seed


def random_fields(random: Random, model: bytes) -> Header:
    """A header with all fields drawn at random."""
    kind = Kind(int(random.integers(len(Kind))))
    modes = container.MODES_OF[kind]
    mode, width = modes[random.integers(len(modes))], some(random, 1, container.MAX_SIDE)
    height = some(random, 1, min(container.MAX_SIDE, container.MAX_PIXELS // width))
    if kind == Kind.STORED:
        return Header(kind, mode, width, height)
    if kind == Kind.ARCHIVE:
        width = some(random, 1, container.MAX_ARCHIVED)
        height = some(random, 1, container.MAX_ARCHIVED // width)
        count = some(random, 1, min(container.MAX_COUNT, container.MAX_PIXELS // (width * height)))
        return Header(kind, mode, width, height, model, container.ARCHIVE_TILE, count=count)
    tile, lanes = 1 << int(random.integers(6, 14)), 1 << int(random.integers(13))
    if kind == Kind.LOSSLESS:
        return Header(kind, mode, width, height, model, tile, lanes)
    quality, temperature = some(random, 0, 255), int(random.integers(256))
    return Header(kind, mode, width, height, model, tile, lanes, quality, temperature, some(random, 0, 2**32 - 1))


def sealed_payload(random: Random, data: bytes, other: bytes) -> bytes:
    """One chunk's content spoilt blindly."""
    head, chunks = take_apart(data)
    at = int(random.integers(len(chunks)))
    kind, payload = chunks[at]
    spoil = (truncate, flip_bits, set_bytes, insert, remove, repeat, splice, random_bytes)[random.integers(8)]
    chunks[at] = (kind, spoil(random, payload or b"\0", other))
    return put_together(head, chunks)


def sealed_chunks(random: Random, data: bytes, other: bytes) -> bytes:
    """Chunks dropped, doubled, shuffled, renamed, or taken from another file."""
    head, chunks = take_apart(data)
    pool = chunks + take_apart(other).chunks
    picked = [pool[i] for i in random.integers(len(pool), size=some(random, 1, 8))]
    if random.random() < 0.5:
        picked = sorted(dict(picked).items())
    if random.random() < 0.3:
        picked[0] = (int(random.integers(128)), picked[0][1])
    return put_together(head, picked)


def sealed_bomb(random: Random, data: bytes, _: bytes) -> bytes:
    """Metadata that inflates to as much as is allowed, or to more, in one chunk or in three."""
    head, chunks = take_apart(data)
    size = BOMB if random.random() < 0.5 else 4 * BOMB
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(size >> 20)) + packer.flush()
    kinds = (3, 4, 5) if random.random() < 0.5 else (int(random.integers(3, 6)),)
    return put_together(head, [c for c in chunks if c[0] < 3] + [(kind, bomb) for kind in kinds])


def sealed_png(random: Random, data: bytes, _: bytes) -> bytes:
    """A stored picture or an alpha plane, spoilt inside a PNG chunk whose own checksum is right."""
    head, chunks = take_apart(data)
    inner = [i for i, (_, payload) in enumerate(chunks) if payload.startswith(PNG_MAGIC)]
    if not inner:
        return sealed_payload(random, data, data)
    at = inner[random.integers(len(inner))]
    pieces = list(png_chunks(chunks[at][1]))
    which = int(random.integers(len(pieces)))
    name, body = pieces[which]
    pieces[which] = (name, (flip_bits, set_bytes, insert, remove)[random.integers(4)](random, body or b"\0", body))
    if random.random() < 0.1:
        pieces.insert(1, (b"zTXt", b"a\0\0" + zlib.compress(bytes(2**26), 9)))
    chunks[at] = (chunks[at][0], PNG_MAGIC + b"".join(map(png_chunk, pieces)))
    return put_together(head, chunks)


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Name and content of the chunks of a PNG."""
    found, offset = [], len(PNG_MAGIC)
    while offset < len(data):
        (length,) = struct.unpack_from(">I", data, offset)
        found.append((data[offset + 4 : offset + 8], data[offset + 8 : offset + 8 + length]))
        offset += length + 12
    return found


def png_chunk(piece: tuple[bytes, bytes]) -> bytes:
    """Inverse of png_chunks, for one."""
    name, body = piece
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def sealed_foreign(random: Random, data: bytes, _: bytes) -> bytes:
    """A stored picture in another format, another mode, another size, or of many frames."""
    head, chunks = take_apart(data)
    header = container.read_header(data)[0]
    kind = ("PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG", "PPM")[random.integers(7)]
    mode = ("L", "RGB", "1")[random.integers(3)]
    wanted = (header.width, header.height)
    size = wanted if random.random() < 0.7 else (some(random, 1, 3000), some(random, 1, 3000))
    out, frame = io.BytesIO(), Image.new(mode, size, int(random.integers(2)))
    frames = {"save_all": True, "append_images": [frame] * 2} if kind in ("PNG", "WEBP", "GIF", "TIFF") else {}
    frame.convert("RGB" if kind == "WEBP" else mode).save(out, kind, **(frames if random.random() < 0.5 else {}))
    stored = container.write_header(Header(Kind.STORED, mode, *wanted))
    return put_together(stored if random.random() < 0.8 else head, [(1, out.getvalue()), *chunks[1:]])


def sealed_tuning(random: Random, data: bytes, other: bytes) -> bytes:
    """A tuning that is sound and wild, or the file's own one spoilt."""
    head, chunks = take_apart(data)
    old = dict(chunks).get(TUNING) or dict(take_apart(other).chunks).get(TUNING) or bytes(60)
    spoil = (flip_bits, set_bytes, random_bytes)[random.integers(3)]
    payload = wild_tuning(random, bool(random.integers(2))) if random.random() < 0.5 else spoil(random, old, other)
    return put_together(head, [c for c in chunks if c[0] != TUNING] + [(TUNING, payload)])


def wild_tuning(random: Random, grey: bool) -> bytes:
    """Changes of any size in any layer."""
    layers = tuned.tunable(weights.load(weights.find(weights.DEFAULT).path, "lossless"), grey)
    rank, most = int(random.integers(tuned.MAX_RANK + 1)), some(random, 1, tuned.CHANGE_MAX)
    parts = {
        (layer.name, kind): tuned.Change(
            random.integers(-most, most + 1, shape), int(random.integers(tuned.EXPONENT_MAX[kind] + 1))
        )
        for layer in layers
        for kind, shape in tuned.shapes(layer, rank)
        if random.random() < 0.5
    }
    return tunings.write(tuned.Tuning(rank, parts), layers)


def sealed_names(random: Random, data: bytes, _: bytes) -> bytes:
    """Names of any number, length and content, now and then as long as is allowed."""
    head, chunks = take_apart(data)
    count = container.read_header(data)[0].count + int(random.integers(-1, 2) if random.random() < 0.5 else 0)
    alphabet = "ab./\\\0\n字" if random.random() < 0.5 else "abcdefgh"
    text = "\n".join(
        "".join(alphabet[i] for i in random.integers(len(alphabet), size=random.integers(1, 9))) for _ in range(count)
    )
    plain = text.encode() if random.random() < 0.9 else noise(random, some(random, 1, container.MAX_METADATA))
    return put_together(head, [c for c in chunks if c[0] != NAMES] + [(NAMES, zlib.compress(plain))])


BLIND: tuple[Mutation, ...] = (
    truncate, flip_bits, set_bytes, insert, remove, repeat, splice, random_bytes, random_header,
)  # fmt: skip
SEALED: tuple[Mutation, ...] = (
    sealed_header_bytes, sealed_header_fields, sealed_payload, sealed_chunks, sealed_png, sealed_foreign,
    sealed_tuning, sealed_names,
)  # fmt: skip
RARE: tuple[Mutation, ...] = (sealed_bomb,)  # slow by themselves: a hundredth of the others' share
