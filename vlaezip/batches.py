"""Many pictures in one call: one after another on the CPU, together on a GPU."""

from collections.abc import Sequence
from typing import Any

from PIL import Image

from vlaezip.api import compress, decompress
from vlaezip.devices import choose_for
from vlaezip.pixels import Picture


def compress_batch(
    images: Sequence[Image.Image | Picture], *, lossless: bool = False, device: str = "auto", **options: Any
) -> list[bytes]:
    """compress of every picture, with its options: the same files. On a GPU, lossless pictures of one size at once."""
    device = choose_for(device, len(images) if lossless else 1)
    if device == "cpu" or not lossless or options.get("effort"):
        return [compress(image, lossless=lossless, device=device, **options) for image in images]
    from vlaezip import gpu

    return gpu.coded(images, device, **options)


def decompress_batch(files: Sequence[bytes], *, device: str = "auto") -> list[Image.Image]:
    """decompress of every file. On a GPU, lossless pictures of one size and model at once."""
    device = choose_for(device, len(files))
    if device == "cpu":
        return [decompress(data, device=device) for data in files]
    from vlaezip import gpu

    return gpu.decoded(files, device)
