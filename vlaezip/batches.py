"""Many pictures in one call: one after another on the CPU, together on a GPU."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from vlaezip.api import decompress, encode
from vlaezip.device.choose import choose_for
from vlaezip.format.pixels import Picture
from vlaezip.options import options


def compress_batch(images: Sequence[Image.Image | Picture], *, device: str = "auto", **given: Any) -> list[bytes]:
    """compress of every picture, with its options: the same files. On a GPU, lossless pictures of one size at once."""
    chosen = options(device=device, **given)
    chosen = replace(chosen, device=choose_for(device, len(images) if chosen.lossless else 1))
    if chosen.device == "cpu" or not chosen.lossless or chosen.effort:
        return [encode(image, chosen) for image in images]
    from vlaezip import gpu

    return gpu.coded(images, chosen)


def decompress_batch(files: Sequence[bytes], *, device: str = "auto") -> list[Image.Image]:
    """decompress of every file. On a GPU, lossless pictures of one size and model at once."""
    device = choose_for(device, len(files))
    if device == "cpu":
        return [decompress(data, device=device) for data in files]
    from vlaezip import gpu

    return gpu.decoded(files, device)
