"""DATA of an archive: many pictures of one size and mode, in blocks that bits-back chains on one stack.

A net of three channels takes RGB, and L as grey; one of one channel takes L whose samples are multiples of its gain (0
and 255 if it is binary), and 1 if it is binary. Pictures are uint8 [N, H, W, C] of the net's C.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from vlaezip.codec import block
from vlaezip.codec.lossless import chain, check_sum, checksum, open_data
from vlaezip.errors import CorruptFile, ImageError
from vlaezip.format import metadata, pixels, tiles
from vlaezip.format.archive_names import checked
from vlaezip.format.container import ARCHIVED_MODES, Bytes, Header, check_count
from vlaezip.format.pixels import Picture, Plane
from vlaezip.format.tiles import BLOCK as BLOCK
from vlaezip.model.config import VlaeConfig
from vlaezip.model.vlae import Vlae


def encode(net: Vlae, header: Header, pictures: Plane, draws: int = 1) -> bytes:
    """Blocks of pictures, chained on one stack. draws: of z for each picture, 1..config.MAX_DRAWS."""

    def each(draws: int) -> Iterator[Any]:
        return (pictures[place].astype(np.int32) for place in runs(header, draws))

    places = runs(header, draws)
    return chain(net, header, each, len(places) > 1, checksum(pictures[place] for place in places), draws)


def decode(net: Vlae, header: Header, data: Bytes) -> Plane:
    """Inverse of encode. Raises CorruptFile."""
    crc, refund, draws, message = open_data(header, data)
    places = runs(header, draws)
    shapes = [(place.stop - place.start, header.height, header.width) for place in places]
    pictures = np.empty((header.count, header.height, header.width, net.config.channels), np.uint8)
    blocks = block.pop_blocks(net, message, shapes, header.grey, refund, draws)
    for place, x in zip(reversed(places), blocks, strict=True):
        pictures[place] = x
    check_sum((pictures[place] for place in places), crc)
    return pictures


def runs(header: Header, draws: int) -> list[slice]:
    """Where each block's pictures are among all."""
    share = tiles.SHARE if draws == 1 else tiles.SHARE_OF_DRAWS
    sizes = tiles.blocks(header.count, header.width * header.height, share)
    return [slice(start, end) for start, end in pairwise(accumulate(sizes, initial=0))]


class Gathered(NamedTuple):
    """Pictures of an archive: names, mode, samples [N, H, W, C]; and what is left out, with the first that had it."""

    names: tuple[str, ...]
    mode: str
    samples: Plane
    lost: dict[str, str]


def gather(images: Iterable[tuple[str, Image.Image]]) -> Gathered:
    """Raises ImageError, which names the picture that is at fault."""
    names: list[str] = []
    lost: dict[str, str] = {}
    samples: list[Plane] = []
    mode = form = ""
    for name, image in images:
        try:
            lost |= {word: name for word in beside(image) if word not in lost}
            picture = pixels.split(image, strip=True)
            (width, height), mode = picture.size, picture.mode
            found = f"{mode} {width} x {height}"
            form = form or found
            check_alike(mode, found, form)
            check_count(len(names) + 1, width, height)
        except (ImageError, CorruptFile) as error:
            raise ImageError(f"{name}: {error}") from None
        names.append(name)
        samples.append(picture.pixels)
    if not names:
        raise ImageError("an archive holds one picture at least")
    try:
        return Gathered(checked(names, len(names)), mode, np.stack(samples), lost)
    except CorruptFile as error:
        raise ImageError(str(error)) from None


def beside(image: Image.Image | Picture) -> list[str]:
    """What stands beside the samples of a picture, in words. Raises ImageError and TypeError."""
    if isinstance(image, Picture):
        return metadata.names(image.metadata)
    pixels.check_picture(image)
    chunks, lost = pixels.passed_over(image)
    with suppress(ImageError):  # of EXIF that cannot be read
        found, more = metadata.gathered(pixels.prepare(image), chunks)
        lost = metadata.names(found) + lost + more
    return lost


def check_alike(mode: str, found: str, first: str) -> None:
    """Raise ImageError unless a picture has a mode that archives take, and the form of the first one."""
    if mode not in ARCHIVED_MODES:
        raise ImageError(f"mode {mode} is not taken in an archive, only {', '.join(ARCHIVED_MODES)} are")
    if found != first:
        raise ImageError(f"is {found}, the first picture {first}: those of an archive have one size and mode")


def modes(config: VlaeConfig) -> tuple[str, ...]:
    """Modes of archives that a model takes."""
    if config.channels == 3:
        return "L", "RGB"
    return ("1", "L") if config.values == 2 else ("L",)


def adapt(config: VlaeConfig, mode: str, samples: Plane) -> Plane:
    """Samples [N, H, W, 1 or 3] as the model sees them. Raises ImageError if it does not take them."""
    if mode not in modes(config):
        raise ImageError(f"the model takes pictures of mode {' and '.join(modes(config))}, these have mode {mode}")
    if mode == "1" or config.gain == 1:
        return np.broadcast_to(samples, (*samples.shape[:3], config.channels))
    values, rest = np.divmod(samples, np.uint8(config.gain))
    if rest.any():
        taken = ", ".join(str(config.gain * v) for v in range(config.values))
        raise ImageError(f"the model takes samples {taken}, these pictures have others")
    return values


def restore(config: VlaeConfig, mode: str, pictures: Plane) -> list[Image.Image]:
    """Inverse of adapt, as pictures of PIL."""
    gain = 1 if mode == "1" else config.gain
    samples = pictures[..., : 3 if mode == "RGB" else 1] * np.uint8(gain)
    return [pixels.join(Picture(mode, x, None)) for x in samples]
