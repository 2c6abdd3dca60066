"""vlaezip: a learned image codec. Nothing heavy is imported before it is used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vlaezip.api import compress, compress_archive, decompress, decompress_archive
    from vlaezip.batches import compress_batch, decompress_batch
    from vlaezip.container import info

__version__ = "0.7.0"
__all__ = [
    "__version__",
    "compress",
    "compress_archive",
    "compress_batch",
    "decompress",
    "decompress_archive",
    "decompress_batch",
    "info",
]

_HOMES = {
    "compress": "vlaezip.api",
    "compress_archive": "vlaezip.api",
    "compress_batch": "vlaezip.batches",
    "decompress": "vlaezip.api",
    "decompress_archive": "vlaezip.api",
    "decompress_batch": "vlaezip.batches",
    "info": "vlaezip.container",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
