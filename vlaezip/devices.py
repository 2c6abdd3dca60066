"""Which device works. torch, which takes a second to import, is asked only where there may be a GPU."""

import ctypes
import sys
from contextlib import suppress

from vlaezip.errors import ModelError

MANY = 8  # pictures that a GPU decodes sooner than a CPU
DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def choose(device: str) -> str:
    """auto is the CPU: a step of the wavefront of one picture is too small for a GPU to pay."""
    if device in ("auto", "cpu"):
        return "cpu"
    import torch

    if device != "cuda" or not torch.cuda.is_available():
        raise ModelError(
            f"device {device} is not there; auto and cpu are" + (", and cuda" if torch.cuda.is_available() else "")
        )
    return device


def choose_for(device: str, count: int) -> str:
    """The device for so many pictures: auto takes a GPU for many, as they share its steps."""
    if device == "auto" and count >= MANY and has_driver():
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"
    return choose(device)


def has_driver() -> bool:
    """Whether there is the driver of an NVIDIA GPU."""
    with suppress(OSError):
        return bool(ctypes.CDLL(DRIVER))
    return False
