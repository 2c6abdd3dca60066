"""Notes of a picture: what changes how it looks, or was written into it, beside ICC, EXIF and XMP. By Pillow's names.

Three kinds of value: text (of a PNG, any key), bytes and numbers (keys and forms in BYTES and NUMBERS). In bytes, one
after another: kind, then each field with its length before it.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vlaezip.errors import CorruptFile

Value = str | bytes | tuple[float, ...]

# Of PNG, its chunks as they are; comment: of JPEG, GIF, JPEG 2000; iptc: of a JPEG's Photoshop block.
BYTES: dict[str, int | None] = {"comment": None, "iptc": None, "cICP": 4, "mDCV": 24, "cLLI": 8, "tIME": 7}
# How many, and the largest: where a PNG, which counts in 1/100000 and dots a metre, has room for it.
NUMBERS = {"gamma": (1, 21474), "chromaticity": (8, 21474), "srgb": (1, 3), "dpi": (2, 5e7), "aspect": (2, 2**31 - 1)}
WHOLE = ("srgb", "aspect")
TAKEN = {"exif", "icc_profile", "transparency", "xmp"} | NUMBERS.keys()  # keys that no text may have
MOST, KEY_MOST = 4096, 79  # notes, and characters of a key as in PNG
UNWRITABLE = re.compile("[\0\ud800-\udfff]")
SHOWN = 40  # characters of a key in a message

KIND, LENGTH = struct.Struct("<B"), struct.Struct("<I")
TEXT, INTERNATIONAL, RAW, REAL = range(4)
FIELDS = {TEXT: 2, INTERNATIONAL: 4, RAW: 2, REAL: 2}


class Note(NamedTuple):
    """A value by its key. Of an international text (iTXt), its language and the key in that: "" where not told."""

    key: str
    value: Value
    language: str | None = None
    title: str | None = None


Notes = tuple[Note, ...]


def checked(notes: Iterable[Note]) -> Notes:
    """The notes, if they are 1..MOST sound ones with rising keys. Raises CorruptFile at the first that is not."""
    found: list[Note] = []
    for note in notes:
        if len(found) == MOST:
            raise CorruptFile(f"there are more than {MOST} notes")
        if found and note.key <= found[-1].key:
            raise CorruptFile(f"note {note.key[:SHOWN]!r} does not follow {found[-1].key[:SHOWN]!r}")
        if not is_sound(note):
            raise CorruptFile(f"note {note.key[:SHOWN]!r} has a key or a value that none can have")
        found.append(note)
    if not found:
        raise CorruptFile("notes are there and empty")
    return tuple(found)


def is_sound(note: Note) -> bool:
    """Whether its key may have such a value."""
    if isinstance(note.value, str):
        together = (note.language is None) == (note.title is None)
        return together and _is_key(note.key) and all(map(_is_text, note[1:]))
    if (note.language, note.title) != (None, None):
        return False
    if isinstance(note.value, bytes):
        return note.key in BYTES and BYTES[note.key] in (None, len(note.value))
    count, most = NUMBERS.get(note.key, (0, 0))
    whole = note.key not in WHOLE or all(number == int(number) for number in note.value if 0 <= number <= most)
    return 0 < count == len(note.value) and whole and all(0 <= number <= most for number in note.value)


def _is_key(key: str) -> bool:
    return key not in TAKEN and 0 < len(key) <= KEY_MOST and "\0" not in key and all(ord(c) < 256 for c in key)


def _is_text(text: Value | None) -> bool:
    return text is None or (isinstance(text, str) and not UNWRITABLE.search(text))


def write(notes: Notes) -> bytes:
    """The law: read(write(notes)) == notes, if they are sound."""
    return b"".join(_write_note(note) for note in notes)


def read(data: bytes) -> Notes:
    """Inverse of write. Raises CorruptFile."""
    return checked(_read_notes(data))


def _write_note(note: Note) -> bytes:
    if isinstance(note.value, str):
        told = [text for text in (note.language, note.title) if text is not None]
        kind, fields = (INTERNATIONAL if told else TEXT), [text.encode() for text in (note.value, *told)]
    elif isinstance(note.value, bytes):
        kind, fields = RAW, [note.value]
    else:
        kind, fields = REAL, [struct.pack(f"<{len(note.value)}d", *note.value)]
    parts = [note.key.encode(), *fields]
    return KIND.pack(kind) + b"".join(LENGTH.pack(len(part)) + part for part in parts)


def _read_notes(data: bytes) -> Iterator[Note]:
    offset = 0
    while offset < len(data):
        kind = data[offset]
        if kind not in FIELDS:
            raise CorruptFile(f"a note is of kind {kind}, which is not known")
        offset, parts = offset + KIND.size, []
        for _ in range(FIELDS[kind]):
            part, offset = _read_field(data, offset)
            parts.append(part)
        yield _note(kind, *parts)


def _read_field(data: bytes, offset: int) -> tuple[bytes, int]:
    """A field and where it ends."""
    start = offset + LENGTH.size
    length = LENGTH.unpack(data[offset:start])[0] if start <= len(data) else 0
    if start + length > len(data):
        raise CorruptFile("a note is cut short")
    return data[start : start + length], start + length


def _note(kind: int, key: bytes, value: bytes, *told: bytes) -> Note:
    if kind == RAW:
        return Note(_text(key), value)
    if kind == REAL:
        if len(value) % 8:
            raise CorruptFile(f"numbers of a note take {len(value)} bytes, expected a multiple of 8")
        return Note(_text(key), struct.unpack(f"<{len(value) // 8}d", value))
    return Note(_text(key), _text(value), *map(_text, told))


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise CorruptFile(f"a note is not UTF-8: {error.reason}") from None
