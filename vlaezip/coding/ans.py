"""rANS with 64-bit heads on one shared stack of 32-bit words (Duda 2013; interleaved as in Giesen 2014).

A symbol is an interval of 0..2**22, its start and its frequency; which one, modules above know. A message is a value:
nothing here changes one. Symbol i of a vector is coded by lane i mod L. Heads stay in [2**31, 2**63). A stack that runs
dry is a corrupt file, never random data.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.tables import PRECISION
from vlaezip.errors import CorruptFile
from vlaezip.exact.kernel_cache import kernel

HEAD_LOW = 1 << 31
WHITE_WORDS = 1 << 18  # from the top of the stack: more than a block takes
MASK = np.uint64((1 << PRECISION) - 1)
SHIFT = np.uint64(PRECISION)
WORD = np.uint64(32)
WORD_MASK = np.uint64(0xFFFFFFFF)
ROOM = np.uint64(63 - PRECISION)
LOW = np.uint64(HEAD_LOW)


@dataclass(frozen=True, slots=True)
class Message:
    """heads: uint64 [L]. words: uint32 [n], the top of the stack last."""

    heads: NDArray[np.uint64]
    words: NDArray[np.uint32]

    @property
    def bits(self) -> int:
        """Size when written."""
        return 64 * len(self.heads) + 32 * len(self.words)


def empty(lanes: int) -> Message:
    """A message that holds nothing."""
    return Message(np.full(lanes, HEAD_LOW, np.uint64), np.zeros(0, np.uint32))


def is_empty(message: Message) -> bool:
    """Whether all that was pushed has been popped."""
    return len(message.words) == 0 and bool((message.heads == HEAD_LOW).all())


def whiten(message: Message, number: int) -> Message:
    """The message under a key stream (Philox, Salmon et al. 2011), all but the top of each head; its own inverse.

    What is popped from a stack is as random as what was pushed was expected, so pictures unlike those that a model
    knows leave a bias. number: of the stream, below 2**64.
    """
    count, top = len(message.heads), message.words[-WHITE_WORDS:]
    stream = np.random.Philox(key=np.array([number, 0], np.uint64)).random_raw(count + (len(top) + 1) // 2)
    words = message.words.copy()
    words[-WHITE_WORDS:] = top ^ stream[count:].astype("<u8").view("<u4")[: len(top)]
    return Message(message.heads ^ (stream[:count] & np.uint64(HEAD_LOW - 1)), words)


def write(message: Message) -> bytes:
    """Heads, then words from the bottom of the stack; little-endian."""
    return b"".join([message.heads.astype("<u8").tobytes(), message.words.astype("<u4", copy=False).data])


def read(data: bytes | memoryview, lanes: int) -> Message:
    """Inverse of write. Raises CorruptFile."""
    if len(data) < 8 * lanes or len(data) % 4:
        raise CorruptFile(f"{lanes} lanes need {8 * lanes} bytes and whole words, the data has {len(data)}")
    heads = np.frombuffer(data, "<u8", lanes).astype(np.uint64)
    if ((heads < HEAD_LOW) | (heads >= 1 << 63)).any():
        raise CorruptFile("the head of a lane is outside 2**31 .. 2**63")
    return Message(heads, np.frombuffer(data, "<u4", offset=8 * lanes).astype(np.uint32))


@kernel()
def push_kernel(heads: Any, words: Any, starts: Any, freqs: Any, bounds: Any) -> int:
    """Push vectors, the last first; each ends where the next begins. -> number of words written."""
    count, lanes = 0, len(heads)
    for v in range(len(bounds) - 2, -1, -1):
        lane = (bounds[v + 1] - bounds[v]) % lanes
        for i in range(bounds[v + 1] - 1, bounds[v] - 1, -1):
            lane = lane - 1 if lane else lanes - 1
            head, freq = heads[lane], np.uint64(freqs[i])
            if head >= (freq << ROOM):
                words[count] = np.uint32(head & WORD_MASK)
                count += 1
                head >>= WORD
            heads[lane] = ((head // freq) << SHIFT) + head % freq + np.uint64(starts[i])
    return count


def push(message: Message, starts: NDArray[np.uint32], freqs: NDArray[np.uint32], bounds: NDArray[np.int64]) -> Message:
    """Push symbols given as intervals of 2**-22: vectors [bounds[v], bounds[v + 1]), so that pop meets them in order.

    The law: popping the same vectors, first to last, gives the symbols and the message back.
    """
    heads, words = message.heads.copy(), np.empty(len(starts), np.uint32)
    count = push_kernel(heads, words, starts, freqs, bounds)
    return Message(heads, np.concatenate([message.words, words[:count]]))


def push_vector(message: Message, starts: NDArray[np.uint32], freqs: NDArray[np.uint32]) -> Message:
    """push() of one vector."""
    return push(message, starts, freqs, np.array([0, len(starts)]))


@kernel(inline="always")
def target(head: Any) -> Any:
    """Where in 0..2**22 the next symbol of a lane lies."""
    return np.int64(head & MASK)


@kernel(inline="always")
def pop_symbol(head: Any, words: Any, left: int, start: Any, freq: Any) -> Any:
    """Pop the symbol that holds the target. -> the new head, and the number of words left, -1 if the stack ran dry.

    The head is returned for kernels to store, as numba counts references to arrays that an inlined function changes.
    """
    head = np.uint64(freq) * (head >> SHIFT) + ((head & MASK) - np.uint64(start))
    if head < LOW:
        left -= 1
        if left >= 0:
            head = (head << WORD) | np.uint64(words[left])
    return head, left


def after_pops(heads: NDArray[np.uint64], words: NDArray[np.uint32], left: int) -> Message:
    """The message of which so many words are left. Raises CorruptFile if these are -1: the stack ran dry."""
    if left < 0:
        raise CorruptFile("the data ends before the picture does")
    return Message(heads, words[:left])
