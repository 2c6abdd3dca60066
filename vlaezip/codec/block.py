"""Blocks of pixels to ANS words and back: the bits-back chain, the rounded z and its preview.

x is int32 [B, H, W, 3] of one shape and any size; z covers it in whole strides, the edge replicated.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlaezip.codec import coupled_draws
from vlaezip.codec.coupled_draws import Points
from vlaezip.coding import ans, mixture_codec
from vlaezip.coding.ans import Message
from vlaezip.coding.bits_back import Codec, bits_back, latent_first, whitened
from vlaezip.coding.categorical import Longs
from vlaezip.coding.deep_stack import DeepStack, flatten, refill, spill, word_count
from vlaezip.coding.logistic import Ints
from vlaezip.coding.tables import PRECISION
from vlaezip.errors import CorruptFile
from vlaezip.format.tiles import Tile, split
from vlaezip.model import local_ar
from vlaezip.model.vlae import Posterior, Shape, Vlae

MAX_WORDS = 1 << 40  # more than any stack comes to
FIRST_LEVEL = 0  # rounding of a block that gets no refund


class Refund(IntEnum):
    """How all blocks but the first take z from the stack and give its bits back: not at all, from the bits as they lie
    there (files before 0.5), from whitened ones.
    """

    NONE = 0
    PLAIN = 1
    WHITE = 2


def whole_strides(x: Ints, stride: int) -> Ints:
    """Replicate the last row and column up to a multiple of the stride."""
    _, h, w, _ = x.shape
    return np.pad(x, ((0, 0), (0, -h % stride), (0, -w % stride), (0, 0)), mode="edge")


def latent_shape(shape: Shape, stride: int) -> Shape:
    """Shape of z for pictures of a shape."""
    return shape[0], -(-shape[1] // stride), -(-shape[2] // stride)


def posterior(model: Vlae, x: Ints) -> Posterior:
    """q(z|x) of pictures of any size."""
    return model.posterior(whole_strides(x, model.config.stride))


def first_latent(model: Vlae, x: Ints) -> Ints:
    """z of a block that gets no refund: the posterior's mean, rounded."""
    return posterior(model, x).round(model.steps(FIRST_LEVEL))


def posterior_codec(model: Vlae, q: Posterior) -> Codec:
    """z under q(z|x), on the fine grid."""
    shape, steps = q.mean.shape, model.steps(None)
    flat = mixture_codec.codec(q.mixture(), steps.grid(q.mean.size // shape[3], tuple(range(shape[3]))))

    def pop(message: Message) -> tuple[Message, Ints]:
        message, z = flat.pop(message)
        return message, z.reshape(shape)

    return Codec(lambda message, z: flat.push(message, z.reshape(-1)), pop)


def prior_codec(model: Vlae, shape: Shape, level: int | None) -> Codec:
    """z under p(z): on the fine grid, or in the cells of a rounding level."""
    return local_ar.codec(model.prior, model.prior_scene(latent_shape(shape, model.config.stride), level))


def pixel_codec(model: Vlae, shape: Shape, grey: bool) -> Callable[[Any], Codec]:
    """x under p(x|z)."""
    return lambda z: local_ar.codec(model.pixel, model.pixel_scene(z, shape, grey))


def posterior_points(model: Vlae, q: Posterior) -> Points:
    """q(z|x) on the fine grid, by its quantiles."""
    channels = tuple(range(model.config.latent))
    return Points(q.mixture(), model.steps(None).grid(q.mean[..., 0].size, channels), q.mean.shape)


def log_joint(model: Vlae, shape: Shape, grey: bool, x: Ints, z: Ints) -> Longs:
    """log2 p(x, z) of each picture, as coupled_draws.log_mass gives it."""
    prior = coupled_draws.log_mass(model.prior, model.prior_scene(latent_shape(shape, model.config.stride), None), z)
    return prior + coupled_draws.log_mass(model.pixel, model.pixel_scene(z, shape, grey), x)


def block_codec(model: Vlae, shape: Shape, grey: bool, refund: Refund, number: int, draws: int = 1) -> Codec:
    """A block of pictures: number 0, whose stack holds nothing yet, with a rounded z; others as `refund` says.

    draws: of z, of which each picture's is chosen, where the refund is WHITE.
    """
    pixels = pixel_codec(model, shape, grey)
    if number == 0 or refund is Refund.NONE:
        return latent_first(prior_codec(model, shape, FIRST_LEVEL), pixels, lambda x: first_latent(model, x))

    if draws > 1:
        chosen = coupled_draws.codec(
            prior_codec(model, shape, None),
            pixels,
            lambda x: posterior_points(model, posterior(model, x)),
            lambda x, z: log_joint(model, shape, grey, x, z),
            shape[0],
            draws,
        )
        return whitened(chosen, number)

    def taken(x: Ints) -> Codec:
        plain = posterior_codec(model, posterior(model, x))
        return whitened(plain, number) if refund is Refund.WHITE else plain

    return bits_back(prior_codec(model, shape, None), pixels, taken)


def within_reach(model: Vlae, shape: Shape, lanes: int) -> int:
    """Words from the top of a stack that coding a block can come to: a symbol pops PRECISION bits at the most."""
    values = math.prod(latent_shape(shape, model.config.stride)) * model.config.latent
    symbols = math.prod(shape) * model.config.channels + 2 * (values + shape[0])  # of z, and of the choice of a draw
    return ans.WHITE_WORDS + lanes + symbols * PRECISION // 32 + 1


class TooLong(Exception):
    """A stack has come to more words than were wanted."""


def push_blocks(
    model: Vlae,
    message: Message,
    blocks: Iterable[Ints],
    grey: bool,
    refund: Refund,
    draws: int = 1,
    most: int = MAX_WORDS,
) -> Message:
    """Push blocks on one stack. Raises CorruptFile where a refund finds too few bits to take, and TooLong after a block
    that leaves more than `most` words.
    """
    stack, lanes = DeepStack(message), len(message.heads)
    for number, x in enumerate(blocks):
        shape = x.shape[:3]
        top, below = refill(stack, reach := within_reach(model, shape, lanes))
        stack = spill(DeepStack(block_codec(model, shape, grey, refund, number, draws).push(top, x), below), reach)
        if word_count(stack) > most:
            raise TooLong
    return flatten(stack)


def pop_blocks(
    model: Vlae, message: Message, shapes: list[Shape], grey: bool, refund: Refund, draws: int = 1
) -> Iterator[Ints]:
    """Inverse of push_blocks: blocks of known shapes, the last first. Raises CorruptFile."""
    stack, lanes = DeepStack(Message(message.heads, message.words[:0]), (message.words,)), len(message.heads)
    for number, shape in reversed(list(enumerate(shapes))):
        top, below = refill(stack, within_reach(model, shape, lanes))
        top, x = block_codec(model, shape, grey, refund, number, draws).pop(top)
        stack = DeepStack(top, below)
        yield x
    finish(flatten(stack))


def finish(message: Message) -> None:
    """Raise CorruptFile unless all has been popped."""
    if not ans.is_empty(message):
        raise CorruptFile("data is left over after the picture")


def halo(model: Vlae) -> int:
    """Positions of z that the nets see to each side of one."""
    return 1 + model.config.blocks + (model.config.blocks + 1) // 2


def latent_tiles(model: Vlae, height: int, width: int, side: int) -> Iterator[tuple[Tile, Tile]]:
    """Tiles of z of a [height, width] grid, each with what surrounds it, so that tiles leave no seams."""
    reach = halo(model)
    for tile in split(height, width, max(side // model.config.stride, 1)):
        top, left = max(tile.top - reach, 0), max(tile.left - reach, 0)
        bottom = min(tile.top + tile.height + reach, height)
        right = min(tile.left + tile.width + reach, width)
        yield tile, Tile(top, left, bottom - top, right - left)


def rounded_latent(model: Vlae, pixels: NDArray[np.uint8], level: int, side: int) -> Ints:
    """z of a whole picture [H, W, 3] at a rounding level: [1, h, w, Z]. Memory is bounded by the tiles' side."""
    s = model.config.stride
    _, h, w = latent_shape((1, *pixels.shape[:2]), s)
    z = np.empty((1, h, w, model.config.latent), np.int32)
    for tile, around in latent_tiles(model, h, w, side):
        x = pixels[
            around.top * s : (around.top + around.height) * s, around.left * s : (around.left + around.width) * s
        ]
        part = posterior(model, x[None].astype(np.int32)).round(model.steps(level))
        z[:, tile.top :, tile.left :][:, : tile.height, : tile.width] = inner(part, tile, around)
    return z


def inner(values: Any, tile: Tile, around: Tile, scale: int = 1) -> Any:
    """What of `around` belongs to the tile. values [B, h * scale, w * scale, C]."""
    top, left = (tile.top - around.top) * scale, (tile.left - around.left) * scale
    return values[:, top : top + tile.height * scale, left : left + tile.width * scale]


def previews(model: Vlae, z: Ints, side: int, level: int = 0) -> Iterator[tuple[Tile, Ints, NDArray[np.int16]]]:
    """The preview and features of a whole z, in tiles of z: int32 [1, h, w, 3] and int16 [1, h, w, F] in pixels."""
    for tile, around in latent_tiles(model, z.shape[1], z.shape[2], side):
        part = z[:, around.top : around.top + around.height, around.left : around.left + around.width]
        preview, features = (inner(v, tile, around, model.config.stride) for v in model.preview(part, level))
        yield tile, preview, features
