"""A long stack in two parts, so that what is done at its top costs nothing below: a message, and words under it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.ans import Message


class Deep(NamedTuple):
    """A message, and what lies under its words: arrays, the lowest first. The law: whole() knows no difference."""

    message: Message
    below: tuple[NDArray[np.uint32], ...] = ()


def sink(deep: Deep, count: int) -> Deep:
    """At most so many words on top."""
    message, words = deep.message, deep.message.words
    if len(words) <= count:
        return deep
    down, up = np.split(words, [len(words) - count])
    return Deep(Message(message.heads, up.copy()), (*deep.below, down.copy()))


def lift(deep: Deep, count: int) -> Deep:
    """At least so many words on top, as far as there are any."""
    (heads, words), below = (deep.message.heads, deep.message.words), deep.below
    if len(words) >= count or not below:
        return deep
    up = [words]
    while below and (missing := count - sum(map(len, up))) > 0:
        last = below[-1]
        keep = max(0, len(last) - missing)
        up.insert(0, last[keep:])
        below = (*below[:-1], last[:keep]) if keep else below[:-1]
    return Deep(Message(heads, np.concatenate(up)), below)


def length(deep: Deep) -> int:
    """Words of the whole."""
    return sum(map(len, deep.below)) + len(deep.message.words)


def whole(deep: Deep) -> Message:
    """The message with all of its words."""
    return (
        Message(deep.message.heads, np.concatenate([*deep.below, deep.message.words])) if deep.below else deep.message
    )
