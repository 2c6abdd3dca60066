"""Which device works. torch, which takes a second to import, is asked only where there may be a GPU."""

import ctypes
import sys
from contextlib import suppress
from types import ModuleType

from vlaezip.errors import OptionError

MANY = 8  # pictures that a GPU decodes sooner than a CPU
DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
DEVICES = ("auto", "cpu", "cuda")


def import_torch(what: str) -> ModuleType:
    """torch, for what cannot do without. Raises OptionError where it is not installed."""
    try:
        import torch
    except ImportError:
        raise OptionError(f"{what} needs torch, which is not installed: pip install 'vlaezip[torch]'") from None
    return torch


def check_device(device: str) -> None:
    """Raise OptionError unless the device is known, and here."""
    if device not in DEVICES:
        raise OptionError(f"there is no device {device!r}, only {', '.join(DEVICES)}")
    if device == "cuda" and not import_torch("device cuda").cuda.is_available():
        raise OptionError("device cuda is not there: torch finds no GPU")


def choose(device: str) -> str:
    """auto is the CPU: a step of the wavefront of one picture is too small for a GPU to pay. Raises OptionError."""
    check_device(device)
    return "cpu" if device == "auto" else device


def choose_for(device: str, count: int) -> str:
    """The device for so many pictures: auto takes a GPU for many, as they share its steps. Raises OptionError."""
    if device == "auto" and count >= MANY and has_driver():
        with suppress(OptionError):
            return "cuda" if import_torch("device cuda").cuda.is_available() else "cpu"
    return choose(device)


def has_driver() -> bool:
    """Whether there is the driver of an NVIDIA GPU."""
    with suppress(OSError):
        return bool(ctypes.CDLL(DRIVER))
    return False
