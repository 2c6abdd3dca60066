"""Symbols that no net predicts: uniform, one of n, or categorical, one of a few of known weights."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding import ans
from vlaezip.coding.ans import Message, pop_symbol, target
from vlaezip.coding.bits_back import Codec
from vlaezip.coding.tables import LOG2, LOG2_BITS, LOG2_STEPS, PRECISION, WEIGHT
from vlaezip.exact.kernel_cache import kernel

Longs = NDArray[np.int64]
TOTAL = 1 << PRECISION
FINE_BITS = 8  # by which weights here are finer than those of mixtures
LEAST_WEIGHT = 1  # of 2**20: what a symbol weighs at the least, so that it can be coded
LOGITS_BITS = 10
LOGITS_PER_BIT = 45_426  # 64 ln 2, in 2**-LOGITS_BITS: bits to 1/64 nat
GAP_MAX = 1 << 40  # bits in 2**-16: a symbol so far below the best weighs the least


@kernel()
def uniform_kernel(heads: Any, words: Any, counts: Any, symbols: Any) -> int:
    """Pop symbols, each one of so many that are alike. -> number of words left, or -1 if the stack ran dry."""
    left = len(words)
    for i in range(len(counts)):
        lane, count = i % len(heads), counts[i]
        symbol = ((target(heads[lane]) + 1) * count - 1) >> PRECISION
        start, end = (symbol << PRECISION) // count, ((symbol + 1) << PRECISION) // count
        heads[lane], left = pop_symbol(heads[lane], words, left, start, end - start)
        if left < 0:
            return -1
        symbols[i] = symbol
    return left


@kernel()
def categorical_kernel(heads: Any, words: Any, table: Any, symbols: Any) -> int:
    """Pop symbols of categorical distributions, a row of cumulative frequencies each. -> as uniform_kernel."""
    left = len(words)
    for i in range(len(table)):
        lane = i % len(heads)
        symbol = np.searchsorted(table[i], target(heads[lane]), side="right") - 1
        start, end = table[i, symbol], table[i, symbol + 1]
        heads[lane], left = pop_symbol(heads[lane], words, left, start, end - start)
        if left < 0:
            return -1
        symbols[i] = symbol
    return left


def pushed(message: Message, starts: Longs, ends: Longs) -> Message:
    """One vector of symbols, by their intervals."""
    return ans.push_vector(message, starts.astype(np.uint32), (ends - starts).astype(np.uint32))


def popped(message: Message, kernel: Any, table: Longs) -> tuple[Message, Longs]:
    """A row of the table for each symbol. Raises CorruptFile when the stack runs dry."""
    heads, symbols = message.heads.copy(), np.empty(len(table), np.int64)
    left = kernel(heads, message.words, table, symbols)
    return ans.after_pops(heads, message.words, left), symbols


def uniform(counts: Longs) -> Codec:
    """Symbols, the i-th one of 0..counts[i] - 1, at log2 counts[i] bits. counts: int64 [N], 1..2**22."""

    def push(message: Message, symbols: Longs) -> Message:
        return pushed(message, (symbols << PRECISION) // counts, ((symbols + 1) << PRECISION) // counts)

    return Codec(push, lambda message: popped(message, uniform_kernel, counts))


def categorical(table: Longs) -> Codec:
    """Symbols of which the i-th is k with the interval table[i, k] .. table[i, k + 1], in 2**-22. int64 [N, K + 1]."""

    def push(message: Message, symbols: Longs) -> Message:
        rows = np.arange(len(symbols))
        return pushed(message, table[rows, symbols], table[rows, symbols + 1])

    return Codec(push, lambda message: popped(message, categorical_kernel, table))


def log2(numbers: NDArray[np.integer[Any]]) -> Longs:
    """log2 of numbers in 1..2**22, in 2**-16: integers, the same everywhere, and right to two units."""
    fraction, exponent = np.frexp(numbers.astype(np.float64))  # exact
    place, rest = np.divmod((fraction * (2 << PRECISION)).astype(np.int64) - TOTAL, TOTAL // LOG2_STEPS)
    between = (LOG2[place + 1] - LOG2[place]) * rest * LOG2_STEPS >> PRECISION
    result: Longs = ((exponent.astype(np.int64) - 1) << LOG2_BITS) + LOG2[place] + between
    return result


def cumulative_table(log_weights: Longs) -> Longs:
    """The table for categorical() whose weights have these logarithms, in 2**-16 bits: [N, K] -> [N, K + 1]."""
    below = np.minimum(log_weights.max(1, keepdims=True) - log_weights, GAP_MAX)
    place = np.minimum((below * LOGITS_PER_BIT) >> (LOG2_BITS + LOGITS_BITS), len(WEIGHT) - 1)
    upto = np.cumsum((WEIGHT[place] << FINE_BITS) + LEAST_WEIGHT, 1)
    k = log_weights.shape[1]
    inner = upto * (TOTAL - k) // upto[:, -1:] + np.arange(1, k + 1)
    return np.concatenate([np.zeros((len(log_weights), 1), np.int64), inner], 1)
