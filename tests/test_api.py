"""The whole path: round trips of every mode, the same bytes and pixels everywhere, sizes, and files nobody wrote."""

import hashlib
import io
import os
import subprocess
import sys
import zlib
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pictures import disc, photo
from PIL import Image

import vlaezip
from vlaezip import api
from vlaezip.codec import block, learned
from vlaezip.codec.block import Refund
from vlaezip.coding import ans
from vlaezip.errors import CorruptFile, ModelError, OptionError, UnknownModel, VlaezipError
from vlaezip.format import contest, pixels
from vlaezip.format.container import VERSION, VERSION_3, Container, Header, Kind, is_learned, read, write
from vlaezip.format.settings import RATES, Settings
from vlaezip.model import learner, weights
from vlaezip.options import DEFAULT_QUALITY
from vlaezip.search.effort import DEFAULT_EFFORT, EFFORTS

MODES = ("1", "P", "L", "LA", "RGB", "RGBA")
MODELLED = ("L", "LA", "RGB", "RGBA")
OVERHEAD = 24  # header, chunk and checksum of a stored picture, at the most
CHANNELS = {"L": 1, "LA": 1, "RGB": 3, "RGBA": 3}


whole = cache(photo)


def scene(mode="RGB", width=56, height=40):
    """A part of a synthetic photograph."""
    return whole(256, 384, mode).crop((60, 70, 60 + width, 70 + height))


def plain(image):
    return image.mode, image.size, image.tobytes()


def same(a, b):
    if a.mode == "P":
        a, b = a.convert("RGB"), b.convert("RGB")
    return plain(a) == plain(b)


def back(image, **options):
    """Through a file: the file, and its picture."""
    data = api.compress(image, **options)
    return data, api.decompress(data)


@pytest.mark.parametrize("size", [(56, 40), (1, 1), (7, 1), (1, 7), (1, 40), (17, 33)])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("effort", [0, None])
def test_lossless_is_lossless(effort, mode, size):
    image = scene(mode, *size)
    data, found = back(image, lossless=True, effort=effort)
    assert same(found, image)
    assert api.compress(image, lossless=True, effort=effort) == data


@pytest.mark.parametrize("mode", MODELLED)
def test_photographs_are_coded_by_the_model(mode):
    assert read(api.compress(scene(mode), lossless=True)).header.kind is Kind.LOSSLESS
    assert read(api.compress(scene(mode))).header.kind is Kind.LOSSY


@pytest.mark.parametrize("size", [(56, 40), (1, 1), (7, 1), (1, 40), (17, 33)])
@pytest.mark.parametrize("mode", MODELLED)
def test_lossy_decodes_to_the_same_picture_every_time(mode, size):
    image = scene(mode, *size)
    data, found = back(image)
    assert (found.mode, found.size) == (mode, size)
    assert plain(api.decompress(data)) == plain(found)
    assert api.compress(image) == data


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("alpha", ["disc", "constant", "noise"])
def test_alpha_is_kept_exactly(mode, lossless, alpha):
    image = scene(mode)
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 56), np.uint8))
    image.putalpha({"disc": disc(40, 56), "constant": 77, "noise": noise}[alpha])
    _, found = back(image, lossless=lossless)
    assert found.getchannel("A").tobytes() == image.getchannel("A").tobytes()


@pytest.mark.parametrize("lossless", [False, True])
def test_previews_look_like_the_picture(lossless):
    image = scene()
    data = api.compress(image, lossless=lossless)
    seen = api.decompress(data, preview=True)
    assert (seen.mode, seen.size) == ("RGB", image.size)
    if not lossless:  # a lossless model keeps little in z
        assert abs(np.asarray(seen, float) - np.asarray(image, float)).mean() < 30
    assert plain(seen) == plain(api.decompress(data, preview=True))


@pytest.mark.parametrize("preview", [False, True])
def test_grey_pictures_come_back_grey_and_cost_one_channel(preview):
    grey = scene("L")
    assert len(api.compress(grey, lossless=True)) <= len(api.compress(grey.convert("RGB"), lossless=True))
    assert api.decompress(api.compress(grey), preview=preview).mode == "L"


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_samples_alone_make_the_same_file(mode, lossless):
    image = scene(mode)
    image.info["icc_profile"] = b"colours"
    before = plain(image.copy())
    for strip in (False, True):
        data = api.compress(image, lossless=lossless, strip=strip)
        assert api.compress(pixels.split(image), lossless=lossless, strip=strip) == data
        assert read(data).icc == (None if strip else b"colours")
    assert plain(image) == before
    assert image.info["icc_profile"] == b"colours"


def dream(image, **options):
    return np.asarray(api.decompress(api.compress(image, **options)), float)


def test_a_seed_changes_the_dream_but_not_the_preview():
    image = scene()
    first, second = (api.compress(image, seed=seed) for seed in (1, 2))
    assert plain(api.decompress(first)) != plain(api.decompress(second))
    assert plain(api.decompress(first, preview=True)) == plain(api.decompress(second, preview=True))
    assert read(first).data == read(second).data


def test_dreams_differ_less_when_cold():
    image, spread = scene(), []
    for temperature in (0.1, 0.5, 1.0):
        spread.append(
            (dream(image, temperature=temperature, seed=1) - dream(image, temperature=temperature, seed=2)).std()
        )
    assert spread == sorted(spread)
    assert spread[0] < spread[2]


def test_quality_orders_size_and_the_preview_s_error():
    image = scene(width=128, height=112)
    levels = len(weights.load(weights.find(weights.DEFAULT).path, "lossy").rounding)
    files = [api.compress(image, quality=q) for q in range(1, levels + 1)]
    sizes = [len(f) for f in files]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.8 * sizes[-1]
    seen = [np.asarray(api.decompress(f, preview=True), float) for f in (files[0], files[-1])]
    worst, best = (((s - np.asarray(image, float)) ** 2).mean() for s in seen)
    assert best < worst
    assert api.compress(image) == files[DEFAULT_QUALITY - 1]


@pytest.mark.parametrize("options", [{"quality": 0}, {"quality": 99}, {"temperature": 0.0}, {"temperature": 2.1},
                                     {"temperature": float("nan")}, {"temperature": float("inf")}])  # fmt: skip
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(OptionError, match="outside"):
        api.compress(scene(), **options)


@pytest.mark.parametrize("device", ["tpu", "cuda:99", ""])
def test_unknown_devices_are_refused(device):
    with pytest.raises(OptionError, match="device"):
        api.compress(scene(), device=device)


def test_unknown_models_are_refused():
    with pytest.raises(OptionError, match="nobody is not installed"):
        api.compress(scene(), model="nobody")
    file = read(api.compress(scene()))
    header = {name: getattr(file.header, name) for name in Header.__slots__} | {"model": b"\0\0\0\0"}
    with pytest.raises(UnknownModel, match="00000000"):
        api.decompress(write(Container(Header(**header), file.data)))


def test_the_price_is_the_models_estimate():
    image = scene(width=120, height=90)
    net = weights.load(weights.find(weights.DEFAULT).path, "lossless")
    x = np.asarray(image)[None].astype(np.int32)
    z = block.first_latent(net, x)
    estimate = block.local_ar.encode_intervals(net.prior, net.prior_scene(z.shape[:3], 0), z).bits
    estimate += block.local_ar.encode_intervals(net.pixel, net.pixel_scene(z, x.shape[:3]), x).bits
    data = api.compress(image, lossless=True, effort=0)
    assert abs(8 * len(data) - estimate) <= 0.01 * estimate + 64 * 8


def screen():
    """Text-like blocks on a flat ground."""
    rng = np.random.default_rng(0)
    picture = np.full((96, 128, 3), 250, np.uint8)
    for top in range(4, 90, 8):
        for left in range(4, 120, 5):
            picture[top : top + 5, left : left + 4][rng.random((5, 4)) < 0.4] = (30, 30, 60)
    return picture


NOISE = np.random.default_rng(1).integers(0, 256, (60, 70, 4), np.uint8)
AWKWARD = {
    "screen": screen(),
    "noise": NOISE[..., :3],
    "noise with alpha": NOISE,
    "grey noise": NOISE[..., 0],
    "flat": np.full((80, 90, 3), 77, np.uint8),
    "grey flat": np.zeros((64, 64), np.uint8),
    "pixel": NOISE[:1, :1, :3],
    "row": NOISE[:1, :7, :3],
    "column": NOISE[:7, :1, :3],
    "stripes": np.tile(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8), (64, 40, 1)),
    "ramp": np.tile(np.arange(96, dtype=np.uint8)[None, :, None], (50, 1, 3)),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_a_file_is_never_larger_than_the_png_and_the_header(name):
    image, png = Image.fromarray(AWKWARD[name]), io.BytesIO()
    image.save(png, "PNG", optimize=True)
    data, found = back(image, lossless=True)
    assert same(found, image)
    for size in (len(data), len(api.compress(image))):
        assert size <= len(png.getvalue()) + OVERHEAD


TALL = {
    "photograph": photo(512, 160),
    "noise": Image.fromarray(np.random.default_rng(2).integers(0, 256, (512, 90, 3), np.uint8)),
    "screen": Image.fromarray(np.tile(screen(), (5, 1, 1))),
    "half a screen": Image.fromarray(np.hstack([np.tile(screen(), (5, 1, 1)), np.asarray(photo(480, 128))])),
    "flat": Image.fromarray(np.full((600, 50, 3), 9, np.uint8)),
}


@pytest.mark.parametrize("name", TALL)
def test_a_glance_at_tall_pictures_decides_as_a_longer_look_does(name, monkeypatch):
    picture, share = pixels.split(TALL[name]), np.array([0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2])
    sizes = [round(s * contest.deflated(picture, contest.STRIP)) for s in share]
    glances = [contest.may_be_smaller(picture, size) for size in sizes]
    monkeypatch.setattr(contest, "MANY_STRIPS", 1 << 20)
    assert glances == [contest.may_be_smaller(picture, size) for size in sizes]


@pytest.mark.parametrize("model", ["photo", "photo-fast"])
@pytest.mark.parametrize("mode", MODELLED)
def test_files_of_an_effort_are_learned(mode, model):
    image = scene(mode)
    for effort, version in ((0, VERSION), (None, VERSION_3), (1, VERSION_3)):
        data, found = back(image, lossless=True, effort=effort, model=model)
        assert same(found, image)
        assert data[3] == version
        assert is_learned(read(data).data) == (version == VERSION_3)


def test_effort_0_makes_the_bytes_that_it_ever_made():
    image = photo(52, 70)
    golden = (Path(__file__).parent / "golden").glob
    for name, options in (("lossless", {}), ("lossless-fast", {"model": "photo-fast"})):
        assert api.compress(image, lossless=True, effort=0, **options) in [
            f.read_bytes() for f in golden(f"*-{name}.vlz")
        ]


def test_the_default_is_one_of_the_efforts():
    image = scene()
    assert api.compress(image, lossless=True) == api.compress(image, lossless=True, effort=DEFAULT_EFFORT)
    assert api.compress(image) == api.compress(image, effort=0)


def test_a_model_that_cannot_learn_is_used_as_it_is(monkeypatch):
    def refuse(*_):
        raise ModelError("it cannot learn")

    monkeypatch.setattr(learner, "begin", refuse)
    assert api.compress(scene(), lossless=True) == api.compress(scene(), lossless=True, effort=0)


def test_a_longer_effort_takes_the_best_of_what_it_tries(monkeypatch):
    """And the one that pays is written, by itself."""
    image, tried = scene(), (Settings(64, RATES[0]), Settings(32, RATES[20]), Settings(256, RATES[-1]))
    ladder = [(), *((s,) for s in tried), tried]
    monkeypatch.setattr(api, "settings_tried", lambda effort, pixels: ladder[effort])
    sizes = [len(api.compress(image, lossless=True, effort=effort)) for effort in range(1, 5)]
    assert sizes[3] == min(sizes)


MIXED = {
    "noise": lambda rng, shape: rng.integers(0, 256, shape),
    "bits": lambda rng, shape: 255 * rng.integers(0, 2, shape),
    "few colours": lambda rng, shape: rng.integers(0, 256, (5, shape[2]))[rng.integers(0, 5, shape[:2])],
    "stripes": lambda rng, shape: np.broadcast_to(rng.integers(0, 256, (shape[0], 1, shape[2])), shape),
    "photograph": lambda rng, shape: np.asarray(photo(*shape[:2], seed=int(rng.integers(9))))[..., : shape[2]],
    "flat": lambda rng, shape: np.broadcast_to(rng.integers(0, 256, shape[2]), shape),
}


@settings(max_examples=60)
@given(st.tuples(*[st.sampled_from(list(MIXED))] * 2), st.integers(1, 70), st.integers(1, 70), st.integers(0, 100),
       st.sampled_from([1, 3]), st.sampled_from([1, DEFAULT_EFFORT, EFFORTS - 1]), st.integers(0, 99))  # fmt: skip
@example(("noise", "photograph"), 59, 47, 38, 3, DEFAULT_EFFORT, 0)
def test_no_effort_makes_a_file_larger(kinds, height, width, corner, channels, effort, seed):
    """Pictures are of one kind where coding begins and of another beyond; none is stored, even if that takes less."""
    rng = np.random.default_rng(seed)
    first, rest = (MIXED[kind](rng, (height, width, channels)) for kind in kinds)
    i, j, _ = np.indices((height, width, 1))
    colour = np.broadcast_to(np.where(j + 2 * i < corner, first, rest).astype(np.uint8), (height, width, 3))
    net = weights.load(weights.find(weights.DEFAULT).path, "lossless")
    head = Header(Kind.LOSSLESS, "L" if channels == 1 else "RGB", width, height, b"abcd", 64)
    sizes = [len(api.lossless_data(net, head, colour, e)[1]) for e in (0, effort)]
    assert sizes[1] <= sizes[0] + 16


def test_pictures_that_are_stored_take_any_effort():
    for image in (scene("1"), scene("P")):
        assert api.compress(image, lossless=True, effort=9) == api.compress(image, lossless=True, effort=0)


@pytest.mark.parametrize("effort", [-1, 10])
def test_efforts_out_of_range_are_refused(effort):
    with pytest.raises(OptionError, match="outside 0"):
        api.compress(scene(), effort=effort)


TUNED = Path(__file__).parent / "golden" / "0.4.0-lossless-tuned.vlz"


def test_tunings_that_are_damaged_are_refused():
    file = read(TUNED.read_bytes())
    parts = (file.header, file.data, file.alpha, file.icc, file.exif, file.xmp)
    assert file.tuning is not None
    for spoilt in (b"", file.tuning[:-4], file.tuning + bytes(4), None):  # without it, other pixels come out
        with pytest.raises(CorruptFile):
            api.decompress(write(Container(*parts, spoilt)))


def test_a_learner_begins_with_a_tuning_where_a_file_has_one():
    """No encoder makes such files. Other pixels come out, or that model cannot learn."""
    tuning, file = read(TUNED.read_bytes()).tuning, read(api.compress(scene(), lossless=True))
    header = replace(file.header, model=read(TUNED.read_bytes()).header.model)
    with pytest.raises(VlaezipError):
        api.decompress(write(Container(header, file.data, tuning=tuning)))


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(api, "TILE", 64)


@pytest.mark.parametrize("mode", ["L", "RGBA"])
@pytest.mark.parametrize("size", [(65, 1), (64, 65), (130, 130)])
def test_many_tiles_chain_and_come_back(mode, size, small_tiles):
    image = scene(mode, *size)
    data, found = back(image, lossless=True)
    assert same(found, image)
    if size == (130, 130):
        assert read(data).header.kind is Kind.LOSSLESS
        assert is_learned(read(data).data)
    chained, found = back(image, lossless=True, effort=0)
    assert same(found, image)
    if size == (130, 130):
        assert read(chained).data[4] == Refund.WHITE
    assert api.decompress(data, preview=True).size == size
    assert api.decompress(api.compress(image)).size == size


def test_tiles_leave_no_seams_in_a_preview(monkeypatch):
    image = scene(width=150, height=140)
    whole = api.decompress(api.compress(image), preview=True)
    monkeypatch.setattr(api, "TILE", 64)
    data = api.compress(image)
    assert read(data).header.tile == 64
    assert plain(api.decompress(data, preview=True)) == plain(whole)


def test_tiles_too_cheap_to_refund_are_not_chained(small_tiles, monkeypatch):
    """The first tile leaves nothing for the second to take; the file says so and comes back."""
    monkeypatch.setattr(api, "may_be_smaller", lambda image, size: False)
    monkeypatch.setattr(api, "least_bits", lambda *sizes: 0)
    dull = Image.fromarray(np.full((70, 64, 3), 128, np.uint8))
    data, found = back(dull, lossless=True, effort=0)
    assert same(found, dull)
    assert read(data).header.kind is Kind.LOSSLESS
    assert read(data).data[4] in (Refund.NONE, Refund.WHITE)


def test_many_lanes_come_back(monkeypatch):
    monkeypatch.setattr(api, "PLACES_PER_LANE", 64)
    image = scene()
    for effort, most in ((0, 32), (None, learned.MAX_LANES)):
        data, found = back(image, lossless=True, effort=effort)
        assert read(data).header.lanes == most
        assert same(found, image)


def test_lanes_grow_with_the_picture():
    assert [api.lanes(n) for n in (1, 1 << 14, (1 << 15) - 1, 1 << 15, 1 << 20, 1 << 40)] == [1, 1, 1, 2, 64, 4096]


def test_what_is_promised_does_not_hang_on_zlib(monkeypatch):
    """Samples are coded, and metadata comes back, the same; only how it is deflated differs."""
    image = scene()
    image.info |= {"icc_profile": bytes(99), "gamma": 0.5}
    blobs = {exact: api.compress(image, lossless=exact) for exact in (True, False)}
    other = zlib.compress
    monkeypatch.setattr(zlib, "compress", lambda data, level=-1: other(data, 0))
    for exact, blob in blobs.items():
        again = api.compress(image, lossless=exact)
        assert len(again) > len(blob)
        assert read(again) == read(blob)


def test_stored_pictures_of_other_encoders_come_back():
    for image, kind, options in (
        (scene("P"), "PNG", {"compress_level": 1}),
        (scene("RGBA"), "PNG", {"compress_level": 0}),
        (scene("L").convert("RGB"), "WEBP", {"lossless": True, "method": 0}),
    ):
        mode = "L" if kind == "WEBP" else image.mode
        file = io.BytesIO()
        image.save(file, kind, **options)
        data = write(Container(Header(Kind.STORED, mode, *image.size), file.getvalue()))
        assert same(api.decompress(data), image.convert(mode))


def digests():
    """What another process, or another number of threads, has to reproduce."""
    image = scene(width=10, height=8)
    files = [api.compress(image, lossless=True), api.compress(image), api.compress(image.convert("L"), lossless=True)]
    pictures = [api.decompress(f).tobytes() for f in files] + [api.decompress(f, preview=True).tobytes() for f in files]
    return [hashlib.sha256(part).hexdigest() for part in files + pictures]


def test_threads_do_not_matter():
    before, results = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(digests())
    finally:
        torch.set_num_threads(before)
    assert results[0] == results[1]


def test_another_process_makes_the_same_bytes_and_pixels():
    here = os.path.dirname(__file__)
    paths = os.pathsep.join([here, os.path.dirname(here), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "7"}
    call = [sys.executable, "-c", "import test_api; print(*test_api.digests())"]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == digests()


@pytest.mark.parametrize("lossless", [False, True])
def test_files_cut_short_or_with_a_changed_byte_are_refused(lossless):
    data = api.compress(scene(), lossless=lossless)
    for where in range(0, len(data), max(len(data) // 40, 1)):
        for spoilt in (data[:where], data[:where] + bytes([data[where] ^ 16]) + data[where + 1 :]):
            with pytest.raises(VlaezipError):
                api.decompress(spoilt)


def header(kind, width=20, height=12, lanes=1, quality=2):
    model = bytes.fromhex(weights.find(weights.DEFAULT).id)
    lossy = {"quality": quality, "temperature": 48, "seed": 5} if kind is Kind.LOSSY else {}
    return Header(kind, "RGB", width, height, model, 1024, lanes, **lossy)


@settings(max_examples=30)
@given(st.sampled_from([Kind.LOSSLESS, Kind.LOSSY]), st.binary(max_size=300), st.integers(0, 2), st.booleans())
def test_garbage_behind_sound_checksums_raises_only_our_errors(kind, blob, lanes, preview):
    head = np.array([ans.HEAD_LOW * 3] * 4, "<u8").tobytes()[: 8 << lanes]
    start = b"\0\0\0\0\0" + head if kind is Kind.LOSSLESS else head
    for payload in (blob, start + blob[: len(blob) // 4 * 4]):
        with suppress(VlaezipError):
            api.decompress(write(Container(header(kind, lanes=1 << lanes), payload)), preview=preview)


def test_pixels_that_do_not_match_their_checksum_are_refused():
    file = read(api.compress(scene(), lossless=True))
    with pytest.raises(CorruptFile, match="CRC"):
        api.decompress(write(Container(file.header, bytes(4) + file.data[4:])))
    with pytest.raises(CorruptFile, match="chain"):
        api.decompress(write(Container(file.header, b"".join([file.data[:4], b"\3", file.data[5:]]))))


def test_sizes_that_the_data_cannot_hold_are_refused():
    for kind in (Kind.LOSSLESS, Kind.LOSSY):
        with pytest.raises(CorruptFile, match="cannot hold"):
            api.decompress(write(Container(header(kind, 10_000, 10_000), bytes(40))))


def test_levels_that_the_model_lacks_are_refused():
    with pytest.raises(CorruptFile, match="quality"):
        api.decompress(write(Container(header(Kind.LOSSY, quality=200), bytes(40))))


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("size", [(1, 4200), (4200, 1)])
def test_thin_pictures_are_stored(size, lossless):
    """What takes a step a pixel is not modelled: limits.py."""
    image = Image.new("RGB", size, (90, 120, 150))
    data = api.compress(image, lossless=lossless)
    assert read(data).header.kind is Kind.STORED
    assert plain(api.decompress(data)) == plain(image)


def test_the_package_has_one_face():
    image = scene()
    data = vlaezip.compress(image)
    assert plain(vlaezip.decompress(data)) == plain(api.decompress(data))
    assert vlaezip.info(data).total == len(data)


@pytest.mark.parametrize("thing", ["a.png", Path("a.png"), b"\x89PNG", np.zeros((4, 4, 3), np.uint8), None])
def test_what_is_no_picture_is_told_what_is_taken(thing):
    for call in (
        api.compress,
        lambda t: vlaezip.compress_batch([t]),
        lambda t: api.compress_archive({"a": t}),
        lambda t: api.compress_archive([("a", t)]),
    ):
        with pytest.raises(TypeError, match=r"PIL\.Image\.Image, found"):
            call(thing)


@pytest.mark.parametrize("thing", ["a.vlz", Path("a.vlz"), np.zeros(4, np.uint8), None, 7])
def test_what_is_no_file_is_told_what_is_taken(thing):
    for call in (api.decompress, api.decompress_archive, vlaezip.info, lambda t: vlaezip.decompress_batch([t])):
        with pytest.raises(TypeError, match="from its bytes, found"):
            call(thing)


@pytest.mark.parametrize("thing", ["folder", Path("folder"), None, Image.new("L", (2, 2))])
def test_what_is_no_set_of_pictures_is_told_what_is_taken(thing):
    with pytest.raises(TypeError, match="names and pictures"):
        api.compress_archive(thing)
