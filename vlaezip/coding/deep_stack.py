"""A long stack in two parts, so that what is done at its top costs nothing below: a message, and words under it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.ans import Message


class DeepStack(NamedTuple):
    """A message, and what lies under its words: arrays, the lowest first. The law: flatten() knows no difference."""

    message: Message
    below: tuple[NDArray[np.uint32], ...] = ()


def spill(stack: DeepStack, count: int) -> DeepStack:
    """Move words down, so that at most so many are on top."""
    message, words = stack.message, stack.message.words
    if len(words) <= count:
        return stack
    down, up = np.split(words, [len(words) - count])
    return DeepStack(Message(message.heads, up.copy()), (*stack.below, down.copy()))


def refill(stack: DeepStack, count: int) -> DeepStack:
    """Move words up, so that at least so many are on top, as far as there are any."""
    (heads, words), below = (stack.message.heads, stack.message.words), stack.below
    if len(words) >= count or not below:
        return stack
    up = [words]
    while below and (missing := count - sum(map(len, up))) > 0:
        last = below[-1]
        keep = max(0, len(last) - missing)
        up.insert(0, last[keep:])
        below = (*below[:-1], last[:keep]) if keep else below[:-1]
    return DeepStack(Message(heads, np.concatenate(up)), below)


def word_count(stack: DeepStack) -> int:
    """Number of words, on top and below."""
    return sum(map(len, stack.below)) + len(stack.message.words)


def flatten(stack: DeepStack) -> Message:
    """The message with all of its words."""
    if not stack.below:
        return stack.message
    return Message(stack.message.heads, np.concatenate([*stack.below, stack.message.words]))
