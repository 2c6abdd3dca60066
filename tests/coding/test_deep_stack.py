"""Stacks in two parts: nothing is lost or moved, whatever is spilt and refilled."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vlaezip.coding.ans import Message
from vlaezip.coding.deep_stack import DeepStack, flatten, refill, spill


@given(st.integers(0, 50), st.lists(st.tuples(st.booleans(), st.integers(0, 60), st.integers(0, 9)), max_size=12))
def test_spilling_and_refilling_change_nothing(count, moves):
    heads, stack = np.array([1 << 40], np.uint64), DeepStack(Message(np.array([1 << 40], np.uint64), words(0, count)))
    for up, size, more in moves:
        before = flatten(stack).words
        stack = (refill if up else spill)(stack, size)
        assert (flatten(stack).words == before).all()
        top = stack.message.words
        assert len(top) >= min(size, len(before)) if up else len(top) <= max(size, 0)
        stack = stack._replace(message=Message(heads, np.append(top, words(1000, more))))
    assert (flatten(stack).heads == heads).all()


def words(first, count):
    return np.arange(first, first + count, dtype=np.uint32)


def test_what_is_spilt_is_no_view_of_what_stays():
    stack = spill(DeepStack(Message(np.array([1 << 40], np.uint64), words(0, 20))), 5)
    assert stack.message.words.base is None
    assert stack.below[0].base is None
