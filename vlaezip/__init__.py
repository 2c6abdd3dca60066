"""vlaezip: a learned image codec. Nothing heavy is imported before it is used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vlaezip.errors import (
    CorruptFile,
    FileError,
    ImageError,
    MetadataWarning,
    ModelError,
    OptionError,
    UnknownModel,
    UnsupportedVersion,
    VlaezipError,
    VlaezipWarning,
    WrongKind,
)

__version__ = "0.8.0"
__all__ = [
    "CorruptFile",
    "FileError",
    "ImageError",
    "MetadataWarning",
    "ModelError",
    "OptionError",
    "UnknownModel",
    "UnsupportedVersion",
    "VlaezipError",
    "VlaezipWarning",
    "WrongKind",
    "__version__",
    "compress",
    "compress_archive",
    "compress_batch",
    "decompress",
    "decompress_archive",
    "decompress_batch",
    "info",
]

if TYPE_CHECKING:
    from vlaezip.api import compress, compress_archive, decompress, decompress_archive
    from vlaezip.batch import compress_batch, decompress_batch
    from vlaezip.format.container import info
else:  # a checker knows the names above, and that there are no others
    _HOMES = {
        "compress": "vlaezip.api",
        "compress_archive": "vlaezip.api",
        "compress_batch": "vlaezip.batch",
        "decompress": "vlaezip.api",
        "decompress_archive": "vlaezip.api",
        "decompress_batch": "vlaezip.batch",
        "info": "vlaezip.format.container",
    }

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
