"""Codecs: matched pairs of push and pop on a message, and how they compose (after craystack, Townsend et al. 2020)."""

from collections.abc import Callable
from typing import Any, NamedTuple

from vlaezip.coding.ans import Message, whiten


class Codec(NamedTuple):
    """A matched pair. The law: pop(push(message, x)) == (message, x)."""

    push: Callable[[Message, Any], Message]
    pop: Callable[[Message], tuple[Message, Any]]


def bits_back(prior: Codec, likelihood: Callable[[Any], Codec], posterior: Callable[[Any], Codec]) -> Codec:
    """Code x through a latent z at the price of -ELBO (BB-ANS, Townsend et al. 2019, table 1).

    The law holds for every message that has the bits for posterior(x) to pop; -log2 q(z|x) of them come back.
    """

    def push(message: Message, x: Any) -> Message:
        message, z = posterior(x).pop(message)
        message = likelihood(z).push(message, x)
        return prior.push(message, z)

    def pop(message: Message) -> tuple[Message, Any]:
        message, z = prior.pop(message)
        message, x = likelihood(z).pop(message)
        return posterior(x).push(message, z), x

    return Codec(push, pop)


def latent_first(prior: Codec, likelihood: Callable[[Any], Codec], encode: Callable[[Any], Any]) -> Codec:
    """Code x through z = encode(x), without a refund: for the first block, when nothing is on the stack."""

    def push(message: Message, x: Any) -> Message:
        z = encode(x)
        return prior.push(likelihood(z).push(message, x), z)

    def pop(message: Message) -> tuple[Message, Any]:
        message, z = prior.pop(message)
        return likelihood(z).pop(message)

    return Codec(push, pop)


def whitened(codec: Codec, number: int) -> Codec:
    """The codec on a message under a key stream: what it pops first is uniform, whatever was pushed before."""

    def push(message: Message, x: Any) -> Message:
        return whiten(codec.push(message, x), number)

    return Codec(push, lambda message: codec.pop(whiten(message, number)))
