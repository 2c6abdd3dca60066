"""vlaezip: a learned image codec. Nothing heavy is imported before it is used."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vlaezip.api import compress, decompress, info

__version__ = "0.1.0"
__all__ = ["__version__", "compress", "decompress", "info"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from vlaezip import api

    return getattr(api, name)
