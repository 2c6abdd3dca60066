"""Bounds on the likelihood: what they must obey whatever the net."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vlaezip.model import weights
from vlaezip.model.config import LocalConfig, VlaeConfig, Window, to_json
from vlaezip.paper import likelihood, sheets
from vlaezip.train import export, nets

SEEN = Window(up=1, left=1, right=1)
CONFIG = VlaeConfig(
    2, 6, 1, 2, 3, 1, LocalConfig(2, SEEN, 8, 1, 6, 2, (1, 1), "zero", 1),
    LocalConfig(1, SEEN, 8, 1, 6, 1, (1,), "binary", 3), channels=1, values=2,
)  # fmt: skip
X = np.random.default_rng(0).integers(0, 2, (6, 10, 9, 1)).astype(np.uint8)


def made(config=CONFIG):
    torch.manual_seed(0)
    return nets.Vlae(config)


def bounds(net, samples):
    torch.manual_seed(1)
    return likelihood.joined(list(likelihood.evaluate(net, X, samples, size=4)))


def test_more_samples_give_a_tighter_bound():
    net = made()
    elbo, few, many = (bounds(net, samples) for samples in (1, 4, 64))
    assert torch.allclose(elbo.bound, elbo.distortion + elbo.kl)
    assert (few.bound <= few.distortion + few.kl + 1e-9).all()  # Jensen, picture by picture
    assert many.bound.mean() < few.bound.mean() + 0.5


def test_where_the_pixels_do_not_see_z_the_bound_is_their_own_code():
    config = replace(CONFIG, features=0, pixel=replace(CONFIG.pixel, extra=0))
    found = bounds(made(config), 8)
    assert torch.allclose(found.distortion, bounds(made(config), 1).distortion)
    assert found.bound.mean() >= found.distortion.mean() - 8  # z costs, and nothing comes back


def test_the_elbo_is_what_training_minimises():
    net = made()
    x, padded = likelihood.batch(X, SEEN, 0)
    torch.manual_seed(0)
    terms = [nets.lossless_terms(net, x, padded) for _ in range(60)]
    trained = float(np.mean([(t.pixels + t.kl).item() for t in terms])) * X[0].size
    found = bounds(net, 60)
    assert float((found.distortion + found.kl).mean()) == pytest.approx(trained, rel=0.02)


def test_a_prior_without_places_has_no_context():
    alone = replace(CONFIG.prior, window=Window(0, 0, 0), groups=(2,))
    found = bounds(made(replace(CONFIG, prior=alone)), 2)
    assert torch.isfinite(found.bound).all()


def test_the_lossy_code_costs_what_the_codec_counts():
    net = made()
    model = weights.assemble(export.integers(net, "net"), "net", to_json(CONFIG))
    _, counted = sheets.reconstruct(model, sheets.adapt(model, X))
    x = torch.from_numpy(X).float()
    assert float(likelihood.code_bits(net, x).mean()) == pytest.approx(counted, rel=0.05)
    with torch.no_grad():
        net.log_step -= 2  # finer steps
    assert (likelihood.code_bits(net, x) > counted * 1.5).all()


def test_batches_of_any_size_find_the_same():
    net = made()
    one, all_ = (likelihood.joined(list(likelihood.evaluate(net, X, 1, size))) for size in (1, 6))
    assert torch.allclose(one.code, all_.code)
    assert one.bound.shape == all_.bound.shape == (6,)


def test_a_description_tells_the_code_in_bits():
    result = likelihood.Likelihood(*(torch.tensor([n, n + 2.0]).double() for n in (70.0, 10.0, 75.0, 20.0)))
    lines = list(likelihood.describe(result, 90, 8))
    assert lines[0].split() == ["-ELBO", "56.838", "nats", "+-", "1.386", "0.9111", "bits", "per", "dimension"]
    assert lines[-1].split() == ["lossy", "code", "21.000", "bits", "+-", "1.000", "a", "picture"]


def test_the_standard_error_is_that_of_a_mean():
    assert likelihood.standard_error(torch.tensor([1.0, 3.0])) == pytest.approx(1.0)
