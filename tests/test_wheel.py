"""The wheel as a stranger has it: what it requires and no extras, nothing of the checkout, one folder to write to."""

import re
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from pictures import photo

ROOT = Path(__file__).parent.parent
MODELS = ROOT / "models"
GOLDEN = ("tests/test_golden.py", "tests/make_golden.py", "tests/pictures.py", "tests/golden", "benchmarks")
UNDER_MODES = """
import ctypes, os, sys
if hasattr(os, "geteuid") and os.geteuid() == 0:  # root writes where modes forbid it, unless PR_CAPBSET_DROP says no
    assert ctypes.CDLL(None).prctl(24, 1, 0, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""
PLUGIN = """
from PIL import Image
import vlaezip.pillow_plugin
image = Image.open("photo.png")
image.save("plugin.vlz", lossless=True)
assert Image.open("plugin.vlz").tobytes() == image.tobytes()
"""
CLIENT = """
from pathlib import Path

from PIL import Image

import vlaezip


def smaller(path: Path) -> float:
    try:
        data: bytes = vlaezip.compress(Image.open(path), quality=3)
        image: Image.Image = vlaezip.decompress(data)
        assert image.size
        pairs: list[tuple[str, Image.Image]] = vlaezip.decompress_archive(vlaezip.compress_archive({"a": image}))
        assert pairs and vlaezip.compress_batch([image], lossless=True)
    except (vlaezip.CorruptFile, vlaezip.VlaezipError) as error:
        raise SystemExit(str(error)) from error
    return vlaezip.info(data).bits_per_pixel
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory):
    """An environment with the wheel, what it requires, and pytest; home and site-packages are not to be written."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    python = folder / "env/bin/python"
    install = ["-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run([sys.executable, *install], check=True)
    (site,) = folder.glob("env/lib/python*/site-packages")
    (told,) = site.glob("vlaezip-*.dist-info")
    lend(site, [*Distribution.at(told).requires, "pytest"])
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    closed = [folder / "home", *site.rglob("vlaezip*"), *(site / "vlaezip").rglob("*"), site]
    folders = [path for path in closed if path.is_dir() and not path.is_symlink()]
    for path in folders:
        path.chmod(0o555)
    yield folder
    for path in folders:
        path.chmod(0o755)


def lend(site, requirements):
    """Link what is required, but for extras, from this environment into another."""
    for requirement in map(Requirement, requirements or ()):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        there = distribution(requirement.name)
        for top in {file.parts[0] for file in there.files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(there.locate_file(top))
        lend(site, there.requires)


@pytest.fixture
def run(bare, tmp_path):
    """Runs a program of the environment; its first words name it. Kernels are kept among the temporary files."""
    place = {"HOME": str(bare / "home"), "TMPDIR": str(bare / "tmp"), "PATH": str(bare / "env/bin")}

    def call(name, *words):
        line = [sys.executable, "-c", UNDER_MODES, bare / "env/bin" / name, *words]
        done = subprocess.run(line, cwd=tmp_path, env=place, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return call


def names_in(wheel):
    with zipfile.ZipFile(wheel) as file:
        return set(file.namelist())


def test_the_wheel_has_every_model_and_its_card_and_no_floats(wheel):
    shipped = {f"vlaezip/models/{path.name}" for path in MODELS.iterdir() if path.is_file()}
    assert {name for name in names_in(wheel) if "models" in name} == shipped
    assert len(shipped) > 2


def test_the_wheel_has_the_package_and_nothing_beside_it(wheel):
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "vlaezip").rglob("*.py")}
    beside = {name for name in names_in(wheel) if ".dist-info/" not in name and "/models/" not in name}
    assert beside == modules | {"vlaezip/py.typed"}


def test_nothing_can_be_written_where_it_is_installed(bare, run):
    code = "import os, vlaezip; os.mkdir(os.path.join({}, 'new'))"
    for place in ("vlaezip.__path__[0]", "os.path.expanduser('~')"):
        with pytest.raises(AssertionError, match="PermissionError"):
            run("python", "-c", code.format(place))
    with pytest.raises(AssertionError, match="No module named 'torch'"):
        run("python", "-c", "import torch")


def test_an_installed_wheel_works(run, tmp_path):
    """Both commands, an archive and the plugin, without torch."""
    photo(70, 90).save(tmp_path / "photo.png")
    (tmp_path / "set").mkdir()
    for n in range(3):
        photo(20, 24, seed=n).save(tmp_path / f"set/{n}.png")
    run("vlaezip", "compress", "photo.png", "-o", "lossy.vlz")
    run("vlaezip", "decompress", "lossy.vlz", "-o", "dream.png")
    run("vlaezip", "compress", "--lossless", "photo.png", "-o", "kept.vlz")
    run("vlaezip", "decompress", "kept.vlz", "-o", "kept.png")
    run("vlaezip", "compress", "set", "--archive", "-o", "set.vlz")
    run("vlaezip", "decompress", "set.vlz", "-o", "back")
    run("python", "-c", PLUGIN)
    assert {path.name for path in (tmp_path / "back").iterdir()} == {"0.png", "1.png", "2.png"}
    assert "omniglot-0.5" in run("vlaezip", "models")


def test_the_golden_test_passes_with_an_installed_wheel(run, tmp_path):
    """With what it needs of the checkout beside it, and no package of that name."""
    for name in GOLDEN:
        there = tmp_path / name
        there.parent.mkdir(exist_ok=True)
        there.symlink_to(ROOT / name)
    words = ["-m", "pytest", "-W", "error", "-p", "no:cacheprovider", "--noconftest", "tests/test_golden.py"]
    assert int(re.search(r"(\d+) passed in", run("python", *words))[1]) > len(
        list((ROOT / "tests/golden").glob("*.vlz"))
    )
    assert "site-packages" in run("python", "-c", "import vlaezip; print(vlaezip.__file__)")


def test_a_client_of_the_wheel_is_checked_strictly(bare, tmp_path):
    client = tmp_path / "client.py"
    client.write_text(CLIENT)
    assert checked(bare, client) == ""
    client.write_text("import vlaezip\nvlaezip.compres(3)\nvlaezip.decompress('name')\n")
    assert "no attribute" in checked(bare, client)
    assert 'incompatible type "str"' in checked(bare, client)


def checked(bare, client):
    """What mypy says of a file in the environment; nothing if all is well."""
    words = ["--strict", "--no-error-summary", "--cache-dir", bare / "types", "--python-executable"]
    line = [sys.executable, "-m", "mypy", *words, bare / "env/bin/python", client]
    return subprocess.run(line, cwd=client.parent, capture_output=True, text=True).stdout
