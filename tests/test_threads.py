"""How many threads there are, and that all of them work."""

import os
import subprocess
import sys

import pytest

from vlaezip import threads


@pytest.mark.parametrize(
    ("told", "expected"), [("1", 1), ("2", 2), ("64", threads.MOST), ("", None), ("0", None), ("many", None)]
)
def test_the_number_of_threads_without_torch(told, expected):
    """The child has no torch to ask."""
    code = "from vlaezip import threads; print(threads.count())"
    environment = os.environ | {"OMP_NUM_THREADS": told}
    found = int(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert found == (expected or min(threads.MOST, cores))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_all_parts_are_done(count):
    done = []
    threads.together(done.append, count)
    assert sorted(done) == list(range(count))


def test_an_error_of_a_thread_is_not_lost():
    with pytest.raises(ZeroDivisionError):
        threads.together(lambda n: 1 // n, 2)
