"""Model files: found, proven, tested; and refused when damaged, lawless, foreign, or on an inexact device."""

import json
import struct

import numpy as np
import pytest
import random_nets
import torch
from click.testing import CliRunner
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch
from torch.overrides import TorchFunctionMode

from vlaezip.cli import app
from vlaezip.device import placement
from vlaezip.errors import ModelError, UnknownModel
from vlaezip.model import config, weights

TORCH = "cpu:0"  # the name of a CPU under which torch runs the nets around z, as on other devices
SIZES = {"fine": random_nets.vlae_config(), "lossy": random_nets.vlae_config(1, "preview", levels=2)}
FIELDS = {which: config.to_json(c) for which, c in SIZES.items()}
PARTS = {k: v for seed, (which, c) in enumerate(SIZES.items()) for k, v in random_nets.tensors(c, which, seed).items()}
ANSWERS = {w: weights.known_answer(weights.assemble(PARTS, w, f)) for w, f in FIELDS.items()}


@pytest.fixture
def path(tmp_path):
    """A sound model file."""
    target = tmp_path / "random.safetensors"
    random_nets.save(target, PARTS, FIELDS, ANSWERS)
    return target


def changed(parts=None, **layers):
    """The tensors with some of them replaced."""
    return {**PARTS, **(parts or {}), **layers}


def load(path, which="fine"):
    return weights.load(path, which)


def test_a_sound_file_loads(path):
    info = weights.read_info(path)
    assert (info.name, info.sets, info.size) == ("random", ("fine", "lossy"), path.stat().st_size)
    for which, sizes in SIZES.items():
        model = load(path, which)
        assert model.config == sizes
        assert (model.rounding == PARTS[f"{which}/rounding"]).all()
        assert load(path, which) is model


def test_shipped_models_pass_their_known_answer_tests():
    infos = weights.available()
    assert weights.DEFAULT in [info.name for info in infos]
    for info in infos:
        assert [weights.load(info.path, which).config.latent > 0 for which in info.sets]
        assert weights.find(info.name) == weights.find(info.id) == weights.find(bytes.fromhex(info.id)) == info


@pytest.mark.parametrize("wanted", [b"\0\1\2\3", "no such model", b"", ""])
def test_unknown_models_are_named(wanted):
    with pytest.raises(UnknownModel, match=r"is not installed; installed: .*photo"):
        weights.find(wanted)


def test_the_id_tells_models_apart(path):
    texts = json.dumps(FIELDS), json.dumps(ANSWERS)
    first = weights.identity(PARTS, *texts)
    name = "fine/prior.stem.weight"
    other = PARTS[name].copy()
    other[0, 0] ^= 1
    assert len(bytes.fromhex(first)) == weights.ID_BYTES
    assert weights.identity(changed({name: other}), *texts) != first
    assert weights.identity(PARTS, texts[0] + " ", texts[1]) != first
    assert weights.identity(dict(reversed(PARTS.items())), *texts) == first


def test_any_changed_byte_of_the_weights_is_found(path):
    data = bytearray(path.read_bytes())
    (length,) = struct.unpack_from("<Q", data)
    for where in np.linspace(8 + length, len(data) - 1, 12).astype(int):
        spoilt = path.with_name(f"{where}.safetensors")
        spoilt.write_bytes(data[:where] + bytes([data[where] ^ 4]) + data[where + 1 :])
        with pytest.raises(ModelError, match="damaged"):
            load(spoilt)


@pytest.mark.parametrize("share", [0, 1e-4, 0.3, 0.9, 0.9999])
def test_files_cut_short_are_refused(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelError):
        load(path)


@pytest.mark.parametrize(
    "data", [b"", b"PNG", b"\xff" * 100, struct.pack("<Q", 2) + b"{}", struct.pack("<Q", 2) + b"[]"]
)
def test_foreign_files_are_refused(tmp_path, data):
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelError, match="no model"):
        weights.read_info(path)


@pytest.mark.parametrize("lacks", ["name", "configs", "id"])
def test_foreign_safetensors_are_refused(tmp_path, lacks):
    path = tmp_path / "foreign.safetensors"
    fields = {"name": "x", "configs": "{}", "answers": "{}", "id": "00"}
    save_file({"a": np.zeros(3)}, path, {k: v for k, v in fields.items() if k != lacks})
    with pytest.raises(ModelError, match=f"lacks '{lacks}'"):
        weights.read_info(path)


def test_a_file_without_answers_is_refused(path):
    random_nets.save(path, PARTS, FIELDS, {"lossy": ANSWERS["lossy"]})
    with pytest.raises(ModelError, match="lacks an answer"):
        load(path)
    metadata = weights.read_info(path).metadata
    save_file(PARTS, path, {k: v for k, v in metadata.items() if k != "answers"})
    with pytest.raises(ModelError):
        weights.load.__wrapped__(path, "lossy")


def test_a_set_that_is_not_there_is_named(path):
    with pytest.raises(ModelError, match="lossless"):
        load(path, "lossless")


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A folder of models in place of those that are installed: `alone` is sound."""
    random_nets.save(tmp_path / "alone.safetensors", PARTS, FIELDS, ANSWERS, "alone")
    monkeypatch.setattr(weights, "FOLDERS", (tmp_path,))
    weights.surveyed.cache_clear()
    yield tmp_path
    weights.surveyed.cache_clear()


def header(**fields):
    """A file that is a header alone, with these fields of its metadata."""
    text = json.dumps({"__metadata__": fields}).encode()
    return struct.pack("<Q", len(text)) + text


BROKEN = {
    "empty": b"",
    "text": b"no model at all",
    "cut": header(name="cut", configs="{}", id="00112233")[:-9],
    "of another project": struct.pack("<Q", 2) + b"{}",
    "deep": struct.pack("<Q", 200_000) + b"[" * 200_000,
    "no text": struct.pack("<Q", 4) + b"\xff\xfe\xfd\xfc",
    "numbers": header(name="numbers", configs="[1, 2]", id="00112233"),
    "other answers": header(name="other answers", configs="{}", id="00112233", answers="5"),
    "nameless": header(name=5, configs="{}", id="00112233"),
    "no id": header(name="no id", configs="{}", id="photo"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_model_does_not_disable_the_others(installed, name):
    (installed / f"{name}.safetensors").write_bytes(BROKEN[name])
    assert [info.name for info in weights.available()] == ["alone"]
    assert weights.find("alone") == weights.find(weights.find("alone").id)
    assert list(weights.broken()) == [name]
    with pytest.raises(ModelError, match=f"{name}.safetensors is no model"):
        weights.find(name)
    with pytest.raises(UnknownModel, match=f"00112233 is not installed; installed: alone .*broken: {name}"):
        weights.find(b"\x00\x11\x22\x33")


@pytest.mark.parametrize("make", ["mkdir", "dangle"])
def test_what_cannot_be_read_is_broken(installed, make):
    path = installed / "odd.safetensors"
    path.mkdir() if make == "mkdir" else path.symlink_to(installed / "gone")
    assert [info.name for info in weights.available()] == ["alone"]
    with pytest.raises(ModelError, match=r"odd.safetensors cannot be read"):
        weights.find("odd")


def test_a_spoilt_copy_under_another_name_does_not_stand_before_the_model(installed):
    data = (installed / "alone.safetensors").read_bytes()
    (installed / "a copy.safetensors").write_bytes(data[:-9])
    for key in ("alone", weights.find("alone").id):
        assert weights.find(key).path.stem == "alone"


def test_a_model_that_goes_away_is_a_model_error(installed):
    info = weights.find("alone")
    info.path.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        weights.load(info.path, "fine")


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float8_e4m3fn, torch.bool])
def test_weights_of_a_type_that_numpy_lacks_are_refused(installed, kind):
    fields = {"name": "odd", "configs": "{}", "answers": "{}", "id": "00112233"}
    save_torch({"x/rounding": torch.zeros(3).to(kind)}, installed / "odd.safetensors", fields)
    with pytest.raises(ModelError, match="damaged"):
        weights.load(weights.find("odd").path, "x")


def test_models_tells_of_the_broken_ones(installed):
    (installed / "bad.safetensors").write_bytes(b"bad")
    done = CliRunner().invoke(app.commands, ["models"])
    assert done.exit_code == 1
    assert "alone" in done.stdout
    assert "bad" not in done.stdout
    assert "bad.safetensors is no model" in done.stderr


LAWLESS = {
    "prior.stem.weight": lambda a: np.full_like(a, 2048),
    "analysis.out.weight": lambda a: np.full_like(a, -3000),
    "pixel.outs.1.bias": lambda a: np.full_like(a, 1 << 24),
    "synthesis.stem.shift": lambda a: np.full_like(a, 25),
    "pixel.stem.bias": lambda a: np.full_like(a, -(2**31)),
}


@pytest.mark.parametrize("name", LAWLESS)
def test_lawless_weights_are_refused(path, name):
    parts = changed({f"fine/{name}": LAWLESS[name](PARTS[f"fine/{name}"])})
    random_nets.save(path, parts, FIELDS, ANSWERS)
    layer = name.rsplit(".", 1)[0]
    with pytest.raises(ModelError, match=layer):
        load(path)
    assert load(path, "lossy")


MISSHAPEN = {
    "prior.stem.weight": lambda a: a[:, :-1].copy(),
    "prior.layers.0.weight": lambda a: a.T.reshape(-1).copy(),
    "analysis.out.bias": lambda a: a[:-1].copy(),
    "pixel.heads.2.shift": lambda a: np.append(a, a[:1]),
    "synthesis.out.weight": lambda a: a.astype(np.float32),
    "synthesis.out.bias": lambda a: np.full(a.shape, -(2**63), np.int64),
    "analysis.stem.shift": lambda a: a.astype(np.float64) + 0.5,
}


@pytest.mark.parametrize("name", MISSHAPEN)
def test_tensors_of_another_shape_or_type_are_refused(path, name):
    random_nets.save(path, changed({f"fine/{name}": MISSHAPEN[name](PARTS[f"fine/{name}"])}), FIELDS, ANSWERS)
    with pytest.raises(ModelError, match=name.rsplit(".", 1)[0]):
        load(path)


@pytest.mark.parametrize("name", ["rounding", "pixel.stem.shift", "analysis.fine.0.a.weight"])
def test_a_missing_tensor_is_named(path, name):
    random_nets.save(path, {k: v for k, v in PARTS.items() if k != f"fine/{name}"}, FIELDS, ANSWERS)
    with pytest.raises(ModelError, match=f"lacks 'fine/{name}'"):
        load(path)


@pytest.mark.parametrize(
    "rounding",
    [np.zeros((2, 3), np.int32), np.full((2, 3), 1024, np.int32), np.ones((1, 3), np.int32), np.ones((2, 3))],
)
def test_rounding_steps_that_are_none_are_refused(path, rounding):
    random_nets.save(path, changed({"fine/rounding": rounding}), FIELDS, ANSWERS)
    with pytest.raises(ModelError, match="rounding"):
        load(path)


@pytest.mark.parametrize("change", [{"stride": 3}, {"prior": {}}, {"blocks": 2}, {"width": None}])
def test_a_configuration_that_does_not_fit_is_refused(path, change):
    random_nets.save(path, PARTS, {**FIELDS, "fine": FIELDS["fine"] | change}, ANSWERS)
    with pytest.raises(ModelError):
        load(path)


def test_the_known_answer_fails_when_one_weight_differs(path):
    """Lawful weights, sound id, but not those whose answers were stored."""
    for name in ("analysis.out", "synthesis.stem", "prior.outs.0", "pixel.heads.0"):
        bias = PARTS[f"fine/{name}.bias"].copy()
        bias += 1 << PARTS[f"fine/{name}.shift"].astype(np.int32)
        target = path.with_name(f"{name}.safetensors")
        random_nets.save(target, changed({f"fine/{name}.bias": bias}), FIELDS, ANSWERS)
        with pytest.raises(ModelError, match="does not compute exactly"):
            load(target)


class Lowered(TorchFunctionMode):
    """A host program that has products done in bfloat16."""

    products = ("addmm", "addmm_", "mm", "matmul", "linear", "__matmul__")

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if getattr(function, "__name__", "") in self.products:
            args = tuple(
                a.bfloat16().float() if isinstance(a, torch.Tensor) and a.dim() == 2 and n else a
                for n, a in enumerate(args)
            )
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("which", SIZES)
def test_lowered_precision_of_products_is_noticed(path, which):
    with Lowered(), pytest.raises(ModelError, match="precision"):
        placement.load(path, which, TORCH)
    assert placement.load(path, which, TORCH)


def test_a_changed_precision_of_products_is_tested_anew(path):
    before = placement.load(path, "fine", TORCH)
    torch.set_float32_matmul_precision("high")
    try:
        assert placement.load(path, "fine", TORCH) is not before
    finally:
        torch.set_float32_matmul_precision("highest")
    assert placement.load(path, "fine", TORCH) is before
