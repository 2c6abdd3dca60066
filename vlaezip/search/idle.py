"""Idle cores, for torch: its threads wait for each other many times a step, so one on a busy core holds up all.

How many there are is measured by taking them for a moment: it is their share of time that a search would get, whether
others work beside it, or whether a container lends it less than there is.
"""

import os
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vlaezip.exact import threads
from vlaezip.search.effort import Progress

GLANCE_SECONDS = 0.03
GLANCES = 3  # the best of so many counts: what works for a moment only is no matter
WHOLE = 0.8  # share of a core's time that makes it idle: what is beside it is nicer
APART_SECONDS = 3.0  # between looks
BLOCK = bytes(1 << 20)
BORN = os.getpid()

before: list[int] = []  # torch's number of threads, which is its whole process', for each search that goes on


@contextmanager
def torch_threads(progress: Progress) -> Iterator[Progress]:
    """Torch takes the cores that are idle, and afterwards as many as before.

    Gives what is to hear of each step: it tells progress, and from time to time looks how many are idle now.
    """
    given = before[0] if before else torch.get_num_threads()
    due = 0.0

    def recount() -> None:
        nonlocal due
        if time.monotonic() >= due:
            torch.set_num_threads(idle(given))
            due = time.monotonic() + APART_SECONDS

    def step_done(share: float) -> None:
        recount()
        progress(share)

    before.append(given)
    try:
        recount()
        yield step_done
    finally:
        before.pop()
        torch.set_num_threads(given)


def idle(most: int) -> int:
    """How many cores are idle, 1..most. One in a child that was forked: OpenMP's threads are not there any more."""
    if os.getpid() != BORN:
        return 1
    found = 1
    for _ in range(GLANCES):
        if found < most:
            found = max(found, sum(share >= WHOLE for share in shares(most)))
    return found


def shares(count: int) -> list[float]:
    """Of a core's time, as so many threads get it that want it all."""
    found = []

    def take(_: int) -> None:
        begin, used = time.perf_counter(), time.thread_time()
        while (passed := time.perf_counter() - begin) < GLANCE_SECONDS:
            zlib.crc32(BLOCK)  # which lets other threads run
        found.append((time.thread_time() - used) / passed)

    threads.together(take, count)
    return found
