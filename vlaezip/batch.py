"""Many pictures in one call: one after another on the CPU, together on a GPU. The files are the same.

On a GPU, lossless pictures of one size share every step of the wavefront.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from vlaezip import api
from vlaezip.codec import lossless
from vlaezip.codec.block import Refund
from vlaezip.coding import ans
from vlaezip.device import placement
from vlaezip.device.choose import choose_for
from vlaezip.errors import CorruptFile
from vlaezip.format import pixels
from vlaezip.format.container import MODELLED_MODES, PROLOGUE, Bytes, Header, Kind, is_learned, read
from vlaezip.format.pixels import Picture
from vlaezip.format.tiles import Tile, split
from vlaezip.model import tuned, weights
from vlaezip.model.vlae import Vlae
from vlaezip.options import Options, options

K = TypeVar("K", bound=Hashable)


def compress_batch(images: Sequence[Image.Image | Picture], *, device: str = "auto", **given: Any) -> list[bytes]:
    """compress of every picture, with its options: the same files. On a GPU, lossless pictures of one size at once."""
    chosen = options(device=device, **given)
    chosen = replace(chosen, device=choose_for(device, len(images) if chosen.lossless else 1))
    if chosen.device == "cpu" or not chosen.lossless or chosen.work:
        return [api.encode(image, chosen) for image in images]
    return coded(images, chosen)


def decompress_batch(files: Sequence[bytes], *, device: str = "auto") -> list[Image.Image]:
    """decompress of every file. On a GPU, lossless pictures of one size and model at once."""
    device = choose_for(device, len(files))
    if device == "cpu":
        return [api.decompress(data, device=device) for data in files]
    return decoded(files, device)


def coded(images: Sequence[Image.Image | Picture], options: Options) -> list[bytes]:
    """compress_batch, on a device. Pictures that no model takes go their own way."""
    net, files = api.network(options), [b""] * len(images)
    pictures = [pixels.split(image, options.strip) for image in images]
    for (mode, _), numbers in alike([(picture.mode, picture.size) for picture in pictures]).items():
        if mode not in MODELLED_MODES:
            for n in numbers:
                files[n] = api.encode(pictures[n], options)
            continue
        header = api.lossless_header(pictures[numbers[0]], options.model)
        for some in runs(numbers, header, net):
            colours = np.stack([api.colours_of(pictures[n]) for n in some])
            for n, data in zip(some, encode_many(net, header, colours), strict=True):
                files[n] = api.finished(net, header, pictures[n], data)
    return files


def encode_many(net: Vlae, header: Header, colours: Any) -> list[bytes]:
    """lossless.encode of every picture, at once on the device of the net. colours uint8 [B, H, W, 3]."""
    from vlaezip.device import batch as waves  # which takes torch

    tiles = split(header.height, header.width, header.tile)
    refund = Refund.WHITE if len(tiles) > 1 else Refund.NONE
    blocks = (np.array(colours[:, *t.slices]) for t in tiles)
    try:
        messages = waves.push_blocks(net, [ans.empty(header.lanes)] * len(colours), blocks, header.grey, refund)
    except CorruptFile:  # see lossless.chain; which of the pictures it was does not matter
        return [lossless.encode(net, header, colour) for colour in colours]
    return [PROLOGUE.pack(lossless.checksum(c), refund) + ans.write(m) for c, m in zip(colours, messages, strict=True)]


def decoded(files: Sequence[bytes], device: str) -> list[Image.Image]:
    """decompress_batch, on a device. What is not lossless, or learned, goes its own way."""
    opened, images = [read(data) for data in files], [Image.new("1", (0, 0))] * len(files)
    for key, numbers in alike([(f.header, f.tuning, f.data[: PROLOGUE.size][-1:]) for f in opened]).items():
        header, tuning, _ = key
        if header.kind is not Kind.LOSSLESS or is_learned(opened[numbers[0]].data):
            for n in numbers:
                images[n] = api.decompress(files[n], device=device)
            continue
        net = placement.load(weights.find(header.model).path, "lossless", device)
        for n in numbers:
            api.check_plausible(net, header, opened[n].data)
        if tuning is not None:
            net = tuned.read_into(net, tuning, header.grey)
        for some in runs(numbers, header, net):
            for n, colour in zip(some, decode_many(net, header, [opened[n].data for n in some]), strict=True):
                images[n] = api.joined(opened[n], [(Tile(0, 0, header.height, header.width), colour)])
    return images


def decode_many(net: Vlae, header: Header, files: Sequence[Bytes]) -> Any:
    """lossless.decode of many files' data that share header and prologue's refund, at once: uint8 [B, H, W, 3]."""
    from vlaezip.device import batch as waves  # which takes torch

    opened = [lossless.open_data(header, data) for data in files]
    tiles = split(header.height, header.width, header.tile)
    colours = np.empty((len(files), header.height, header.width, 3), np.uint8)
    shapes = [(len(files), t.height, t.width) for t in tiles]
    decoded = waves.pop_blocks(net, [o.message for o in opened], shapes, header.grey, opened[0].refund)
    for tile, x in zip(reversed(tiles), decoded, strict=True):
        colours[:, *tile.slices] = x
    for colour, (crc, *_) in zip(colours, opened, strict=True):
        lossless.check_sum(colour, crc)
    return colours


def alike(keys: Iterable[K]) -> dict[K, list[int]]:
    """Numbers of the things that have the same key."""
    found: dict[K, list[int]] = {}
    for number, key in enumerate(keys):
        found.setdefault(key, []).append(number)
    return found


def runs(numbers: list[int], header: Header, net: Vlae) -> Iterator[list[int]]:
    """Runs of pictures of a size, as many as the device of the net has room for."""
    from vlaezip.device import batch as waves  # which takes torch

    most = max(1, waves.capacity(net.device) // (header.width * header.height))
    yield from (numbers[start : start + most] for start in range(0, len(numbers), most))
