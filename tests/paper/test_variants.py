"""The nets of the ablations: what makes each of them a bound on the same likelihood, and what it may see."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.autograd.functional import jacobian

from benchmarks import ablations, probe
from vlaezip.model.config import LocalConfig, VlaeConfig, Window
from vlaezip.model.wavefront import wavefront
from vlaezip.paper import likelihood
from vlaezip.paper.variants import ALONE, GUIDE, Flowed, Grey, TwoLevel, plain
from vlaezip.train import loop, nets, presets

SEEN = Window(up=2, left=2, right=1)
CONFIG = VlaeConfig(
    2, 6, 1, 4, 3, 1, LocalConfig(4, SEEN, 8, 1, 6, 2, (1, 1, 1, 1), "zero", 1),
    LocalConfig(1, SEEN, 8, 1, 6, 1, (1,), "binary", 3), channels=1, values=2,
)  # fmt: skip
RECIPE = presets.Recipe(
    CONFIG, steps=3, crop=28, batch=4, rate=2e-2, rate_target=0.0, preview_weight=1e-6, lambdas=(), data="mnist-dynamic"
)
X = np.random.default_rng(0).integers(0, 2, (6, 15, 16, 1)).astype(np.uint8)
LEVEL = torch.zeros(1, dtype=torch.long)
every_net = pytest.mark.parametrize("kind", [Flowed, TwoLevel, Grey])


def made(kind, config=CONFIG):
    """A net with outputs that are far from those it begins with."""
    torch.manual_seed(0)
    net = kind(config)
    with torch.no_grad():
        for model in (m for m in net.modules() if isinstance(m, nets.LocalAR)):
            for out in model.outs:
                out.weight.normal_(std=0.3)
    return net


def bounds(net, samples):
    torch.manual_seed(1)
    return likelihood.joined(list(likelihood.evaluate(net, X, samples)))


@every_net
def test_the_elbo_is_what_training_minimises(kind):
    net = made(kind)
    x, padded = likelihood.batch(X, SEEN, 0)
    torch.manual_seed(0)
    terms = [nets.lossless_terms(net, x, padded) for _ in range(40)]
    trained = float(np.mean([(t.pixels + t.kl).item() for t in terms])) * X[0].size
    found = bounds(net, 40)
    assert float((found.distortion + found.kl).mean()) == pytest.approx(trained, rel=0.03)
    assert (found.bound <= found.distortion + found.kl + 1e-9).all()  # Jensen, picture by picture
    assert found.kl.mean() > 0


def test_widths_of_cells_are_the_determinant_of_the_flow_and_it_is_causal():
    net, shape = made(Flowed), (1, 4, 3, 3)
    draw = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    moved = jacobian(lambda e: net.warp(e)[0], draw).reshape(36, 36)
    width = net.warp(draw)[1].detach() * nets.FINE
    assert float(torch.linalg.slogdet(moved).logabsdet) == pytest.approx(float(width.log().sum()), abs=1e-4)
    assert float(width.log().abs().max()) > 0.1
    order = wavefront(1, 3, 3)[0]
    coded = np.stack([channel * 9 + order for channel in range(4)], 1).ravel()  # place by place, all channels of each
    lower = moved.numpy()[coded][:, coded]
    assert np.allclose(np.triu(lower, 1), 0)
    assert np.allclose(lower.diagonal(), width.numpy().ravel()[coded])
    assert abs(np.tril(lower, -1)).max() > 1e-3


def test_cells_of_the_flow_tile_all_of_z():
    prior = replace(CONFIG.prior, channels=2, groups=(1, 1))
    net = made(Flowed, replace(CONFIG, latent=2, prior=prior))
    line = torch.arange(-320, 320) / nets.FINE
    z, step = net.warp(torch.cartesian_prod(line, line)[:, :, None, None])
    level = torch.zeros(len(z), dtype=torch.long)
    with torch.no_grad():
        mass = torch.exp2(-net.prior_bits(z, level, step).double().sum((1, 2, 3)))
    assert float(mass.sum()) == pytest.approx(1, abs=0.01)


def test_a_flow_that_moves_nothing_leaves_the_plain_prior():
    flowed = made(Flowed)
    for out in flowed.flow.outs:
        torch.nn.init.zeros_(out.weight)
    simple = nets.Vlae(replace(CONFIG, prior=plain(CONFIG.prior)))
    simple.load_state_dict({k: v for k, v in flowed.state_dict().items() if not k.startswith("flow.")})
    assert torch.equal(bounds(flowed, 2).bound, bounds(simple, 2).bound)


def test_two_levels_have_as_many_dimensions_as_one():
    net = made(TwoLevel)
    mean, log_scale = net.posterior(torch.from_numpy(X).float())
    assert mean.shape == log_scale.shape == (6, CONFIG.latent, 4, 4)
    coarse, fine = net.parts(mean)
    assert (coarse.shape[1:], fine.shape[1:]) == ((4, 2, 2), (3, 4, 4))
    assert torch.equal(net.joined(coarse, fine), mean)


@torch.no_grad()
def test_the_coarse_level_guides_the_fine_one_and_not_the_other_way_round():
    net = made(TwoLevel)
    z = torch.randn((1, 4, 4, 4), generator=torch.Generator().manual_seed(0))

    def seen(coarse, fine):
        moved = net.joined(net.parts(z)[0] + coarse, net.parts(z)[1] + fine)
        return *net.parts(net.prior_bits(moved, LEVEL, 1 / nets.FINE)), net.decode(moved, LEVEL)[1]

    (top, below, features), moved, other = seen(0, 0), seen(0, 1), seen(1, 0)
    assert torch.equal(top, moved[0])
    assert not torch.equal(below, other[1])
    assert not torch.equal(features, moved[2])
    assert not torch.equal(features, other[2])
    assert net.guide(net.parts(z)[0]).shape == (1, GUIDE, 4, 4)


@torch.no_grad()
def test_a_grey_window_sees_no_colour():
    pixel = LocalConfig(3, SEEN, 8, 1, 6, 2, (1, 1, 1), "median", 3)
    config = replace(CONFIG, channels=3, values=256, pixel=pixel)
    x = torch.randint(0, 256, (1, 6, 6, 3), generator=torch.Generator().manual_seed(0)).float()
    padded, extra = likelihood.batch(x.numpy().astype(np.uint8), SEEN, 128)[1], torch.zeros(36, 3)
    found = {}
    for kind in (Grey, nets.Vlae):
        net = made(kind, config)
        shades = padded, padded[..., [2, 0, 1]], 255 - padded
        found[kind] = [net.pixel_bits(x, shade, torch.zeros_like(x), extra) for shade in shades]
    assert torch.equal(found[Grey][0], found[Grey][1])
    assert not torch.equal(found[Grey][0], found[Grey][2])
    assert not torch.equal(found[nets.Vlae][0], found[nets.Vlae][1])


@torch.no_grad()
@pytest.mark.parametrize("preset", ["mnist-dynamic", "cifar10"])
def test_a_factorised_decoder_sees_no_other_pixel(preset):
    c = ablations.family("decoder", preset)["factorised"].config
    net = nets.Vlae(c)
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, c.values, (1, 8, 8, c.channels)).astype(np.uint8) for _ in range(2))
    other[:, 4, 5] = one[:, 4, 5]
    bits = []
    for x in (one, other):
        shown, padded = likelihood.batch(x, c.pixel.window, 0)
        bits.append(net.pixel_bits(shown, padded, torch.zeros_like(shown), torch.zeros(64, c.features)))
    same = (bits[0] == bits[1]).all(1)
    assert same[4 * 8 + 5]
    assert not same.all()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a set of a few pictures; a little preset; results beside them."""
    (tmp_path / "binary").mkdir()
    x = np.random.default_rng(0).integers(0, 256, (60, 28, 28)).astype(np.uint8)
    np.savez(tmp_path / "binary" / "mnist_grey.npz", x_train=x, x_test=x[:5])
    monkeypatch.setitem(presets.PRESETS, "tiny", RECIPE)
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    monkeypatch.setattr(ablations.report, "RESULTS", tmp_path / "results")
    return tmp_path


@every_net
def test_runs_resume(kind, folder):
    recipe = replace(RECIPE, net=kind)
    first = loop.Trainer(recipe, folder, folder / "run", "cpu")
    next(first.run(5))
    first.save()
    second = loop.Trainer(recipe, folder, folder / "run", "cpu", seed=9)
    assert type(second.average) is kind
    for a, b in ((first.net, second.net), (first.average, second.average)):
        assert all(torch.equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True))
    assert [row["step"] for row in second.run(5)] == [2, 3]


@pytest.mark.parametrize("name", ablations.FAMILIES)
def test_a_family_is_trained_once_and_published(name, folder, monkeypatch):
    def run(*words):
        options = ["--data", folder, "--runs", folder / "runs", "--preset", "tiny", "--steps", 2, "--limit", 2, *words]
        monkeypatch.setattr("sys.argv", ["ablations", name, *map(str, options), "--samples", "2", "--threads", "1"])
        ablations.main()
        return {p: p.stat().st_mtime_ns for p in folder.glob("runs/*/checkpoint.pt")}

    labels = list(ablations.family(name, "tiny"))
    assert len(run("--only", labels[-1])) == 1
    assert not (folder / "results").exists()
    trained = run()
    assert len(trained) == len(labels)
    with (folder / "results" / f"ablation-{name}-tiny.csv").open() as file:
        assert [row["variant"] for row in csv.DictReader(file)] == labels
    assert (folder / "results" / f"ablation-{name}-tiny.png").exists()
    assert run() == trained  # only evaluated


def test_a_family_begins_with_trained_weights(folder, monkeypatch):
    save_file(made(nets.Vlae).state_dict(), folder / "start.safetensors")
    trainer = ablations.train(replace(RECIPE, steps=0), folder, folder / "run", folder / "start.safetensors")
    assert torch.equal(trainer.average.pixel.outs[0].weight, made(nets.Vlae).pixel.outs[0].weight)


def test_latents_of_a_run_are_the_means_of_its_averaged_net(folder, monkeypatch):
    recipe = ablations.factorised(RECIPE)
    trainer = ablations.train(recipe, folder, folder / "run", None)
    net, x = probe.unseeing(folder / "run", "tiny"), trainer.valid
    assert net.config.pixel.window == ALONE
    expected = trainer.average.posterior(torch.from_numpy(x).float())[0].detach()
    monkeypatch.setattr(probe, "BLOCK", 2)
    assert np.allclose(probe.float_latents(net, x), expected.flatten(1), atol=1e-5)


def test_variants_begin_with_what_fits_but_for_the_prior(folder):
    save_file(made(nets.Vlae).state_dict(), folder / "weights.safetensors")
    kept = load_file(folder / "weights.safetensors")
    for recipe in ablations.family("prior", "tiny").values():
        start = load_file(ablations.begun(recipe, "tiny", folder / "weights.safetensors", folder / "run", "prior."))
        recipe.net(recipe.config).load_state_dict(start)
        assert torch.equal(start["pixel.outs.0.weight"], kept["pixel.outs.0.weight"])
        assert start["prior.outs.0.weight"].std() < 0.1 < kept["prior.outs.0.weight"].std()


def test_a_smaller_window_keeps_what_was_learned_of_its_places(folder):
    """With nothing in the places that it loses, the net answers as before."""
    net = made(nets.Vlae)
    small = ablations.seeing(RECIPE, Window(up=1, left=1, right=1))
    lost = sorted({*range(net.pixel.stem.in_features)} - {*ablations.columns(CONFIG.pixel, small.config.pixel)})
    assert lost
    with torch.no_grad():
        net.pixel.stem.weight[:, lost] = 0
    save_file(net.state_dict(), folder / "weights.safetensors")
    other = nets.Vlae(small.config)
    other.load_state_dict(load_file(ablations.begun(small, "tiny", folder / "weights.safetensors", folder / "run", "")))
    x = np.random.default_rng(0).integers(0, 2, (2, 28, 28, 1)).astype(np.uint8)
    bits = []
    for model in (net, other):
        shown, padded = likelihood.batch(x, model.config.pixel.window, 0)
        extra = torch.linspace(-1, 1, CONFIG.features).expand(2 * 28 * 28, -1)
        bits.append(model.pixel_bits(shown, padded, torch.zeros_like(shown), extra))
    assert torch.allclose(*bits, atol=1e-5)
