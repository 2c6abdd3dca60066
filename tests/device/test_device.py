"""The device path, in torch and in the interpreter of Triton: what the kernels of the CPU give, bit for bit."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import random_nets
import scenes
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import seeds
from pictures import photo
from PIL import Image

from vlaezip import api
from vlaezip import batch as batches
from vlaezip.cli import app, run
from vlaezip.codec import block
from vlaezip.coding import ans
from vlaezip.device import batch, choose, plain, wave
from vlaezip.device import net as nets
from vlaezip.errors import CorruptFile, ModelError, OptionError, VlaezipError
from vlaezip.exact import law
from vlaezip.format.container import VERSION_3, Kind, read
from vlaezip.model import local_ar, weights
from vlaezip.model.vlae import neighbourhood
from vlaezip.options import Options

GPU = torch.cuda.is_available()
if not GPU:
    os.environ["TRITON_INTERPRET"] = "1"
from vlaezip.device import kernels  # noqa: E402  # the interpreter is chosen when kernels are made

DEVICES = ["cpu", *(["cuda"] if GPU else [])]
ROOT = Path(__file__).parents[2]
PARTS = {"plain": plain, "kernels": kernels}
KINDS = ["median", "preview", "zero", "grouped"]


def scene_of(rng, net, shape, grey=False):
    """A scene of the CPU and its pictures."""
    scene = scenes.random_scene(rng, net, shape, grey)
    return scene, scenes.random_values(rng, scene)


def on(scene, device="cpu"):
    """The scene, on a device."""
    base, extra = (torch.from_numpy(a).to(device) for a in (scene.base, scene.extra))
    return wave.DeviceScene(base, extra, scene.steps, scene.grey, scene.warmth)


def alone(scene, n):
    """The scene of one picture."""
    return scene._replace(base=scene.base[n : n + 1], extra=scene.extra[n : n + 1])


def messages(count, lanes):
    """Messages that hold something, each of another length."""
    return [ans.Message(np.full(lanes, 1 << 40, np.uint64), np.arange(n, dtype=np.uint32)) for n in range(count)]


def written(found):
    return [ans.write(message) for message in found]


def use(monkeypatch, parts):
    monkeypatch.setattr(wave, "parts_for", lambda kind: PARTS[parts])


def agrees(net, scene, x, lanes, device):
    """Both directions against the CPU, picture by picture."""
    before = messages(len(x), lanes)
    each = [local_ar.codec(net, alone(scene, n)).push(m, x[n : n + 1]) for n, m in enumerate(before)]
    found = wave.codec(net, on(scene, device))
    assert written(found.push(before, x)) == written(each)
    after, values = found.pop(each)
    assert (values == x).all()
    assert written(after) == written(before)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("lanes", [1, 2, 8])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 6), (1, 6, 1), (3, 7, 4)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_coded_as_its_pictures_are(kind, shape, lanes, device):
    rng, net = np.random.default_rng(1), scenes.NETS[kind]
    agrees(net, *scene_of(rng, net, shape), lanes, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["median", "preview"])
def test_grey_pictures_too(kind, device):
    rng, net = np.random.default_rng(2), scenes.NETS[kind]
    agrees(net, *scene_of(rng, net, (2, 4, 5), grey=True), 2, device)


@pytest.mark.parametrize("kind", KINDS)
def test_kernels_are_as_exact(kind, monkeypatch):
    """Two rows of places, so that edges, empty steps and rounds with idle lanes are met."""
    use(monkeypatch, "kernels")
    rng, net = np.random.default_rng(3), scenes.NETS[kind]
    grey = kind == "preview"
    agrees(net, *scene_of(rng, net, (2, 2, 3), grey), 2, DEVICES[-1])


@settings(max_examples=10)
@given(st.sampled_from(KINDS), st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5)), seeds)
def test_any_net_on_any_shape(kind, shape, seed):
    rng, net = np.random.default_rng(seed), random_nets.local(scenes.KINDS[kind], seed)
    agrees(net, *scene_of(rng, net, shape), 2, "cpu")


def test_steps_may_be_padded(monkeypatch):
    monkeypatch.setattr(wave, "UNIT", 3)
    rng, net = np.random.default_rng(4), scenes.NETS["median"]
    agrees(net, *scene_of(rng, net, (2, 9, 12)), 4, "cpu")


def test_chunks_of_the_parallel_pass_do_not_matter(monkeypatch):
    monkeypatch.setitem(wave.CHUNK_ROWS, "cpu", 7)
    rng, net = np.random.default_rng(5), scenes.NETS["preview"]
    agrees(net, *scene_of(rng, net, (2, 5, 6)), 1, "cpu")


def test_a_stack_that_runs_dry_is_corrupt():
    rng, net = np.random.default_rng(6), scenes.NETS["median"]
    scene, x = scene_of(rng, net, (2, 4, 5))
    full = wave.codec(net, on(scene)).push([ans.empty(1)] * 2, x)
    with pytest.raises(CorruptFile):
        wave.codec(net, on(scene)).pop([full[0], ans.Message(full[1].heads, full[1].words[5:])])


@settings(max_examples=10)
@given(seeds)
def test_garbage_gives_values_of_the_scene_or_our_errors(seed):
    rng, net = np.random.default_rng(seed), scenes.NETS["zero"]
    scene, _ = scene_of(rng, net, (1, 2, 3))
    message = ans.Message(np.array([1 << 62], np.uint64), rng.integers(0, 1 << 32, seed % 40, np.uint32))
    try:
        _, expected = local_ar.codec(net, scene).pop(message)
    except CorruptFile:
        with pytest.raises(CorruptFile):
            wave.codec(net, on(scene)).pop([message])
    else:
        assert (wave.codec(net, on(scene)).pop([message])[1] == expected).all()


@pytest.mark.parametrize("parts", PARTS)
def test_products_are_exact_at_the_largest_sums(parts):
    nets.check(PARTS[parts], torch.device(DEVICES[-1]))


def test_a_device_that_rounds_is_refused():
    class Coarse:
        OPERAND = torch.float32

        def product(layer, kind, x, out):
            plain.product(layer, kind, x.bfloat16().float(), out)

    with pytest.raises(ModelError, match="does not compute exactly"):
        nets.check(Coarse, torch.device("cpu"))


def test_operands_and_sums_fit_into_what_a_gpu_multiplies():
    """float16 and TF32 have 11 bits of mantissa, float32 24."""
    assert torch.tensor([law.OPERAND_MAX, law.OPERAND_MAX - 1]).half().tolist() == [2048, 2047]
    assert torch.finfo(torch.float16).eps * law.OPERAND_MAX <= 2
    assert torch.finfo(torch.float32).eps * law.SUM_LIMIT <= 2


def test_the_neighbourhood_is_that_of_the_cpu():
    preview = np.random.default_rng(7).integers(0, 256, (2, 5, 4, 3)).astype(np.int16)
    assert (batch.neighbourhood(torch.from_numpy(preview)).numpy() == neighbourhood(preview)).all()


@pytest.mark.parametrize("refund", list(block.Refund))
def test_chains_of_blocks_are_those_of_the_cpu(refund):
    model, rng = random_nets.vlae(random_nets.vlae_config()), np.random.default_rng(8)
    blocks = [rng.integers(0, 256, (2, h, 9, 3)).astype(np.int32) for h in (8, 5, 7)]
    each = [block.push_blocks(model, ans.empty(2), (x[n : n + 1] for x in blocks), False, refund) for n in range(2)]
    together = batch.push_blocks(model, [ans.empty(2)] * 2, blocks, False, refund)
    assert written(together) == written(each)
    found = list(batch.pop_blocks(model, together, [x.shape[:3] for x in blocks], False, refund))
    assert all((a == b).all() for a, b in zip(reversed(found), blocks, strict=True))


SMALL = [photo(12, 15, mode, seed) for seed, mode in enumerate(("RGB", "L", "RGB", "RGBA", "P"))] + [photo(9, 7)]


@pytest.fixture(scope="module")
def files():
    return [api.compress(image, lossless=True, effort=0, model="photo-fast") for image in SMALL]


@pytest.mark.parametrize("device", DEVICES)
def test_batches_of_files_are_those_of_single_pictures(files, device):
    assert [read(file).header.kind for file in files] == [*[Kind.LOSSLESS] * 4, Kind.STORED, Kind.LOSSLESS]
    assert batches.coded(SMALL, Options(lossless=True, effort=0, device=device, model="photo-fast")) == files
    found = batches.decoded([*files, api.compress(SMALL[0])], device)
    assert [im.tobytes() for im in found[:-1]] == [im.tobytes() for im in SMALL]
    assert [im.mode for im in found[:-1]] == [im.mode for im in SMALL]


def test_a_batch_leaves_files_that_learned_to_the_cpu(files):
    image = photo(60, 50)
    file = api.compress(image, lossless=True, model="photo-fast")
    assert read(file).version == VERSION_3
    assert [im.tobytes() for im in batches.decoded([file, files[0]], "cpu")] == [image.tobytes(), SMALL[0].tobytes()]


def test_on_the_cpu_a_batch_is_a_loop(files):
    assert batches.compress_batch(SMALL, lossless=True, effort=0, model="photo-fast", device="cpu") == files
    assert [im.tobytes() for im in batches.decompress_batch(files, device="cpu")] == [im.tobytes() for im in SMALL]
    assert batches.compress_batch(SMALL[:1], quality=2, device="cpu") == [api.compress(SMALL[0], quality=2)]


def test_a_damaged_file_spoils_a_batch(files):
    file = read(files[0])
    cut = api.write(api.Container(file.header, file.data[:-8]))
    with pytest.raises(VlaezipError):
        batches.decoded([files[0], cut], "cpu")


def test_a_gpu_that_is_not_there_is_not_taken():
    if not GPU:
        assert choose.choose_for("auto", 1000) == "cpu"
        with pytest.raises(OptionError):
            choose.choose_for("cuda", 1000)
    assert choose.choose_for("auto", 1) == "cpu"
    assert weights.available()


@pytest.mark.parametrize("spoilt", [False, True])
def test_the_command_line_takes_many_files_at_once(spoilt, files, tmp_path, monkeypatch):
    """As on a GPU: batches of two; where one file is damaged, the others of its batch come one by one."""
    calls = []

    def many(data, device):
        calls.append(len(data))
        return batches.decoded(data, "cpu")

    monkeypatch.setattr(choose, "choose_for", lambda device, count: "cuda")
    monkeypatch.setattr(batches, "decompress_batch", many)
    monkeypatch.setattr(run, "BATCH", 2)
    paths = [tmp_path / f"{n}.vlz" for n in range(3)]
    for path, data in zip(paths, files, strict=False):
        path.write_bytes(data)
    if spoilt:
        paths[1].write_bytes(files[1][:-9])
    found = CliRunner().invoke(app.commands, ["decompress", *map(str, paths)])
    assert found.exit_code == spoilt
    assert calls == [2, 1]
    for n in {0, 1, 2} - ({1} if spoilt else set()):
        assert Image.open(paths[n].with_suffix(".png")).tobytes() == SMALL[n].tobytes()


def test_kernels_compile_without_a_gpu():
    command = [sys.executable, "-m", "tests.compile_kernels", "90"]
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(done.stdout.split()) == {name for name in dir(kernels) if name.endswith("_kernel")}
