"""How many threads there are, and that all of them work."""

import os
import subprocess
import sys
import threading
import types

import pytest

from vlaezip.exact import threads


@pytest.mark.parametrize(
    ("told", "expected"), [("1", 1), ("2", 2), ("64", threads.MAX_THREADS), ("", None), ("0", None), ("many", None)]
)
def test_the_number_of_threads_without_torch(told, expected):
    """The child has no torch to ask."""
    code = "from vlaezip.exact import threads; print(threads.count())"
    environment = os.environ | {"OMP_NUM_THREADS": told}
    found = int(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert found == (expected or min(threads.MAX_THREADS, cores))


@pytest.mark.parametrize("there", [[], ["get_num_threads"]])
def test_torch_that_another_thread_is_importing(there, monkeypatch):
    """Modules are in sys.modules before their names are in them."""
    half = types.SimpleNamespace(**dict.fromkeys(there, lambda: 3))
    monkeypatch.setitem(sys.modules, "torch", half)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads.count() == (3 if there else 2)


def test_torch_that_is_told_not_to_be_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads.count() == 2


@pytest.mark.parametrize("count", [1, 2, 5])
def test_all_parts_are_done(count):
    done = []
    threads.together(done.append, count)
    assert sorted(done) == list(range(count))


@pytest.mark.parametrize("given", [0, 1, 2])
def test_all_parts_are_done_by_as_many_threads_as_there_are(given, monkeypatch):
    begin, left = threading.Thread.start, iter([True] * given)

    def start(thread):
        if not next(left, False):
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    done = []
    threads.together(done.append, 4)
    assert sorted(done) == list(range(4))
    left = iter([True] * given)
    with threads.team(4) as team:
        assert team.size == 1 + given


FORKED = """
import os, sys, threading, vlaezip
from PIL import Image
from vlaezip.exact import threads
from vlaezip.model import local_ar
threads.count = lambda: 2
image = Image.radial_gradient("L").resize((96, 64)).convert("RGB").rotate(30)
file = vlaezip.compress(image, lossless=True, device="cpu")
def same():
    back = vlaezip.decompress(file, device="cpu").tobytes() == image.tobytes()
    return back and vlaezip.compress(image, lossless=True, device="cpu") == file
assert same()
if (child := os.fork()) == 0:
    os._exit(7 if same() else 1)
threading.Timer(60, os.kill, (child, 9)).start()
found = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
def start(thread):
    raise RuntimeError("can't start new thread")
threading.Thread.start = start
print(found, same())
sys.stdout.flush()
os._exit(0)
"""


def test_a_forked_child_and_a_process_without_threads_make_the_same():
    """The parent has used its threads before, and gets no more of them after."""
    words = [sys.executable, "-c", FORKED]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout == "7 True\n"


def test_threads_that_got_no_work_leave():
    before = threading.active_count()
    with threads.team(3):
        assert threading.active_count() == before + 2
    assert threading.active_count() == before


def test_threads_that_were_started_leave_where_another_start_fails(monkeypatch):
    """With what is no lack of threads: a memory error, or Ctrl-C."""
    begin, before = threading.Thread.start, threading.active_count()

    def start(thread):
        begin(thread)
        if threading.active_count() == before + 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(KeyboardInterrupt):
        threads.together(lambda n: None, 4)
    for thread in set(threading.enumerate()) - {threading.current_thread()}:
        thread.join(10)
    assert threading.active_count() == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, SystemExit])
@pytest.mark.parametrize("whose", [0, 1])
def test_those_that_wait_for_a_thread_that_failed_hear_of_it(whose, error):
    def work(part):
        if part == whose:
            raise error
        for _ in range(1000):
            if team.broken:
                heard.append(part)
                return
            threading.Event().wait(0.01)

    heard = []
    with pytest.raises(error), threads.team(2) as team:
        team.run(work)
    assert heard == [1 - whose]


def test_ctrl_c_while_waiting_for_others(monkeypatch):
    def work(part):
        while part and not team.broken:
            threading.Event().wait(0.01)

    def join(thread, timeout=None):
        if not team.broken:
            raise KeyboardInterrupt
        wait(thread, timeout)

    wait = threading.Thread.join
    monkeypatch.setattr(threading.Thread, "join", join)
    with pytest.raises(KeyboardInterrupt), threads.team(2) as team:
        team.run(work)


def test_an_error_of_a_thread_is_not_lost():
    with pytest.raises(ZeroDivisionError):
        threads.together(lambda n: 1 // n, 2)
