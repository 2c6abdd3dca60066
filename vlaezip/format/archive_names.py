"""Names of the pictures of an archive: those of files, without suffix. In bytes: UTF-8, one a line."""

import re
from collections.abc import Iterable
from io import BytesIO

from vlaezip.errors import CorruptFile

UNSAFE = re.compile("[/\\\\\0\n\ud800-\udfff]")  # would leave the folder, or cannot be written
SHOWN = 60  # characters of a name in a message


def numbered(count: int) -> tuple[str, ...]:
    """What pictures without names are called: 0 .. count - 1, all as wide as the last."""
    width = len(str(count - 1))
    return tuple(f"{n:0{width}}" for n in range(count))


def checked(names: Iterable[str], count: int) -> tuple[str, ...]:
    """The names, if they are `count` distinct and safe ones. Raises CorruptFile at the first that is not."""
    found: dict[str, None] = {}
    for name in names:
        if len(found) == count:
            raise CorruptFile(f"there are more names than pictures: {count}")
        if name in ("", ".", "..") or UNSAFE.search(name):
            raise CorruptFile(f"a picture cannot be named {name[:SHOWN]!r}")
        if name in found:
            raise CorruptFile(f"two pictures are named {name[:SHOWN]!r}")
        found[name] = None
    if len(found) < count:
        raise CorruptFile(f"{count} pictures have {len(found)} names")
    return tuple(found)


def write(names: tuple[str, ...]) -> bytes:
    """The law: read(write(names), len(names)) == names, if they are distinct and safe."""
    return "\n".join(names).encode()


def read(data: bytes, count: int) -> tuple[str, ...]:
    """Inverse of write. Raises CorruptFile."""
    try:
        return checked((line[:-1].decode() for line in BytesIO(data + b"\n")), count)
    except UnicodeDecodeError as error:
        raise CorruptFile(f"names are not UTF-8: {error.reason}") from None
