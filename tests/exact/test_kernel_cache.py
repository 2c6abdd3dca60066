"""Compiled kernels: kept for the code that they are made of, safe from others, and never in the way."""

import ast
import errno
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numba
import pytest

from vlaezip.exact import kernel_cache

PACKAGE = Path(kernel_cache.__file__).parents[1]
KNOW = """
import numpy as np
from vlaezip.model.window import write_contrasts
known = np.zeros((1, 1), np.int16)
write_contrasts(np.array([[255]], np.int32), np.array([[0]], np.int32), np.zeros(1, np.int64), known)
print(known[0, 0], sum(write_contrasts.stats.cache_hits.values()))
"""  # a contrast beyond CONTRAST_MAX, which stands in another file
EVERYTHING = """
import sys, numba, vlaezip
from PIL import Image
image = Image.linear_gradient("L").resize((40, 30)).convert("RGB").rotate(30)
for lossless in (True, False):
    vlaezip.decompress(vlaezip.compress(image, lossless=lossless, device="cpu"), device="cpu")
modules = [module for name, module in sys.modules.items() if name.startswith("vlaezip")]
kernels = [k for m in modules for k in vars(m).values() if isinstance(k, numba.core.dispatcher.Dispatcher)]
print(*[k.__name__ for k in kernels if sum(k.stats.cache_misses.values())])
"""

FORK = """
import os, sys, threading, time
from numba.core.compiler_lock import global_compiler_lock
from vlaezip.model.wavefront import wavefront
held = threading.Event()
def compile():
    with global_compiler_lock:
        held.set()
        time.sleep(0.3)
threading.Thread(target=compile, daemon=True).start()
held.wait()
if (child := os.fork()) == 0:
    wavefront(1, 2, 3)
    os._exit(7)
threading.Timer(60, os.kill, (child, 9)).start()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
sys.stdout.flush()
os._exit(0)
"""


def twice(x):
    return 2 * x


def fresh():
    """A kernel that this process has not compiled yet."""
    return kernel_cache.kernel()(twice)


def hits(kernel):
    return sum(kernel.stats.cache_hits.values())


def child(code, package=PACKAGE, **environment):
    words = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": str(package.parent)} | environment
    return subprocess.Popen(words, cwd=package.parent, env=environment, stdout=subprocess.PIPE, text=True)


def said(process):
    try:
        out, _ = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0
    return out.split()


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No folder can be made, as below a file: what a superuser may do is no matter."""
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(kernel_cache, "user_cache_path", lambda *words, **named: file / "own")
    monkeypatch.setattr(tempfile, "tempdir", str(file / "shared"))
    kernel_cache.folder.cache_clear()
    yield file
    kernel_cache.folder.cache_clear()


@pytest.fixture
def place(nowhere, tmp_path, monkeypatch):
    """The folder where kernels are kept."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "told"))
    return kernel_cache.folder()


def imported(name):
    """Modules and packages of vlaezip that a source imports."""
    for path in (PACKAGE / f"{name}.py", *(PACKAGE / name).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())) if path.exists() else ():
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "vlaezip":
                yield from node.module.split(".")[1:2] or [alias.name for alias in node.names]


def test_sources_are_all_that_kernels_are_made_of():
    wanted = {path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py") if "@kernel(" in path.read_text()}
    wanted = {name.removesuffix(".py") for name in wanted}
    while more := {name for each in wanted for name in imported(each)} - wanted:
        wanted |= more
    assert wanted == set(kernel_cache.SOURCES)


def test_no_kernel_is_kept_in_another_way():
    assert [path.name for path in PACKAGE.rglob("*.py") if "cache=True)" in path.read_text()] == []


def test_code_of_another_version_is_not_run(tmp_path):
    """An upgrade changes a constant in another file than the kernel's; the older version stays, and finds its own."""
    old, new = PACKAGE, tmp_path / "vlaezip"
    shutil.copytree(old, new, ignore=shutil.ignore_patterns("__pycache__", "models"))
    source = new / "model/window_kinds.py"
    source.write_text(source.read_text().replace("CONTRAST_MAX = 1023", "CONTRAST_MAX = 1000"))
    told = {"NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    assert said(child(KNOW, old, **told)) == ["1023", "0"]
    assert said(child(KNOW, new, **told)) == ["1000", "0"]
    assert said(child(KNOW, old, **told)) == ["1023", "1"]
    assert said(child(KNOW, new, **told)) == ["1000", "1"]
    assert len(list((tmp_path / "kept" / "vlaezip").iterdir())) == 2


def test_another_processor_has_a_folder_of_its_own(tmp_path):
    for name in ({}, {"NUMBA_CPU_NAME": "generic"}, {}):
        said(child(KNOW, NUMBA_CACHE_DIR=str(tmp_path), **name))
    assert len(list((tmp_path / "vlaezip").iterdir())) == 2


def test_processes_that_compile_at_once(tmp_path):
    told = {"NUMBA_CACHE_DIR": str(tmp_path)}
    assert {tuple(said(process)) for process in [child(KNOW, **told) for _ in range(3)]} <= {
        ("1023", "0"),
        ("1023", "1"),
    }
    assert said(child(KNOW, **told)) == ["1023", "1"]
    assert not list(tmp_path.rglob("*.part"))


def test_all_that_both_directions_need_is_kept():
    said(child(EVERYTHING))
    assert said(child(EVERYTHING)) == []


def test_sources_that_cannot_be_read_are_no_error(tmp_path, monkeypatch, place):
    assert kernel_cache.digest_of(tmp_path) == ""
    monkeypatch.setattr(kernel_cache, "DIGEST", "")
    kernel_cache.folder.cache_clear()
    assert kernel_cache.folder() is None


def test_what_was_compiled_is_found_again(place):
    kernels = fresh(), fresh()
    assert [k(3) for k in kernels] == [6, 6]
    assert [hits(k) for k in kernels] == [0, 1]
    assert kernels[0].stats.cache_path == str(place)


def test_each_types_of_arguments_have_a_file(place):
    assert (fresh()(3), fresh()(0.5)) == (6, 1.0)
    assert len(list(place.iterdir())) == 2
    assert (fresh()(3), fresh()(0.5)) == (6, 1.0)


@pytest.mark.parametrize(
    "spoil",
    [lambda data: b"", lambda data: data[:20], lambda data: data[:-1], lambda data: data[:99], lambda data: b"x" * 999,
     lambda data: data[:500] + bytes([data[500] ^ 1]) + data[501:]],
    ids=["empty", "cut in the sum", "cut by a byte", "cut short", "garbage", "a bit"],
)  # fmt: skip
def test_a_broken_file_is_written_anew(place, spoil):
    fresh()(3)
    (path,) = place.iterdir()
    path.write_bytes(spoil(path.read_bytes()))
    kernels = fresh(), fresh()
    assert [k(3) for k in kernels] == [6, 6]
    assert [hits(k) for k in kernels] == [0, 1]


def test_a_folder_in_the_place_of_a_file_is_no_error(place):
    fresh()(3)
    (path,) = place.iterdir()
    path.unlink()
    path.mkdir()
    assert fresh()(3) == 6
    assert list(place.iterdir()) == [path]


def test_a_full_disk_is_no_error_and_leaves_nothing(place, monkeypatch):
    def fill(path, data):
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill)
    assert fresh()(3) == 6
    assert list(place.iterdir()) == []


def test_nowhere_to_keep_anything_is_no_error(nowhere):
    kernel = fresh()
    assert kernel(3) == 6
    assert kernel.stats.cache_path is None
    assert nowhere.read_bytes() == b""


def test_the_first_place_that_can_be_had_is_taken(nowhere, tmp_path, monkeypatch):
    def taken():
        kernel_cache.folder.cache_clear()
        return kernel_cache.folder().parent

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert taken() == tmp_path / f"vlaezip-{os.geteuid()}"
    monkeypatch.setattr(kernel_cache, "user_cache_path", lambda *words, **named: tmp_path / "own")
    assert taken() == tmp_path / "own"
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "told"))
    assert taken() == tmp_path / "told" / "vlaezip"
    assert all(p.stat().st_mode & 0o777 == 0o700 for p in (tmp_path / "own", tmp_path / f"vlaezip-{os.geteuid()}"))


def test_a_folder_for_reading_only_is_taken_if_it_holds_something(place, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    kernel_cache.folder.cache_clear()
    assert kernel_cache.folder() is None
    (place / "kernel").touch()
    kernel_cache.folder.cache_clear()
    assert kernel_cache.folder() == place


def link(path):
    path.with_name("elsewhere").mkdir(mode=0o700)
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("prepare", [lambda path: path.mkdir() or path.chmod(0o777), link, Path.touch])
def test_code_is_not_taken_from_where_others_can_put_it(nowhere, tmp_path, monkeypatch, prepare):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    prepare(tmp_path / f"vlaezip-{os.geteuid()}")
    assert kernel_cache.folder() is None


def test_code_is_not_taken_from_the_folder_of_another_user(nowhere, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert kernel_cache.folder() is None


def test_a_user_without_a_home_has_no_folder_below_the_present_one(nowhere, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kernel_cache, "user_cache_path", lambda *words, **named: Path("~/.cache/vlaezip"))
    assert kernel_cache.folder() is None
    assert not Path("~").exists()


def test_threads_that_compile_at_once(place):
    kernel, found, ready = fresh(), [], threading.Barrier(4)

    def run():
        ready.wait()
        found.append(kernel(3))

    workers = [threading.Thread(target=run, daemon=True) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert found == [6] * 4


def test_a_child_that_was_forked_while_a_thread_compiled_can_compile():
    assert said(child(FORK)) == ["7"]
