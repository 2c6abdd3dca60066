"""Symbols under mixtures of logistics as a codec: what is popped is searched for, by the targets of the stack."""

from typing import Any

import numpy as np

from vlaezip.coding import ans
from vlaezip.coding.ans import Message, pop_symbol, target
from vlaezip.coding.bits_back import Codec
from vlaezip.coding.logistic import Grid, Ints, Mixture, intervals
from vlaezip.coding.quantiles import BATCH, SEARCH, find, guesses
from vlaezip.exact.kernel_cache import kernel


@kernel()
def pop_kernel(heads: Any, words: Any, first: int, mix: Any, guess: Any, grid: Any, symbols: Any) -> int:
    """Pop one vector from symbol `first` on. -> number of words left, or -1 if the stack ran dry.

    As many symbols as there are lanes know their targets at once: they are searched for together, then popped in order.
    """
    left, lanes = len(words), len(heads)
    memory = np.empty(1, SEARCH)
    lane = first % lanes
    for done in range(0, len(symbols), min(lanes, BATCH)):
        n = min(lanes, BATCH, len(symbols) - done)
        for j in range(n):
            at = lane + j - (lanes if lane + j >= lanes else 0)
            memory[0].target[j] = target(heads[at])
        find(mix, guess, grid, done, n, memory)
        for j in range(n):
            start, end = memory[0].start[j], memory[0].end[j]
            heads[lane], left = pop_symbol(heads[lane], words, left, start, end - start)
            if left < 0:
                return -1
            symbols[done + j] = memory[0].symbol[j]
            lane = lane + 1 if lane + 1 < lanes else 0
    return left


def codec(mix: Mixture, grid: Grid) -> Codec:
    """One vector of N symbols. Its pop raises CorruptFile when the stack runs dry."""

    def push(message: Message, symbols: Ints) -> Message:
        return ans.push_vector(message, *intervals(mix, grid, symbols))

    def pop(message: Message) -> tuple[Message, Ints]:
        heads, symbols = message.heads.copy(), np.empty(len(grid.step), np.int32)
        left = pop_kernel(heads, message.words, 0, mix, guesses(mix), grid, symbols)
        return ans.after_pops(heads, message.words, left), symbols

    return Codec(push, pop)
