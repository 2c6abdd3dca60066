"""The command line, end to end on tiny pictures."""

import inspect
import os
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from commands import call, pixels, python
from pictures import photo
from PIL import Image

import vlaezip
from vlaezip import api
from vlaezip.cli import app
from vlaezip.cli.options import DEFAULTS
from vlaezip.cli.terminal import grouped
from vlaezip.format import container
from vlaezip.format.container import VERSION, VERSION_3, Kind
from vlaezip.search.effort import settings_tried

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8))
PALETTE = NOISE.quantize(9)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    NOISE.save("noise.png")
    PALETTE.save("palette.png")
    Path("tree/deep").mkdir(parents=True)
    PALETTE.save("tree/a.png")
    PALETTE.save("tree/deep/b.GIF")
    Path("tree/notes.txt").write_text("no picture")
    return tmp_path


def made(folder):
    """The files that are there beside those of the fixture."""
    given = {"noise.png", "palette.png", "tree/a.png", "tree/deep/b.GIF", "tree/notes.txt"}
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} - given


def test_lossless_there_and_back(folder):
    assert call("compress", "noise.png", "--lossless").exit_code == 0
    assert call("decompress", "noise.vlz", "-o", "back.png").exit_code == 0
    assert pixels("back.png") == pixels("noise.png")
    assert made(folder) == {"noise.vlz", "back.png"}


def test_efforts_reach_the_learner(folder):
    photo(40, 50).save("small.png")
    for effort, version in ((0, VERSION), (1, VERSION_3)):
        assert call("compress", "small.png", "--lossless", "--effort", effort, "-f").exit_code == 0
        assert Path("small.vlz").read_bytes()[3] == version
        assert call("decompress", "small.vlz", "-o", "back.png", "-f").exit_code == 0
        assert pixels("back.png") == pixels("small.png")
    assert call("compress", "small.png", "--lossless", "--effort", "10", "-f").exit_code == 2


def test_the_model_can_be_chosen(folder):
    assert call("compress", "noise.png", "--lossless", "--model", "photo-fast").exit_code == 0
    assert call("decompress", "noise.vlz", "-o", "back.png").exit_code == 0
    assert pixels("back.png") == pixels("noise.png")
    assert "lossless files only" in call("compress", "noise.png", "--model", "photo-fast", "-f").output
    assert "not installed" in call("compress", "noise.png", "--model", "photos", "-f").output


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_mode_goes_the_way_of_the_library(folder, mode):
    exif = Image.Exif()
    exif[271] = "maker"
    image = PALETTE if mode == "P" else NOISE.convert(mode)
    image.save("a.png", exif=exif, icc_profile=b"colours")
    assert call("compress", "a.png", "--lossless").exit_code == 0
    with Image.open("a.png") as image:
        assert Path("a.vlz").read_bytes() == vlaezip.compress(image, lossless=True)
    assert call("decompress", "a.vlz", "-o", "back.png").exit_code == 0
    assert pixels("back.png") == pixels("a.png")
    with Image.open("back.png") as back:
        assert (back.getexif()[271], back.info["icc_profile"]) == ("maker", b"colours")


def test_palettes_come_back_as_palettes(folder):
    assert call("compress", "palette.png").exit_code == 0
    assert call("decompress", "palette.vlz", "-o", "back.png").exit_code == 0
    assert pixels("back.png") == pixels("palette.png")


def test_info_tells_how_a_file_learned(folder):
    photo(40, 50).save("small.png")
    for effort, learns in (0, False), (1, True):
        assert call("compress", "small.png", "--lossless", "--effort", effort, "-f").exit_code == 0
        told = call("info", "small.vlz").output
        settings = settings_tried(1, 40 * 50)[0]
        assert (f"learned: {settings.places} places an update, rate 0.0" in told) == learns
        assert ("times as long as at effort 0" in told) == learns


def test_lossy_options_reach_the_header(folder):
    result = call("compress", "noise.png", "-q", 2, "--seed", 9, "--temperature", 0.5)
    assert result.exit_code == 0, result.output
    header = container.info(Path("noise.vlz").read_bytes()).header
    assert (header.kind, header.seed, header.temperature) == (Kind.LOSSY, 9, 32)
    told = call("info", "noise.vlz").output
    assert "noise.vlz: lossy, RGB 24 x 16" in told
    assert "quality 2, temperature 0.50, seed 9" in told


def test_preview_differs_from_the_dream(folder):
    assert call("compress", "noise.png").exit_code == 0
    assert call("decompress", "noise.vlz", "-o", "dream.png").exit_code == 0
    assert call("decompress", "noise.vlz", "-o", "preview.png", "--preview").exit_code == 0
    assert pixels("dream.png")[:2] == pixels("preview.png")[:2] == ("RGB", (24, 16))
    assert pixels("dream.png") != pixels("preview.png")


def test_strip_leaves_metadata_out(folder):
    PALETTE.save("palette.png", icc_profile=b"colours")
    for words, there in ([], True), (["--strip"], False):
        assert call("compress", "palette.png", "--force", *words).exit_code == 0
        assert ("ICC" in call("info", "palette.vlz").output) == there


def test_streams(folder):
    png = Path("palette.png").read_bytes()
    packed = call("compress", "-", input=png)
    assert packed.exit_code == 0
    back = call("decompress", "-", input=packed.stdout_bytes)
    assert pixels(BytesIO(back.stdout_bytes)) == pixels("palette.png")
    assert call("compress", "palette.png", "-o", "-").stdout_bytes == packed.stdout_bytes
    assert call("compress", "-", "-o", "in/", input=png).exit_code == 0
    assert call("info", "-", input=packed.stdout_bytes).output.startswith("-: stored, P 24 x 16")
    assert made(folder) == {"in/stdin.vlz"}


def test_several_files_into_a_directory(folder):
    assert call("compress", "palette.png", "tree/a.png", "-o", "out").exit_code == 0
    assert made(folder) == {"out/palette.vlz", "out/a.vlz"}


def test_a_tree_is_mirrored(folder):
    assert call("compress", "tree", "-r", "-o", "out").exit_code == 0
    assert made(folder) == {"out/a.vlz", "out/deep/b.vlz"}
    assert call("decompress", "out", "-r", "-o", "back/").exit_code == 0
    assert pixels("back/deep/b.png")[:2] == ("P", (24, 16))


def test_a_tree_without_out_stays_in_place(folder):
    assert call("compress", "tree", "-r").exit_code == 0
    assert made(folder) == {"tree/a.vlz", "tree/deep/b.vlz"}


def test_nothing_is_overwritten_without_force(folder):
    Path("palette.vlz").write_text("precious")
    result = call("compress", "palette.png")
    assert result.exit_code == 1
    assert (
        result.stderr
        == "vlaezip: palette.png: palette.vlz exists: name another file with -o, or --force to overwrite this one\n"
    )
    assert Path("palette.vlz").read_text() == "precious"
    assert call("compress", "palette.png", "--force").exit_code == 0
    assert call("info", "palette.vlz").exit_code == 0


def test_the_source_is_never_overwritten(folder):
    before = Path("palette.png").read_bytes()
    result = call("compress", "palette.png", "-o", "palette.png", "--force")
    assert (result.exit_code, Path("palette.png").read_bytes()) == (1, before)
    assert "its own source" in result.stderr


def test_a_batch_goes_on_and_reports(folder):
    result = call("compress", "tree/notes.txt", "palette.png", "missing.png", "-o", "out")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "vlaezip: tree/notes.txt: not a picture of a kind that can be read",
        "vlaezip: missing.png: No such file or directory",
        "2 of 3 files failed",
    ]
    assert made(folder) == {"out/palette.vlz"}


def test_errors_are_one_line(folder):
    Path("bad.vlz").write_bytes(b"VLZ\1")
    Image.new("CMYK", (2, 2)).save("ink.tiff")
    for words in (["decompress", "bad.vlz"], ["info", "bad.vlz"], ["compress", "ink.tiff"], ["info", "tree"]):
        result = call(*words)
        assert result.exit_code == 1
        assert result.stdout == ""
        assert result.stderr.startswith(f"vlaezip: {words[1]}: ")
        assert result.stderr.count("\n") == 1


def test_a_target_of_another_kind(folder):
    assert call("compress", "palette.png").exit_code == 0
    assert call("decompress", "palette.vlz", "-o", "back.webp").exit_code == 0
    assert call("decompress", "palette.vlz", "-o", "back.nonsense").exit_code == 1
    with Image.open("back.webp") as image, PALETTE.convert("RGB") as expected:
        assert image.convert("RGB").tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compress", "tree"], "add -r"),
        (["compress", "noise.png", "--lossless", "-q", "3"], "has no quality"),
        (["compress", "noise.png", "palette.png", "-o", "-"], "several files would go to stdout"),
        (["decompress", "tree", "-r"], r"no .vlz in tree"),
        (["train", "nonsense", "--data", "tree", "--out", "run"], "no preset 'nonsense'"),
    ],
)
def test_wrong_usage(folder, words, message):
    result = call(*words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert made(folder) == set()


def test_a_quality_that_the_model_lacks_is_refused(folder):
    for quality in (0, 99):
        result = call("compress", "noise.png", "palette.png", "-q", quality)
        assert result.exit_code == 2
        assert result.stderr.count(f"quality {quality} is outside 1..8") == 1


def test_models_are_listed():
    result = call("models")
    assert result.exit_code == 0
    assert "photo" in result.output


def test_a_failed_write_leaves_nothing(folder, monkeypatch):
    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    result = call("compress", "palette.png")
    assert result.stderr == "vlaezip: palette.png: palette.vlz: No space left on device\n"
    assert made(folder) == set()


def test_a_picture_that_cannot_be_saved_leaves_what_was_there(folder):
    NOISE.convert("RGBA").save("a.png")
    Path("a.jpg").write_text("precious")
    assert call("compress", "a.png", "--lossless").exit_code == 0
    result = call("decompress", "a.vlz", "-o", "a.jpg", "--force")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert Path("a.jpg").read_text() == "precious"
    assert made(folder) == {"a.png", "a.jpg", "a.vlz"}


def test_a_device_file_is_written_through(folder):
    assert call("compress", "palette.png", "-o", "/dev/null").exit_code == 0
    assert not Path("/dev/null").is_file()


def test_an_interrupt_exits_with_130_and_leaves_nothing(folder, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("vlaezip.api.encode", interrupt)
    assert exit_code(monkeypatch, "compress", "palette.png") == 130
    assert made(folder) == set()


def test_exit_codes_of_main(folder, monkeypatch, capsys):
    assert exit_code(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"vlaezip, version {vlaezip.__version__}\n"
    assert exit_code(monkeypatch, "compress", "palette.png") == 0
    assert exit_code(monkeypatch, "compress", "palette.png") == 1
    assert exit_code(monkeypatch, "compress") == 2


def exit_code(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["vlaezip", *words])
    with pytest.raises(SystemExit) as exit_:
        app.main()
    return exit_.value.code or 0


def test_defaults_are_those_of_the_library():
    archive = inspect.signature(api.compress_archive).parameters
    assert {name: DEFAULTS[name] for name in archive if name != "images"} == {
        name: p.default for name, p in archive.items() if name != "images"
    }


def test_help_and_info_import_nothing_heavy(folder):
    assert call("compress", "palette.png").exit_code == 0
    code = "import sys; from vlaezip.cli import app; app.commands({}, standalone_mode=False); print(*sys.modules)"
    for words in (["--help"], ["compress", "--help"], ["info", "palette.vlz"]):
        modules = python("-c", code.format(words)).splitlines()[-1]
        assert not {"torch", "numpy", "PIL", "numba"} & set(modules.split())


@pytest.mark.parametrize("options", [["--lossless"], ["-q", "3"], ["--lossless", "--model", "photo-fast"]])
def test_single_pictures_need_no_torch(folder, options):
    """Importing it takes longer than most pictures do."""
    code = (
        "import sys; sys.modules['torch'] = None; from vlaezip.cli import app; app.commands({}, standalone_mode=False)"
    )
    photo(40, 50).save("small.png")
    python("-c", code.format(["compress", "small.png", *options]))
    python("-c", code.format(["decompress", "small.vlz", "-o", "back.png"]))
    with Image.open("back.png") as back:
        assert back.size == (50, 40)


def test_what_needs_torch_says_so_in_a_line(folder):
    photo(40, 50).save("small.png")
    code = "import sys; sys.modules['torch'] = None; from vlaezip.cli import app; app.main()"
    words = [sys.executable, "-c", code, "compress", "small.png", "--effort", "1"]
    environment = os.environ | {"PYTHONPATH": str(Path(vlaezip.__file__).parents[1])}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("Error: effort needs torch, which is not installed: pip install 'vlaezip[torch]'\n")


def test_what_cannot_be_written_leaves_no_folders(folder):
    assert call("compress", "palette.png").exit_code == 0
    assert "cannot write" in call("decompress", "palette.vlz", "-o", "some/where/palette.what").output
    assert not Path("some").exists()
    assert call("decompress", "palette.vlz", "-o", "some/where/palette.png").exit_code == 0
    assert Path("some/where/palette.png").exists()


def test_the_module_is_the_command(folder):
    assert vlaezip.__version__ in python("-m", "vlaezip", "--version")


def test_the_package_has_a_lazy_face():
    assert {callable(getattr(vlaezip, name)) for name in ("compress", "decompress", "info")} == {True}
    with pytest.raises(AttributeError):
        _ = vlaezip.nonsense


def test_a_sheet_of_samples(folder):
    assert call("sample", "--count", "3", "--side", "16", "-o", "drawn.png").exit_code == 0
    assert pixels("drawn.png")[:2] == ("RGB", (2 * 18 + 2, 2 * 18 + 2))


def test_a_sheet_of_reconstructions(folder):
    result = call("reconstruct", "noise.png", "noise.png", "-o", "pairs.png")
    assert result.exit_code == 0
    assert "2 pictures from" in result.stderr
    assert pixels("pairs.png")[0] == "RGB"


def test_evaluate_says_what_it_lacks(folder):
    result = call("evaluate", "mnist-static", "--data", ".")
    assert result.exit_code == 1
    assert result.stderr.startswith("vlaezip: mnist-static: ")


def test_a_dream_never_takes_the_place_of_its_original(folder):
    """README's commands, pasted in order, and with --force as a message might advise."""
    before = Path("noise.png").read_bytes()
    assert call("compress", "noise.png").exit_code == 0
    for words in ([], ["--force"], ["--force", "-o", "."], ["--force", "-r"]):
        result = call("decompress", "noise.vlz" if "-r" not in words else ".", *words)
        assert result.exit_code == 1
        assert "noise.png exists, and what this file decodes to is another picture: name one with -o" in result.stderr
        assert Path("noise.png").read_bytes() == before
    assert call("decompress", "noise.vlz", "-o", "noise.png").exit_code == 1
    assert call("decompress", "noise.vlz", "-o", "noise.png", "--force").exit_code == 0
    assert Path("noise.png").read_bytes() != before


def test_a_preview_never_takes_the_place_of_its_original(folder):
    photo(40, 50).save("photo.png")
    assert call("compress", "photo.png", "--lossless").exit_code == 0
    assert call("decompress", "photo.vlz", "--preview", "--force").exit_code == 1
    assert call("decompress", "photo.vlz", "--force").exit_code == 0


def test_a_jpeg_that_gets_larger_is_told_of(folder):
    photo(64, 64).save("small.jpg", quality=50)
    result = call("compress", "small.jpg", "--lossless")
    assert result.exit_code == 0
    before = Path("small.jpg").stat().st_size
    assert result.stderr.startswith("vlaezip: small.jpg: warning: ")
    assert f"its source has {grouped(before)}: lossless keeps the pixels, not the file" in result.stderr


def test_permissions_and_times_are_kept_where_asked(folder):
    Path("palette.png").chmod(0o600)
    os.utime("palette.png", (1e9, 1e9))
    assert call("compress", "palette.png", "--preserve").exit_code == 0
    assert call("decompress", "palette.vlz", "-o", "back.png", "--preserve").exit_code == 0
    for name in ("palette.vlz", "back.png"):
        assert (Path(name).stat().st_mode & 0o777, Path(name).stat().st_mtime) == (0o600, 1e9)


def vlaezip_process(words, **options):
    """The command as a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(Path(vlaezip.__file__).parents[1])}
    return subprocess.Popen([sys.executable, "-m", "vlaezip", *words], env=environment, text=True, **options)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_leaves_nothing_half_written(folder, name):
    """The child signals itself while it writes, when a part of the file stands there already."""
    number = int(getattr(signal, name))
    code = (
        "import os, sys; from pathlib import Path; from vlaezip.cli import app\n"
        f"Path.replace = lambda *_: os.kill(os.getpid(), {number})\n"
        "sys.argv = ['vlaezip', 'compress', 'palette.png']; app.main()"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(vlaezip.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, b"", b"")
    assert made(folder) == set()


def test_a_reader_that_goes_away_is_told_nothing(folder):
    assert call("compress", "palette.png").exit_code == 0
    for words in (["info", *["palette.vlz"] * 3000], ["compress", "palette.png", "-o", "-"], ["models"]):
        reader, writer = os.pipe()
        process = vlaezip_process(words, stdout=writer, stderr=subprocess.PIPE)
        os.close(writer)
        os.close(reader)
        assert process.communicate()[1] == ""
        assert process.returncode == 1


@pytest.mark.parametrize(
    ("closed", "words", "message"),
    [
        ("<&-", "compress -", "vlaezip: -: stdin: is closed\n"),
        (">&-", "compress palette.png -o -", "vlaezip: palette.png: stdout: is closed\n"),
        (">&-", "info palette.vlz", ""),
        (">/dev/full", "info palette.vlz", "vlaezip: stdout: No space left on device\n"),
        (">/dev/full", "compress palette.png -o -", "vlaezip: palette.png: stdout: No space left on device\n"),
        ("2>&-", "compress palette.png -f", ""),
    ],
)
def test_what_is_closed_or_full_is_told_in_a_line(folder, closed, words, message):
    assert call("compress", "palette.png").exit_code == 0
    environment = os.environ | {"PYTHONPATH": str(Path(vlaezip.__file__).parents[1])}
    line = f"{sys.executable} -m vlaezip {words} {closed}"
    done = subprocess.run(["sh", "-c", line], env=environment, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (bool(message), message)


def test_an_archive_of_a_folder_that_cannot_be_read(folder, monkeypatch):
    def iterdir(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", iterdir)
    result = call("compress", "tree", "-o", "set.vlz", "--archive")
    assert (result.exit_code, result.stderr) == (1, "vlaezip: tree: Permission denied\n")
