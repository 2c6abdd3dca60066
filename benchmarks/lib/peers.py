"""The codecs to compare, all in this process, with the settings that serve them best."""

from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

import vlaezip

Pixels = NDArray[np.uint8]


class Peer(NamedTuple):
    """A lossless codec. The law: decode(encode(x)) == x."""

    encode: Callable[[Pixels], bytes]
    decode: Callable[[bytes], Pixels]


class LossyPeer(NamedTuple):
    """A lossy codec with qualities 0 (smallest) .. steps - 1 (best)."""

    steps: int
    encode: Callable[[Pixels, int], bytes]
    decode: Callable[[bytes], Pixels]


def pillow(x: Pixels, kind: str, **options: object) -> bytes:
    """What Pillow writes."""
    out = BytesIO()
    Image.fromarray(x).save(out, kind, **options)
    return out.getvalue()


def open_pillow(data: bytes) -> Pixels:
    """What Pillow reads."""
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"))


def jpeg_xl(effort: int) -> Peer:
    """Lossless JPEG XL, on one thread."""
    return Peer(lambda x: bytes(imagecodecs.jpegxl_encode(x, lossless=True, effort=effort, numthreads=1)), open_jpeg_xl)


def open_jpeg_xl(data: bytes) -> Pixels:
    return np.asarray(imagecodecs.jpegxl_decode(data, numthreads=1))


LOSSLESS = {
    "PNG": Peer(lambda x: pillow(x, "PNG", optimize=True), open_pillow),
    "WebP": Peer(lambda x: pillow(x, "WEBP", lossless=True, method=6, quality=100), open_pillow),
    "JPEG XL 7": jpeg_xl(7),
    "JPEG XL 9": jpeg_xl(9),
}


def lossless(model: str, effort: int | None = None) -> Peer:
    """Our own, with a model; without an effort, at the default one."""
    return Peer(
        lambda x: vlaezip.compress(Image.fromarray(x), lossless=True, model=model, effort=effort),
        lambda data: np.asarray(vlaezip.decompress(data)),
    )


VLAEZIP = {
    "vlaezip": lossless("photo"),
    "vlaezip, effort 0": lossless("photo", 0),
    "vlaezip fast": lossless("photo-fast"),
}

JPEG_XL_HALVING = 10  # steps in which the distance of JPEG XL (1: just visible) halves, from 25
AV1_STEPS = 64  # quantisers of AV1; Pillow's 101 qualities are spread over them

LOSSY = {
    "JPEG": LossyPeer(
        95, lambda x, q: pillow(x, "JPEG", quality=q + 1, optimize=True, subsampling="4:2:0"), open_pillow
    ),
    "WebP": LossyPeer(101, lambda x, q: pillow(x, "WEBP", quality=q, method=6), open_pillow),
    "JPEG XL": LossyPeer(
        61,
        lambda x, q: bytes(
            imagecodecs.jpegxl_encode(x, distance=25 / 2 ** (q / JPEG_XL_HALVING), effort=7, numthreads=1)
        ),
        open_jpeg_xl,
    ),
}
if features.check("avif"):
    LOSSY["AVIF"] = LossyPeer(
        AV1_STEPS,
        lambda x, q: pillow(x, "AVIF", quality=round(100 * q / (AV1_STEPS - 1)), speed=6),
        open_pillow,
    )
