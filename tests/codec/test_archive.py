"""Archives: many pictures on one chain, their price and their names; and files and pictures that are refused."""

import string
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import random_nets
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import vlaezip.pillow_plugin
from vlaezip import api
from vlaezip.cli import app
from vlaezip.codec import archive
from vlaezip.codec import block as codec
from vlaezip.codec.block import Refund
from vlaezip.coding import ans
from vlaezip.coding.logistic import intervals
from vlaezip.errors import CorruptFile, FileError, ImageError, ModelError, OptionError, WrongKind
from vlaezip.format import container
from vlaezip.format.archive_names import numbered
from vlaezip.format.container import ARCHIVE_TILE, PROLOGUE, Container, Header, Kind, read, write
from vlaezip.format.tiles import BLOCK, BLOCK_PIXELS, FIRST_BLOCK, SHARE, blocks
from vlaezip.model import config, local_ar, weights

CONFIGS = {"colour": random_nets.vlae_config(1, "median"), "binary": random_nets.vlae_config(1, "binary")}
RANDOM = {name: random_nets.vlae(sizes, seed=3) for name, sizes in CONFIGS.items()}
KINDS = {"RGB": "colour", "L": "colour", "1": "binary", "L of 0 and 255": "binary"}
HEIGHT, WIDTH = 11, 14
SHIPPED = weights.available()


@pytest.fixture(scope="module")
def folder_of_models(tmp_path_factory):
    """Random models that can be found by name; one has no lossless set."""
    folder = tmp_path_factory.mktemp("models")
    sets = {name: ("lossless", sizes) for name, sizes in CONFIGS.items()} | {"lossy": ("lossy", CONFIGS["colour"])}
    for name, (which, sizes) in sets.items():
        parts, fields = random_nets.tensors(sizes, which, seed=3), {which: config.to_json(sizes)}
        random_nets.save(folder / f"{name}.safetensors", parts, fields, name=name)
    return folder


@pytest.fixture(autouse=True)
def models(folder_of_models, monkeypatch):
    found = tuple(weights.read_info(p) for p in sorted(folder_of_models.glob("*")))
    monkeypatch.setattr(weights, "available", lambda: found + SHIPPED)


def samples(count, kind="RGB", height=HEIGHT, width=WIDTH, seed=0):
    """[N, H, W] or [N, H, W, 3]: half noise, half flat."""
    rng = np.random.default_rng([seed, count])
    shape = (count, height, width, 3)[: 4 if kind == "RGB" else 3]
    x = rng.integers(0, 256, shape, np.uint8)
    x[:, : height // 2] = 200
    return x if kind in ("RGB", "L") else (x > 127) if kind == "1" else np.uint8(255) * (x > 127)


def pictures(count, kind="RGB", **options):
    return [Image.fromarray(x) for x in samples(count, kind, **options)]


def under_numbers(images):
    return list(zip(numbered(len(images)), images, strict=True))


def plain(named):
    return [(name, image.mode, image.size, image.tobytes()) for name, image in named]


def packed(count=3, kind="RGB", draws=1, **options):
    return api.compress_archive(under_numbers(pictures(count, kind, **options)), model=KINDS[kind], draws=draws)


@pytest.mark.parametrize("count", [1, 2, 17, 40])
@pytest.mark.parametrize("kind", KINDS)
def test_archives_come_back_bit_for_bit(kind, count):
    named = under_numbers(pictures(count, kind))
    data = api.compress_archive(named, model=KINDS[kind])
    assert plain(api.decompress_archive(data)) == plain(named)
    assert api.compress_archive(dict(named), model=KINDS[kind]) == data
    header = read(data).header
    assert (header.kind, header.mode, header.count) == (Kind.ARCHIVE, named[0][1].mode, count)
    assert read(data).data[4] == (Refund.WHITE if count > FIRST_BLOCK else Refund.NONE)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (8, 8), (30, 33)])
@pytest.mark.parametrize("kind", KINDS)
def test_any_size_comes_back(kind, size):
    named = under_numbers(pictures(20, kind, height=size[0], width=size[1]))
    assert plain(api.decompress_archive(api.compress_archive(named, model=KINDS[kind]))) == plain(named)


def test_the_shipped_model_packs_small_photographs():
    named = under_numbers(pictures(3))
    assert plain(vlaezip.decompress_archive(vlaezip.compress_archive(named))) == plain(named)


def test_chains_that_find_too_few_bits_are_not_chained(monkeypatch):
    push = codec.push_blocks

    def poor(net, message, blocks, grey, refund, draws, words):
        if refund > most or draws > 1:
            raise CorruptFile("too few")
        return push(net, message, blocks, grey, refund, draws, words)

    monkeypatch.setattr(codec, "push_blocks", poor)
    for most in (Refund.NONE, Refund.WHITE):
        data = packed(20, draws=4)
        assert read(data).data[4] == most
        assert plain(api.decompress_archive(data)) == plain(under_numbers(pictures(20)))


@pytest.mark.parametrize("draws", [2, 5, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_archives_of_many_draws_come_back_bit_for_bit(kind, draws):
    named = under_numbers(pictures(70, kind))
    data = api.compress_archive(named, model=KINDS[kind], draws=draws)
    assert read(data).data[4] == draws + 1
    assert plain(api.decompress_archive(data)) == plain(named)
    assert api.compress_archive(named[:1], model=KINDS[kind], draws=draws) == api.compress_archive(
        named[:1], model=KINDS[kind]
    )


@pytest.mark.parametrize("draws", [0, 65])
def test_draws_have_limits(draws):
    with pytest.raises(ValueError, match="draws"):
        packed(draws=draws)
    with pytest.raises(CorruptFile, match="kind 200"):
        api.decompress_archive(spoilt_kind(packed(20), 200))
    with pytest.raises(CorruptFile, match="kind 3"):
        api.decompress(spoilt_kind(api.compress(pictures(1)[0], lossless=True), 3))


def spoilt_kind(data, kind):
    """A file with another kind of chain."""
    file = read(data)
    return write(Container(file.header, b"".join([file.data[:4], bytes([kind]), file.data[5:]])))


def estimate(net, header, x):
    """The model's bits: z and pixels under p, less z under q where it is refunded. The twin of archive.encode."""
    message, total = ans.empty(1), 0.0
    for number, place in enumerate(archive.runs(header, 1)):
        block = x[place].astype(np.int32)
        shape, q = block.shape[:3], codec.posterior(net, block)
        posterior = codec.posterior_codec(net, q)
        z = posterior.pop(ans.whiten(message, number))[1] if number else codec.first_latent(net, block)
        if number:
            _, freqs = intervals(q.mixture(), net.steps(None).grid(z[..., 0].size, (0, 1, 2)), z.reshape(-1))
            total -= 22 * z.size - np.log2(freqs).sum()
        level = None if number else codec.FIRST_LEVEL
        total += local_ar.encode_intervals(net.prior, net.prior_scene(z.shape[:3], level), z).bits
        total += local_ar.encode_intervals(net.pixel, net.pixel_scene(z, shape, header.grey), block).bits
        message = codec.block_codec(net, shape, header.grey, Refund.WHITE, number).push(message, block)
    return total


@pytest.mark.parametrize("kind", KINDS)
def test_the_price_is_the_models(kind):
    net, images = RANDOM[KINDS[kind]], pictures(150, kind)
    _, mode, x, _ = archive.gather(under_numbers(images))
    header = Header(Kind.ARCHIVE, mode, WIDTH, HEIGHT, b"abcd", ARCHIVE_TILE, count=150)
    seen = archive.adapt(net.config, mode, x)
    data, bits = archive.encode(net, header, seen), estimate(net, header, seen)
    assert data[4] == Refund.WHITE
    assert abs(8 * len(data) - bits) <= 0.005 * bits + 64 * 8
    assert (archive.decode(net, header, data) == seen).all()


def test_overhead_is_small():
    data = packed(40, "1")
    assert len(data) - len(read(data).data) <= 24
    assert len(read(data).data) - PROLOGUE.size == len(ans.write(ans.read(read(data).data[PROLOGUE.size :], 1)))


@given(st.integers(1, 100_000), st.integers(1, 2**20))
def test_blocks_sum_to_the_count_and_are_bounded(count, pixels):
    sizes = blocks(count, pixels)
    assert sum(sizes) == count
    assert min(sizes) >= 1
    assert max(sizes) <= BLOCK
    assert max(sizes) == 1 or max(sizes) * pixels <= BLOCK_PIXELS
    assert all(size == 1 or SHARE * size <= sum(sizes[:i]) for i, size in enumerate(sizes) if i)


def test_the_first_block_has_sixteen_pictures():
    assert [blocks(n)[0] for n in (1, 2, 15, 16, 17, 10_000)] == [1, 2, 15, 16, 16, 16]
    assert blocks(17) == [16, 1]
    assert blocks(40) == [16, 2, 2, 2, 2, 3, 3, 3, 4, 3]
    assert blocks(5, 2**20) == [1] * 5


names = st.lists(st.text(string.ascii_letters + " .-_é字", min_size=1), min_size=1, max_size=5, unique=True).filter(
    lambda found: not {".", ".."} & set(found)
)


@given(names)
def test_names_are_kept_in_their_order(found):
    images = pictures(len(found), "1")
    data = api.compress_archive(zip(found, images, strict=True), model="binary")
    assert [name for name, _ in api.decompress_archive(data)] == found


def test_numbers_as_names_take_no_bytes():
    images = pictures(12, "1")
    for found, there in ((numbered(12), False), ([str(n) for n in range(12)], True), (numbered(12)[::-1], True)):
        data = api.compress_archive(zip(found, images, strict=True), model="binary")
        assert ("NAMES" in container.info(data).sizes) == there
        assert [name for name, _ in api.decompress_archive(data)] == list(found)
    assert numbered(1) == ("0",)
    assert numbered(11)[::10] == ("00", "10")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0", "a\nb", "\udcff", "0"])
def test_names_that_are_not_safe_are_refused(name):
    with pytest.raises(ImageError, match="named"):
        api.compress_archive(zip(("0", name), pictures(2), strict=True), model="colour")


def test_pictures_that_are_not_alike_are_refused_by_name():
    good = pictures(2)
    cases = {
        "is RGB 9 x 11, the first picture RGB 14 x 11": Image.new("RGB", (9, 11)),
        "is L 14 x 11, the first picture RGB 14 x 11": Image.new("L", (14, 11)),
        "mode RGBA is not taken in an archive, only 1, L, RGB are": Image.new("RGBA", (14, 11)),
        "mode CMYK is not taken": Image.new("CMYK", (14, 11)),
    }
    for message, bad in cases.items():
        with pytest.raises(ImageError, match=f"^odd: {message}"):
            api.compress_archive([("a", good[0]), ("odd", bad), ("b", good[1])], model="colour")


def test_what_the_model_does_not_take_is_refused():
    for kind, model, message in (
        ("RGB", "binary", "takes pictures of mode 1 and L, these have mode RGB"),
        ("1", "colour", "takes pictures of mode L and RGB, these have mode 1"),
        ("L", "binary", "takes samples 0, 255, these pictures have others"),
    ):
        with pytest.raises(ImageError, match=message):
            api.compress_archive(under_numbers(pictures(2, kind)), model=model)
    with pytest.raises(ModelError, match="lacks a set lossless"):
        api.compress_archive(under_numbers(pictures(2)), model="lossy")
    with pytest.raises(ImageError, match="one picture at least"):
        api.compress_archive([], model="colour")
    with pytest.raises(OptionError, match="model binary takes archives only"):
        api.compress(pictures(1)[0], lossless=True, model="binary")


def test_sets_that_are_too_large_are_refused(monkeypatch):
    with pytest.raises(ImageError, match=r"^big: .* more than a picture of an archive has"):
        api.compress_archive([("big", Image.new("L", (1025, 1024)))], model="colour")
    monkeypatch.setattr(container, "MAX_PIXELS", 5 * HEIGHT * WIDTH)
    packed(5)
    with pytest.raises(ImageError, match=r"^5: 6 pictures of 14 x 11"):
        packed(6)


def test_pictures_that_are_too_plain_are_refused(monkeypatch):
    monkeypatch.setattr("vlaezip.format.limits.SYMBOL_BITS", 50)
    with pytest.raises(ImageError, match="too plain for an archive"):
        packed()


def test_each_door_names_the_other():
    data, image = packed(), pictures(1)[0]
    with pytest.raises(WrongKind, match="archive of 3 pictures: decompress_archive"):
        api.decompress(data)
    with pytest.raises(WrongKind, match="one picture and no archive: decompress "):
        api.decompress_archive(api.compress(image, lossless=True))
    with pytest.raises(OSError, match="decompress_archive"):
        Image.open(BytesIO(data))


@pytest.mark.parametrize("kind", KINDS)
def test_files_cut_short_or_with_a_changed_byte_are_refused(kind):
    data = api.compress_archive(zip("abc", pictures(3, kind, height=3, width=4), strict=True), model=KINDS[kind])
    for where in range(len(data)):
        for spoilt in (data[:where], data[:where] + bytes([data[where] ^ 16]) + data[where + 1 :]):
            with pytest.raises(FileError):
                api.decompress_archive(spoilt)


@pytest.mark.parametrize("draws", [1, 3])
@pytest.mark.parametrize("kind", ["L", "1"])
def test_spoilt_data_behind_sound_checksums_raises_only_our_errors(kind, draws):
    file = read(packed(18, kind, draws, height=3, width=4))
    whole = bytes(file.data)
    for where in range(len(whole)):
        for spoilt in (whole[:where], whole[:where] + bytes([whole[where] ^ 9]) + whole[where + 1 :]):
            with pytest.raises(FileError):
                api.decompress_archive(write(Container(file.header, spoilt)))


@given(st.sampled_from([("colour", "RGB"), ("colour", "1"), ("binary", "1"), ("binary", "RGB"), ("lossy", "L")]),
       st.integers(1, 300), st.binary(max_size=300), st.integers(0, 8))  # fmt: skip
def test_garbage_behind_sound_checksums_raises_only_our_errors(what, count, blob, chained):
    model, mode = what
    header = Header(Kind.ARCHIVE, mode, 3, 2, bytes.fromhex(weights.find(model).id), ARCHIVE_TILE, count=count)
    start = PROLOGUE.pack(0, chained) + np.array([ans.HEAD_LOW * 3], "<u8").tobytes()
    for payload in (blob, start + blob[: len(blob) // 4 * 4]):
        with suppress(FileError, ModelError):
            api.decompress_archive(write(Container(header, payload)))


def test_models_that_do_not_take_the_mode_are_refused():
    binary = bytes.fromhex(weights.find("binary").id)
    for header in (
        Header(Kind.ARCHIVE, "RGB", 3, 2, binary, ARCHIVE_TILE, count=2),
        Header(Kind.LOSSLESS, "L", 3, 2, binary, ARCHIVE_TILE),
    ):
        decode = api.decompress_archive if header.kind is Kind.ARCHIVE else api.decompress
        with pytest.raises(CorruptFile, match="does not fit the model"):
            decode(write(Container(header, bytes(40))))


@pytest.mark.parametrize(("count", "width", "height"), [(100, 1000, 1000), (2**24, 1, 1), (95, 1, 2**20), (60, 900, 1)])
def test_archives_that_the_data_cannot_hold_are_refused(count, width, height):
    model = bytes.fromhex(weights.find("binary").id)
    header = Header(Kind.ARCHIVE, "1", width, height, model, ARCHIVE_TILE, count=count)
    with pytest.raises(CorruptFile, match="cannot hold"):
        api.decompress_archive(write(Container(header, bytes(60))))


def call(*words, **options):
    return CliRunner().invoke(app.commands, [str(word) for word in words], **options)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("set").mkdir()
    for name, image in zip("dbac", pictures(4, "1"), strict=True):
        image.save(f"set/{name}.png")
    Path("set/notes.txt").write_text("no picture")
    assert call("compress", "set", "-o", "set.vlz", "--archive", "--model", "binary").exit_code == 0
    return tmp_path


def same_files(folder):
    expected = {p.name: Image.open(p) for p in Path("set").glob("*.png")}
    found = {p.name: Image.open(p) for p in Path(folder).iterdir()}
    assert sorted(plain(expected.items())) == sorted(plain(found.items()))


def test_a_folder_there_and_back(folder):
    assert [name for name, _ in api.decompress_archive(Path("set.vlz").read_bytes())] == ["a", "b", "c", "d"]
    assert call("decompress", "set.vlz", "-o", "back").exit_code == 0
    same_files("back")
    Path("empty").mkdir()
    assert call("decompress", "set.vlz", "-o", "empty").exit_code == 0
    same_files("empty")
    assert call("decompress", "-", "-o", "piped", input=Path("set.vlz").read_bytes()).exit_code == 0
    same_files("piped")


def test_a_folder_with_many_draws(folder):
    words = ["set", "-o", "smaller.vlz", "--archive", "--model", "binary", "--draws", "4"]
    assert call("compress", *words).exit_code == 0
    assert call("decompress", "smaller.vlz", "-o", "back").exit_code == 0
    same_files("back")


def test_without_out_the_folder_is_named_like_the_file(folder):
    Path("set.vlz").rename("other.vlz")
    Path("other.png").write_text("has nothing to do with it")
    assert call("decompress", "other.vlz").exit_code == 0
    same_files("other")


def test_several_archives_get_a_folder_each(folder):
    Path("two.vlz").write_bytes(Path("set.vlz").read_bytes())
    assert call("decompress", "set.vlz", "two.vlz", "-o", "back").exit_code == 0
    same_files("back/set")
    same_files("back/two")


def test_files_that_exist_stay_without_force(folder):
    Path("back").mkdir()
    Path("back/c.png").write_text("precious")
    result = call("decompress", "set.vlz", "-o", "back")
    assert (result.exit_code, sorted(p.name for p in Path("back").iterdir())) == (1, ["c.png"])
    assert "back/c.png exists: name another file with -o" in result.stderr
    assert call("decompress", "set.vlz", "-o", "back", "--force").exit_code == 0
    same_files("back")
    assert call("compress", "set", "-o", "set.vlz", "--archive", "--model", "binary").exit_code == 1


def test_several_files_make_an_archive_too(folder):
    words = ["set/d.png", "set/a.png", "-o", "-", "--archive", "--lossless", "--model", "binary"]
    data = call("compress", *words).stdout_bytes
    assert [name for name, _ in api.decompress_archive(data)] == ["a", "d"]


def test_info_tells_of_all_pictures(folder):
    size = Path("set.vlz").stat().st_size
    told = call("info", "set.vlz").stdout
    assert f"set.vlz: archive, 4 pictures of 1 {WIDTH} x {HEIGHT}, {size} bytes" in told
    assert f"{8 * size / (4 * WIDTH * HEIGHT):.3f} bpp, {2 * size:.2f} bits a picture" in told
    assert "NAMES" in told


def test_errors_name_the_picture(folder):
    Image.new("1", (2, 2)).save("set/bad.png")
    result = call("compress", "set", "-o", "new.vlz", "--archive", "--model", "binary")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("vlaezip: new.vlz: bad: is 1 2 x 2, the first picture 1 14 x 11")
    Path("set/bad.png").write_text("no picture")
    result = call("compress", "set", "-o", "new.vlz", "--archive", "--model", "binary")
    assert result.stderr == "vlaezip: new.vlz: set/bad.png: not a picture of a kind that can be read\n"
    assert not Path("new.vlz").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["set", "--archive"], "name it with -o"),
        (["set", "--archive", "-o", "set"], "name it with -o"),
        (["set/a.png", "--archive", "-o", "x.vlz"], "one directory or several files"),
        (["set", "set", "--archive", "-o", "x.vlz"], "one directory or several files"),
        ([".", "--archive", "-o", "x.vlz"], "no .avif"),
        (["set", "--archive", "-o", "x.vlz", "-q", "6"], "no --quality"),
        (["set", "--archive", "-o", "x.vlz", "--effort", "0"], "no --effort"),
        (["set", "--archive", "-o", "x.vlz", "--seed", "0"], "no --seed"),
        (["set", "--archive", "-o", "x.vlz", "--temperature", "1"], "no --temperature"),
        (["set", "--archive", "-o", "x.vlz", "-r"], "no --recursive"),
        (["set/a.png", "-o", "x.vlz", "--draws", "2"], "it wants --archive"),
        (["set", "--archive", "-o", "x.vlz", "--draws", "65"], "1<=x<=64"),
    ],
)
def test_wrong_usage(folder, words, message):
    result = call("compress", *words)
    assert (result.exit_code, Path("x.vlz").exists()) == (2, False)
    assert message in result.stderr


def test_an_archive_has_no_preview_and_no_single_stream(folder):
    assert "no preview" in call("decompress", "set.vlz", "-o", "back", "--preview").stderr
    assert "name a directory" in call("decompress", "set.vlz", "-o", "-").stderr
    assert not Path("back").exists()
