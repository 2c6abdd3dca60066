"""Training in miniature: both kinds of model learn a little, resume, and export to files that load and agree."""

import csv
import math
from dataclasses import replace

import numpy as np
import pytest
import random_nets
import torch
from click.testing import CliRunner
from pictures import photo

from vlaezip.cli import app
from vlaezip.device.window import pad
from vlaezip.model import weights
from vlaezip.model.config import LocalConfig, VlaeConfig, Window
from vlaezip.train import data, export, loop, nets, parity, presets
from vlaezip.train.presets import PIXEL_WINDOW, Recipe

SEEN = Window(2, 3, 2)
PRIOR = LocalConfig(2, SEEN, 8, 1, 8, 2, (2,), "zero", 1)


def pixel(reference, extra):
    return LocalConfig(3, SEEN, 12, 1, 8, 2, (1, 1, 1), reference, extra)


TINY = {
    "tiny-lossless": Recipe(
        VlaeConfig(4, 8, 1, 2, 2, 1, PRIOR, pixel("median", 2)),
        steps=50, crop=16, batch=2, rate=2e-2, rate_target=0.01, preview_weight=2e-5, lambdas=(),
    ),
    "tiny-lossy": Recipe(
        VlaeConfig(
            4, 8, 1, 2, 2, 2, replace(PRIOR, extra=2), pixel("preview", 2 + 27), coarse=10, direct=True, guided=True,
            lambdas=(0.01, 0.1),
        ),
        steps=50, crop=48, batch=2, rate=2e-2, rate_target=0.0, preview_weight=1.0, lambdas=(0.01, 0.1),
    ),
}  # fmt: skip
TINY["tiny-dream"] = replace(TINY["tiny-lossy"], dream=True)
every_kind = pytest.mark.parametrize("preset", TINY)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Little presets, and a row of the log every few steps."""
    for module in (presets, loop, export):
        monkeypatch.setattr(module, "PRESETS", TINY)
    monkeypatch.setattr(loop, "LOG_EVERY", 20)
    monkeypatch.setattr(loop, "SAVE_EVERY", 20)
    monkeypatch.setattr(loop, "BITS_EVERY", 5)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    whole = photo(192, 256)
    for n in range(12):
        whole.crop((9 * n, 7 * n, 9 * n + 80, 7 * n + 72)).save(folder / f"{n:02}.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def finished(pictures, tmp_path_factory):
    """A finished run of each preset: folder and rows of the log."""
    runs = {}
    with pytest.MonkeyPatch.context() as patch:
        for module in (loop, export):
            patch.setattr(module, "PRESETS", TINY)
        patch.setattr(loop, "LOG_EVERY", 20)
        for preset in TINY:
            folder = tmp_path_factory.mktemp(preset)
            runs[preset] = folder, list(loop.Trainer(preset, pictures, folder, "cpu").run(5, checks=40))
    return runs


@every_kind
def test_a_run_writes_its_log_and_checkpoint(preset, finished):
    folder, rows = finished[preset]
    assert [row["step"] for row in rows] == [20, 40]
    assert rows[0]["held_out"] == ""
    assert math.isfinite(rows[1]["held_out"])
    assert all(math.isfinite(row[k]) for row in rows for k in ("pixels", "kl", "preview_psnr", "gamma"))
    with (folder / "log.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [20, 40]
    assert torch.load(folder / "checkpoint.pt", weights_only=True)["step"] == TINY[preset].steps


@every_kind
def test_a_run_resumes_where_it_stopped(preset, pictures, tmp_path):
    first = loop.Trainer(preset, pictures, tmp_path, "cpu")
    next(first.run(5))  # stopped after the first row of the log
    first.save()
    second = loop.Trainer(preset, pictures, tmp_path, "cpu", seed=9)
    assert first.step == 20
    assert (second.step, second.gamma, second.seconds) == (first.step, first.gamma, first.seconds)
    for a, b in ((first.net, second.net), (first.average, second.average)):
        assert all(torch.equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True))
    list(second.run(5))
    assert second.step == TINY[preset].steps
    assert list(second.run(5)) == []  # nothing is left to do


def optimised(**changes):
    return replace(TINY["tiny-lossless"], steps=3, **changes)


def test_a_run_goes_on_with_the_options_that_it_began_with(pictures, tmp_path):
    list(loop.Trainer(optimised(optimiser="adamax", average=0.9), pictures, tmp_path, "cpu").run(5))
    with pytest.raises(loop.ModelError, match=r"a run with optimiser adamax, not adam; average 0\.9, not 0\.999$"):
        loop.Trainer(optimised(), pictures, tmp_path, "cpu")
    assert loop.Trainer(optimised(optimiser="adamax", average=0.9), pictures, tmp_path, "cpu").step == 3


def test_checkpoints_that_do_not_tell_their_options_are_of_adam(pictures, tmp_path):
    list(loop.Trainer(optimised(), pictures, tmp_path, "cpu").run(5))
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    del state["options"]
    torch.save(state, tmp_path / "checkpoint.pt")
    assert loop.Trainer(optimised(average=0.5), pictures, tmp_path, "cpu").step == 3
    with pytest.raises(loop.ModelError, match="optimiser adam, not adamax"):
        loop.Trainer(optimised(optimiser="adamax"), pictures, tmp_path, "cpu")


@pytest.mark.parametrize(("average", "same"), [(0.0, True), (0.999, False)])
def test_without_an_average_the_weights_are_the_last(average, same, pictures, tmp_path):
    trainer = loop.Trainer(optimised(average=average), pictures, tmp_path, "cpu")
    list(trainer.run(5))
    weights_of = zip(trainer.average.parameters(), trainer.net.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights_of) == same


def test_free_bits_cost_nothing(pictures, tmp_path):
    losses = {}
    for free in (0.0, 1e-9, 3.0):
        torch.manual_seed(0)
        trainer = loop.Trainer(optimised(free=free), pictures, tmp_path / str(free), "cpu")
        terms, loss = trainer.terms()
        losses[free] = loss.item()
    assert losses[0.0] == losses[1e-9]
    assert losses[3.0] - losses[0.0] == pytest.approx(3.0 - terms.kl.item(), rel=1e-3)


def test_a_final_run_learns_from_what_was_held_out(pictures, tmp_path, monkeypatch):
    for final, sides in ((False, 2 * 10), (True, 2 * 12)):
        trainer = loop.Trainer(optimised(final=final), pictures, tmp_path / f"pictures-{final}", "cpu")
        assert len(trainer.crops.padded) == sides
    x = np.arange(7, dtype=np.uint8)[:, None, None, None] * np.ones((1, 16, 16, 3), np.uint8)
    monkeypatch.setattr(loop.sets, "load", lambda name, folder: loop.sets.Set(x[:4], x[4:6], x[6:]))
    for final, seen in ((False, 4), (True, 6)):
        trainer = loop.Trainer(optimised(data="any", final=final), pictures, tmp_path / f"set-{final}", "cpu")
        assert trainer.crops.pictures[:, 0, 0, 0].tolist() == list(range(seen))
        assert trainer.valid[:, 0, 0, 0].tolist() == [4, 5]


def command(*words):
    return CliRunner().invoke(app.commands, [str(word) for word in words])


def test_options_of_the_command_line_change_the_recipe(pictures, tmp_path):
    run = ("train", "tiny-lossless", "--data", pictures, "--out", tmp_path, "--steps", 2, "--batch", 1, "--free-bits")
    changes = (0.01, "--soft-free-bits", 0, "--beta", 0.5, "--optimiser", "adamax", "--average", 0, "--final")
    assert command(*run, *changes).exit_code == 0
    recipe = replace(
        TINY["tiny-lossless"], steps=2, batch=1, free=0.01, rate_target=0.0, beta=0.5, optimiser="adamax",
        average=0.0, final=True,
    )  # fmt: skip
    assert loop.Trainer(recipe, pictures, tmp_path, "cpu").step == 2
    result = command(*run, 0.02)
    assert result.exit_code == 1
    assert "checkpoint.pt is of a run with" in result.stderr


def test_lossy_presets_have_no_free_bits(pictures, tmp_path):
    result = command("train", "tiny-lossy", "--data", pictures, "--out", tmp_path / "run", "--free-bits", 0.01)
    assert result.exit_code == 2
    assert "lambdas" in result.stderr
    assert not (tmp_path / "run").exists()


def test_time_runs_out(pictures, tmp_path):
    trainer = loop.Trainer("tiny-lossless", pictures, tmp_path, "cpu")
    assert list(trainer.run(0)) == []
    assert trainer.step == 0
    assert (tmp_path / "checkpoint.pt").exists()


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    target = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "PRESETS", TINY)
        return export.export("tiny", {p.removeprefix("tiny-"): (p, finished[p][0]) for p in TINY}, target)


@every_kind
def test_an_export_loads(preset, exported):
    which = preset.removeprefix("tiny-")
    model = weights.load(exported.path, which)
    assert (exported.name, set(exported.sets)) == ("tiny", {p.removeprefix("tiny-") for p in TINY})
    assert model.config == TINY[preset].config
    assert model.rounding.shape == (model.config.levels, 2)


def test_exports_are_deterministic(finished, exported, tmp_path):
    runs = {p.removeprefix("tiny-"): (p, finished[p][0]) for p in TINY}
    again = export.export("tiny", runs, tmp_path / "again.safetensors")
    assert again.id == exported.id


@every_kind
def test_rounding_the_nets_costs_little(preset, exported, pictures):
    paths = sorted(pictures.glob("*.png"))[:2]
    for found in parity.parity(exported, preset.removeprefix("tiny-"), paths):
        assert found.exact_pixels > 0.5
        assert abs(found.excess) < 0.03
        assert found.exact_latent == pytest.approx(found.float_latent, rel=0.1, abs=0.01)


def test_blocks_are_exported_in_8_bits():
    tensors = export.integers(nets.Vlae(TINY["tiny-lossy"].config), "net")
    weights_of = {k: v for k, v in tensors.items() if k.endswith(".weight")}
    assert {k for k, v in weights_of.items() if v.dtype == np.int8} == {k for k in weights_of if ".a." in k}


def test_learning_to_dream_leaves_z_and_the_preview_as_they_are(pictures, tmp_path):
    trainer = loop.Trainer("tiny-dream", pictures, tmp_path, "cpu")
    x = torch.from_numpy(data.load(sorted(pictures.glob("*.png"))[0])[None, :48, :48].copy()).float()
    level = torch.tensor([1])
    before = nets.lossy(trainer.net, x, level, frozen=True)
    list(trainer.run(5))
    after = nets.lossy(trainer.net, x, level, frozen=True)
    assert torch.equal(before.rate, after.rate)
    assert torch.equal(before.preview, after.preview)
    assert not torch.equal(before.features, after.features)


def test_seams_are_steps_between_places_where_it_is_flat():
    flat = torch.full((1, 3, 32, 32), 100.0)
    busy = flat + 40 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(0))
    step = torch.zeros_like(flat)
    step[..., 8:] = 2
    assert nets.seams(flat, flat + 5, 8).item() == 0
    assert nets.seams(flat, flat + step, 8).item() > 0.5
    assert nets.seams(flat, flat + step.roll(3, 3), 16).item() < 1e-3  # not at a border
    assert nets.seams(busy, busy + step, 8).item() < 0.02


def test_settled_nets_learn_from_a_z_that_stays(pictures):
    recipe = TINY["tiny-lossy"]
    net = nets.Vlae(recipe.config)
    x = torch.from_numpy(data.load(sorted(pictures.glob("*.png"))[0])[None, :48, :48].copy()).float()
    level = torch.tensor([1])
    made = nets.lossy(net, x, level, frozen=True)
    assert torch.equal(made.rate, nets.lossy(net, x, level, frozen=True).rate)  # no noise
    (made.rate + made.mse).sum().backward()
    assert net.log_step.grad is None
    assert all(p.grad is None for p in net.analysis.parameters())
    assert net.synthesis.stem.weight.grad is not None
    made = nets.lossy(net, x, level)
    (made.rate + made.mse).sum().backward()
    assert net.log_step.grad is not None
    assert net.analysis.stem.weight.grad is not None


def test_export_keeps_every_row_under_the_law():
    rng = np.random.default_rng(0)
    for layer in export.layers(TINY["tiny-lossy"].config):
        shape = len(layer.steps), len(layer.largest)
        weight = torch.from_numpy(rng.normal(size=shape) * rng.choice([1e-4, 0.1, 1.0], (shape[0], 1)))
        bias = torch.from_numpy(rng.normal(size=shape[0]))
        w, b, shift = (t.numpy() for t in export.rounded(layer, weight, bias))
        export.law.prove(layer.name, w, b, shift, layer.largest)
        real = weight.numpy() * layer.units / layer.steps[:, None]
        assert (abs(w / 2.0 ** shift[:, None] - real) <= 0.5 / 2.0 ** shift[:, None] + 1e-9).all()


def test_weights_beyond_the_law_are_refused():
    layer = next(export.layers(TINY["tiny-lossy"].config))
    with pytest.raises(export.ModelError, match="law of exactness"):
        export.rounded(
            layer,
            torch.full((len(layer.steps), len(layer.largest)), 1e6).double(),
            torch.zeros(len(layer.steps)).double(),
        )


def test_the_learning_rate_warms_up_and_ends_at_zero():
    recipe = replace(TINY["tiny-lossless"], steps=1000, rate=2.0)
    rates = [loop.learning_rate(recipe, step) for step in range(1001)]
    assert rates[0] == pytest.approx(0.02)
    assert rates[:99] == sorted(rates[:99])
    assert rates[100:] == sorted(rates[100:], reverse=True)
    assert max(rates) <= 2.0
    assert rates[500] == pytest.approx(1.0)
    assert rates[1000] == loop.learning_rate(recipe, 5000) == 0.0


def test_soft_free_bits_hold_kl_just_above_its_target():
    assert loop.soft_free_bits(0.5, kl=0.2, target=0.1) == pytest.approx(0.55)
    assert loop.soft_free_bits(0.5, kl=0.05, target=0.1) == pytest.approx(0.5 / 1.1)
    assert loop.soft_free_bits(0.5, kl=0.102, target=0.1) == 0.5
    gamma = 1.0
    for _ in range(200):
        gamma = loop.soft_free_bits(gamma, 0.0, 0.1)
    low = gamma
    for _ in range(400):
        gamma = loop.soft_free_bits(gamma, 1.0, 0.1)
    assert 0 < low < 0.2
    assert 1.0 <= gamma <= 10.0  # neither vanishes nor runs away


def test_every_tenth_picture_is_held_out(pictures):
    train, held = data.find(pictures)
    assert [p.name for p in held] == ["00.png", "10.png"]
    assert len(train) == 10
    assert not set(train) & set(held)


def test_crops_are_padded_as_whole_pictures_are(pictures):
    train, _ = data.find(pictures)
    crops = data.Crops(train[:1], 16, PIXEL_WINDOW, 0)
    x, padded = crops.draw(20)
    assert x.shape == (20, 16, 16, 3)
    assert padded.shape == (20, 16 + PIXEL_WINDOW.up, 16 + PIXEL_WINDOW.left + PIXEL_WINDOW.right, 3)
    whole = data.load(train[0])
    views = []
    for side in (whole, whole[:, ::-1].copy()):
        around = pad(torch.from_numpy(side)[None], PIXEL_WINDOW, 128)[0]
        views.append(
            around.unfold(0, padded.shape[1], 1).unfold(1, padded.shape[2], 1).flatten(0, 1).permute(0, 2, 3, 1)
        )
    known = {view.contiguous().numpy().tobytes() for group in views for view in group}
    assert all(p.to(torch.uint8).numpy().tobytes() in known for p in padded)
    again = data.Crops(train[:1], 16, PIXEL_WINDOW, 0).draw(20)
    assert torch.equal(again[0], x)


def test_disturbances_leave_some_pictures_alone():
    noise = loop.disturbance((40, 6, 6, 3), np.random.default_rng(0))
    still = (noise == 0).flatten(1).all(1)
    assert 5 < int(still.sum()) < 35
    assert noise.std() > 1


def test_float_nets_have_the_layers_that_models_have():
    for recipe in TINY.values():
        state = nets.Vlae(recipe.config).state_dict()
        assert {layer.name for layer in export.layers(recipe.config)} == {
            k.rsplit(".", 1)[0] for k in state if "." in k
        }
        assert (
            random_nets.tensors(recipe.config, "net", 0).keys()
            == export.integers(nets.Vlae(recipe.config), "net").keys()
        )


def test_a_steady_rate_lasts_as_long_as_asked():
    recipe = replace(TINY["tiny-lossless"], steps=1000, stable=0.8)
    rates = [loop.learning_rate(recipe, step) for step in range(1001)]
    assert rates[99:801] == [recipe.rate] * 702
    assert rates[801:] == sorted(rates[801:], reverse=True)
    assert rates[1000] == 0.0


def test_muon_moves_every_weight_and_goes_on_where_it_stopped(pictures, tmp_path):
    """Two steps at once, and one after the other with a checkpoint between them."""
    recipe = replace(TINY["tiny-lossless"], steps=2, optimiser="muon")
    trainer = loop.Trainer(recipe, pictures, tmp_path, "cpu")
    before = {name: p.clone() for name, p in trainer.net.named_parameters()}
    list(trainer.run(5))
    moved = {name for name, p in trainer.net.named_parameters() if not torch.equal(p, before[name])}
    assert {name for name in before if name.startswith(("pixel.", "prior."))} <= moved
    again = loop.Trainer(recipe, pictures, tmp_path, "cpu")
    assert again.step == 2
    kept, made = again.optimiser.state_dict(), trainer.optimiser.state_dict()
    assert [len(part["state"]) for part in kept["parts"]] == [len(part["state"]) for part in made["parts"]]
