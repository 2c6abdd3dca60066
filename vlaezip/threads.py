"""Threads: how many there are to use, and how to use them. No byte depends on it."""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

MOST = 8  # more than two were not measured


def count() -> int:
    """Threads for a picture: what a program told torch, or OMP_NUM_THREADS, or the process' cores; at most MOST."""
    if (torch := sys.modules.get("torch")) is not None:
        return min(MOST, int(torch.get_num_threads()))
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdecimal() and int(told) > 0:
        return min(MOST, int(told))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(MOST, cores or 1)


def together(work: Callable[[int], None], count: int) -> None:
    """work(0) .. work(count - 1), a thread each."""
    if count == 1:
        work(0)
        return
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, range(count)))
