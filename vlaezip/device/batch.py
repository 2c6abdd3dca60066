"""Blocks of many pictures of one size at once: block.py's chains on lists of messages, the nets on a device.

x is uint8 or int32 [B, H, W, C], a picture for each message; z and shapes are those of block.py for B pictures. What
block.py says of one picture holds for each, byte for byte.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vlaezip.codec import block
from vlaezip.codec.block import Refund
from vlaezip.coding.ans import Message, whiten
from vlaezip.coding.bits_back import Pair, bits_back, latent_first
from vlaezip.coding.logistic import Ints
from vlaezip.device import transforms, wave
from vlaezip.device.wave import DeviceScene
from vlaezip.model.local_ar import samples
from vlaezip.model.vlae import Posterior, Shape, Vlae
from vlaezip.model.window_kinds import CONTRAST_MAX, MID_LEVEL, NEIGHBOUR_GAIN, NEIGHBOURS

PLACE_BYTES = 256  # of a device's memory, for each pixel of a batch, at the most
MOST_PLACES = 1 << 27

Messages = list[Message]
Batch = Pair[Messages]  # codecs of many pictures


def capacity(device: str) -> int:
    """Pixels that a batch may have on a device."""
    if not device.startswith("cuda"):
        return MOST_PLACES
    return min(MOST_PLACES, torch.cuda.mem_get_info(device)[0] // PLACE_BYTES)


def prior_codec(model: Vlae, shape: Shape, level: int | None) -> Batch:
    """z under p(z): the twin of block.prior_codec."""
    scene = model.prior_scene(block.latent_shape(shape, model.config.stride), level)
    base, extra = (torch.from_numpy(a).to(model.device) for a in (scene.base, scene.extra))
    return wave.codec(model.prior, DeviceScene(base, extra, scene.steps))


def pixel_scene(model: Vlae, z: Ints, shape: Shape, grey: bool) -> DeviceScene:
    """p(x|z), without leaving the device: the twin of Vlae.pixel_scene."""
    _, h, w = shape
    preview, features = (a[:, :h, :w] for a in transforms.of(model.nets).shown(z, 0))
    base = preview.to(torch.int16)
    steps = samples(model.config.channels, model.config.values)
    if not model.config.pixel.kind.residual:
        return DeviceScene(torch.zeros_like(base), features, steps, grey)
    return DeviceScene(base, torch.cat([features, neighbourhood(base)], 3), steps, grey)


def neighbourhood(preview: Tensor) -> Tensor:
    """The twin of vlae.neighbourhood."""
    h, w = preview.shape[1:3]
    i, j = (torch.arange(-1, n + 1, device=preview.device).clamp(0, n - 1) for n in (h, w))
    edge = preview[:, i][:, :, j]
    near = [edge[:, y : y + h, x : x + w] - preview for y, x in NEIGHBOURS]
    return torch.cat([(NEIGHBOUR_GAIN * d).clamp(-CONTRAST_MAX, CONTRAST_MAX) for d in near] + [preview - MID_LEVEL], 3)


def posterior_codec(model: Vlae, x: Ints) -> Batch:
    """z under q(z|x), picture by picture."""
    q = block.posterior(model, x)
    each = [block.posterior_codec(model, Posterior(q.mean[n : n + 1], q.scale[n : n + 1])) for n in range(len(x))]

    def push(messages: Messages, z: Any) -> Messages:
        return [c.push(m, z[n : n + 1]) for n, (c, m) in enumerate(zip(each, messages, strict=True))]

    def pop(messages: Messages) -> tuple[Messages, Any]:
        found = [c.pop(m) for c, m in zip(each, messages, strict=True)]
        return [m for m, _ in found], np.concatenate([z for _, z in found])

    return Pair(push, pop)


def block_codec(model: Vlae, shape: Shape, grey: bool, refund: Refund, number: int) -> Batch:
    """The twin of block.block_codec."""
    prior = prior_codec(model, shape, block.FIRST_LEVEL if number == 0 or refund is Refund.NONE else None)

    def pixels(z: Any) -> Batch:
        return wave.codec(model.pixel, pixel_scene(model, z, shape, grey))

    if number == 0 or refund is Refund.NONE:
        return latent_first(prior, pixels, lambda x: block.first_latent(model, x))

    def taken(x: Ints) -> Batch:
        plain = posterior_codec(model, x)
        return whitened(plain, number) if refund is Refund.WHITE else plain

    return bits_back(prior, pixels, taken)


def whitened(each: Batch, number: int) -> Batch:
    """The twin of bits_back.whitened."""

    def under(messages: Messages) -> Messages:
        return [whiten(m, number) for m in messages]

    return Pair(lambda messages, x: under(each.push(messages, x)), lambda messages: each.pop(under(messages)))


def push_blocks(model: Vlae, messages: Messages, blocks: Iterable[Ints], grey: bool, refund: Refund) -> Messages:
    """The twin of block.push_blocks: block k of every picture at once."""
    for number, x in enumerate(blocks):
        b, h, w, _ = x.shape
        messages = block_codec(model, (b, h, w), grey, refund, number).push(messages, x)
    return messages


def pop_blocks(model: Vlae, messages: Messages, shapes: list[Shape], grey: bool, refund: Refund) -> Iterator[Ints]:
    """The twin of block.pop_blocks. Raises CorruptFile if any of the messages is."""
    for number, shape in reversed(list(enumerate(shapes))):
        messages, x = block_codec(model, shape, grey, refund, number).pop(messages)
        yield x
    for message in messages:
        block.finish(message)
