"""Bits-back with many draws of z: x at the price of the bound that importance sampling gives, not of -ELBO.

Monte Carlo bits-back (Ruan et al. 2021, BB-CIS): the stack gives one uniform vector, which shifted copies turn into
coupled draws of q(z|x), so that they take no more bits than one; of these a z is chosen by its weight p(x, z) / q(z|x).
On average x costs -log2 of the mean of the weights (Burda et al. 2016, eq. 8). Both sides weigh in integers.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from vlaezip.coding.ans import Message
from vlaezip.coding.bits_back import Codec
from vlaezip.coding.categorical import Longs, categorical, cumulative_table, log2, uniform
from vlaezip.coding.logistic import Grid, Ints, Mixture, intervals
from vlaezip.coding.quantiles import quantiles
from vlaezip.coding.tables import PRECISION
from vlaezip.errors import CorruptFile
from vlaezip.model import local_ar
from vlaezip.model.local_ar import LocalAR, Scene
from vlaezip.model.wavefront import wavefront

NOISE_BITS = 18  # of the uniform number that a value of z is drawn by; with 12, files were 1.6 % longer
POINTS, APART = 1 << NOISE_BITS, 1 << (PRECISION - NOISE_BITS)


def shifts(draws: int, values: int) -> Longs:
    """What is added to the uniform vector for each draw: int64 [draws, values], from Philox (Salmon et al. 2011)."""
    stream = np.random.Philox(key=np.array([0, 1], np.uint64)).random_raw(draws * values)
    return (stream >> np.uint64(64 - NOISE_BITS)).astype(np.int64).reshape(draws, values)


class Points(NamedTuple):
    """q(z|x) of B pictures by POINTS evenly spaced quantiles of each value. shape: of z, [B, h, w, Z]."""

    mix: Mixture
    grid: Grid
    shape: tuple[int, ...]

    def at(self, points: Longs) -> Ints:
        """z at these points [B, D], each below POINTS."""
        targets = (points.reshape(-1) * APART + APART // 2).astype(np.uint32)
        return quantiles(self.mix, self.grid, targets).reshape(self.shape)

    def cells(self, z: Ints) -> tuple[Longs, Longs]:
        """The first point at which each value of z lies, and how many do so: [B, D]."""
        starts, freqs = (v.astype(np.int64) for v in intervals(self.mix, self.grid, z.reshape(-1)))
        first, end = ((edge + (APART // 2 - 1)) // APART for edge in (starts, starts + freqs))
        return first.reshape(self.shape[0], -1), (end - first).reshape(self.shape[0], -1)


def log_mass(net: LocalAR, scene: Scene, x: Ints) -> Longs:
    """log2 of the mass of each picture [B, ...], in 2**-16 bits, less what is the same for all pictures of a shape."""
    b, h, w, _ = x.shape
    order, steps = wavefront(b, h, w)
    sizes = [len(channels) for _, channels, _ in local_ar.groups(net.config, scene.grey)]
    owners = np.concatenate([np.repeat(order[a:z] // (h * w), n) for a, z in pairwise(steps) for n in sizes])
    bits = log2(local_ar.encode_intervals(net, scene, x).freqs)
    return np.bincount(owners, bits, b).astype(np.int64)  # sums below 2**53 are exact


def codec(
    prior: Codec,
    likelihood: Callable[[Any], Codec],
    posterior: Callable[[Any], Points],
    log_joint: Callable[[Any, Any], Longs],
    pictures: int,
    draws: int,
) -> Codec:
    """Code x [B, ...] through one of so many draws of z. log_joint(x, z): log2 p(x, z) [B], as log_mass gives it.

    The law holds for every message that has NOISE_BITS for each value of z. What they cost that the choice of a draw
    does not need comes back: x costs -log2 of the mean over draws of p(x, z) / q(z|x), on average over messages.
    """
    number = uniform(np.full(pictures, draws))
    every = np.arange(pictures)

    def seen(q: Points) -> tuple[Codec, Longs]:
        values = int(np.prod(q.shape[1:]))
        return uniform(np.full(pictures * values, POINTS)), shifts(draws, values)

    def weighed(q: Points, x: Any, noise: Longs, moves: Longs) -> tuple[Codec, list[Ints]]:
        each = [q.at((noise + move) % POINTS) for move in moves]
        log_weights = [log_joint(x, z) - log2(np.maximum(q.cells(z)[1], 1)).sum(1) for z in each]
        return categorical(cumulative_table(np.stack(log_weights, 1))), each

    def push(message: Message, x: Any) -> Message:
        q = posterior(x)
        source, moves = seen(q)
        message, noise = source.pop(message)
        noise = noise.reshape(pictures, -1)
        chooser, each = weighed(q, x, noise, moves)
        message, chosen = chooser.pop(message)
        z = np.stack(each, 1)[every, chosen]
        first, count = q.cells(z)
        rest = (noise + moves[chosen]) % POINTS - first
        message = uniform(count.reshape(-1)).push(message, rest.reshape(-1))
        message = prior.push(likelihood(z).push(message, x), z)
        return number.push(message, chosen)

    def pop(message: Message) -> tuple[Message, Any]:
        message, chosen = number.pop(message)
        message, z = prior.pop(message)
        message, x = likelihood(z).pop(message)
        q = posterior(x)
        source, moves = seen(q)
        first, count = q.cells(z)
        if count.min() < 1:
            raise CorruptFile("a value of z lies where q(z|x) has no point")
        message, rest = uniform(count.reshape(-1)).pop(message)
        noise = (first + rest.reshape(pictures, -1) - moves[chosen]) % POINTS
        message = weighed(q, x, noise, moves)[0].push(message, chosen)
        return source.push(message, noise.reshape(-1)), x

    return Codec(push, pop)
