"""Threads: how many there are to use, and how to use them. No byte depends on it."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

MAX_THREADS = 8  # more than two were not measured

Work = Callable[[int], None]


def count() -> int:
    """Threads for a picture, up to MAX_THREADS: as a program told torch, or OMP_NUM_THREADS, or the process' cores."""
    torch = sys.modules.get("torch")
    if (ask := getattr(torch, "get_num_threads", None)) is not None:  # another thread may be about to import it
        return min(MAX_THREADS, int(ask()))
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdecimal() and int(told) > 0:
        return min(MAX_THREADS, int(told))
    return min(MAX_THREADS, cores())


def cores() -> int:
    """Cores of the process."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return found or 1


def together(work: Work, count: int) -> None:
    """Call work(0) .. work(count - 1), a thread each, or in as many as the system gives."""

    def some(first: int) -> None:
        for number in range(first, count, crew.size):
            work(number)

    with team(count) as crew:
        crew.run(some)


class Team:
    """The caller's thread and others that have started already, so that work may be divided by their number."""

    def __init__(self) -> None:
        self.others: list[Thread] = []
        self.errors: list[BaseException] = []
        self.work: Work | None = None
        self.ready = Event()

    @property
    def size(self) -> int:
        return 1 + len(self.others)

    @property
    def broken(self) -> bool:
        """Whether a thread has failed. Who waits for others has to look at this, as they may never come."""
        return bool(self.errors)

    def run(self, work: Work) -> None:
        """Call work(0) .. work(size - 1), once. Raises the first error of any thread, when all have left."""
        self.work = work
        self.ready.set()
        self.do(0)
        self.wait()
        self.work = None  # which knows the team in its turn, and all that it worked on
        if self.errors:
            raise self.errors[0]

    def do(self, number: int) -> None:
        """Do a thread's part of the work, once there is some, and note whatever becomes of it."""
        try:
            self.ready.wait()
            if self.work is not None:
                self.work(number)
        except BaseException as error:
            self.errors.append(error)

    def wait(self) -> None:
        """Wait until all others have left."""
        try:
            for thread in self.others:
                thread.join()
        except BaseException as error:  # Ctrl-C
            self.errors.append(error)
            raise


@contextmanager
def team(count: int) -> Iterator[Team]:
    """A team of so many threads, or of fewer where the system gives no more."""
    found = Team()
    try:
        with suppress(RuntimeError):  # can't start new thread
            for number in range(1, count):
                thread = Thread(target=found.do, args=(number,))
                thread.start()
                found.others.append(thread)
        yield found
    finally:
        found.ready.set()
        found.wait()
