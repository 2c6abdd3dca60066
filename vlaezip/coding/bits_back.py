"""Codecs: matched pairs of push and pop on a message, and how they compose (after craystack, Townsend et al. 2020)."""

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from vlaezip.coding.ans import Message, whiten

M = TypeVar("M")  # a message, or a list of messages for a batch


class Pair(NamedTuple, Generic[M]):
    """A matched pair. The law: pop(push(message, x)) == (message, x)."""

    push: Callable[[M, Any], M]
    pop: Callable[[M], tuple[M, Any]]


Codec = Pair[Message]


def bits_back(prior: Pair[M], likelihood: Callable[[Any], Pair[M]], posterior: Callable[[Any], Pair[M]]) -> Pair[M]:
    """Code x through a latent z at the price of -ELBO (BB-ANS, Townsend et al. 2019, table 1).

    The law holds for every message that has the bits for posterior(x) to pop; -log2 q(z|x) of them come back.
    """

    def push(message: M, x: Any) -> M:
        message, z = posterior(x).pop(message)
        message = likelihood(z).push(message, x)
        return prior.push(message, z)

    def pop(message: M) -> tuple[M, Any]:
        message, z = prior.pop(message)
        message, x = likelihood(z).pop(message)
        return posterior(x).push(message, z), x

    return Pair(push, pop)


def latent_first(prior: Pair[M], likelihood: Callable[[Any], Pair[M]], encode: Callable[[Any], Any]) -> Pair[M]:
    """Code x through z = encode(x), without a refund: for the first block, when nothing is on the stack."""

    def push(message: M, x: Any) -> M:
        z = encode(x)
        return prior.push(likelihood(z).push(message, x), z)

    def pop(message: M) -> tuple[M, Any]:
        message, z = prior.pop(message)
        return likelihood(z).pop(message)

    return Pair(push, pop)


def whitened(codec: Codec, number: int) -> Codec:
    """The codec on a message under a key stream: what it pops first is uniform, whatever was pushed before."""

    def push(message: Message, x: Any) -> Message:
        return whiten(codec.push(message, x), number)

    return Codec(push, lambda message: codec.pop(whiten(message, number)))
