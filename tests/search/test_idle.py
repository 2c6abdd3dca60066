"""Searches take the cores that are idle, tell how far they are, and leave torch as it was."""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from pictures import photo

import vlaezip
from vlaezip import api
from vlaezip.search import idle
from vlaezip.search.effort import unheard

FORKED = """
import os, sys, threading, torch, vlaezip, vlaezip.search.idle
from PIL import Image
torch.set_num_threads(2)
image = Image.radial_gradient("L").resize((72, 48)).convert("RGB").rotate(30)
torch.ones(1 << 22).sum()  # in two threads
if (child := os.fork()) == 0:
    vlaezip.compress(image, effort=1, device="cpu")
    os._exit(7)
threading.Timer(90, os.kill, (child, 9)).start()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
sys.stdout.flush()
os._exit(0)
"""


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [([[1.0, 0.97]], 2), ([[0.5, 0.99]] * 3, 1), ([[0.3, 0.2]] * 3, 1), ([[0.5, 1.0], [1.0, 1.0]], 2)],
    ids=["idle", "one is busy", "all are busy", "busy for a moment"],
)
def test_cores_that_others_use_are_not_idle(monkeypatch, shares, expected):
    given = iter(shares)
    monkeypatch.setattr(idle, "shares", lambda count: next(given))
    assert idle.idle(2) == expected
    assert not list(given)


def test_one_core_needs_no_look(monkeypatch):
    monkeypatch.setattr(idle, "shares", None)
    assert idle.idle(1) == 1


def test_shares_are_of_a_core():
    found = idle.shares(2)
    assert len(found) == 2
    assert all(0 < share < 1.1 for share in found)


def test_more_threads_than_cores_have_no_core_each():
    """As if others used them."""
    count = 4 * len(os.sched_getaffinity(0))
    assert idle.idle(count) < count


def test_torch_has_the_idle_cores_now_and_then_and_is_left_as_it_was(two_threads, monkeypatch):
    found, time = iter([1, 2]), iter([0.0, 0.0, 1.0, 9.0, 9.0])
    monkeypatch.setattr(idle, "idle", lambda most: next(found))
    monkeypatch.setattr(idle.time, "monotonic", lambda: next(time))
    with idle.torch_threads(unheard) as step_done:
        assert torch.get_num_threads() == 1
        step_done(0.1)
        assert torch.get_num_threads() == 1
        step_done(0.2)
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 2


def test_torch_is_left_as_it_was_by_an_error_and_by_searches_at_once(two_threads, monkeypatch):
    """Each begins while another one has changed the number, which belongs to the process."""
    asked, inside, go = [], threading.Event(), threading.Event()
    monkeypatch.setattr(idle, "idle", lambda most: asked.append(most) or 1)

    def other():
        with idle.torch_threads(unheard):
            inside.set()
            go.wait(60)

    thread = threading.Thread(target=other, daemon=True)
    with suppress(ZeroDivisionError), idle.torch_threads(unheard):
        thread.start()
        inside.wait(60)
        raise ZeroDivisionError
    assert torch.get_num_threads() == 2
    go.set()
    thread.join(60)
    found = []
    last = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    last.start()
    last.join(60)
    assert (asked, found, idle.before) == ([2, 2], [2], [])


def test_a_search_tells_how_far_it_is(two_threads):
    """And the same file comes of it."""
    image, heard = photo(48, 72), []
    data = api.compress(image, effort=1, progress=heard.append)
    assert len(heard) > 1
    assert all(0 < a < b for a, b in pairwise(heard))
    assert heard[-1] == 1
    assert data == api.compress(image, effort=1)


def test_who_hears_may_end_the_search(two_threads, monkeypatch):
    monkeypatch.setattr(idle, "idle", lambda most: 1)
    with pytest.raises(KeyboardInterrupt):
        api.compress(photo(48, 72), effort=1, progress=stop)
    assert torch.get_num_threads() == 2


def stop(share):
    raise KeyboardInterrupt


def test_a_forked_child_can_search():
    """OpenMP's threads stay with the parent, and a child would wait for them for ever."""
    environment = os.environ | {"PYTHONPATH": str(Path(vlaezip.__file__).parents[1])}
    words = [sys.executable, "-c", FORKED]
    assert subprocess.run(words, env=environment, capture_output=True, check=True, timeout=300).stdout == b"7\n"
