"""Refining z: the real functions follow the codec's integers, and nothing gets worse."""

from dataclasses import replace

import numpy as np
import pytest
import random_nets
import torch

from vlaezip.codec import block
from vlaezip.model import local_ar
from vlaezip.search import latent

LEVEL, SIDE = 1, 64
CONFIG = replace(
    random_nets.vlae_config(1, "preview", levels=3), coarse=7, direct=True, guided=True, lambdas=(0.001, 0.01, 0.1)
)
MODELS = {
    "direct": random_nets.vlae(CONFIG, seed=3),
    "plain": random_nets.vlae(replace(CONFIG, coarse=0, direct=False, guided=False), seed=5),
}
every_model = pytest.mark.parametrize("name", MODELS)


def picture(height, width):
    i, j, c = np.ogrid[:height, :width, :3]
    return (128 + 60 * np.sin(i / 9 + c) + 50 * np.cos(j / 7)).astype(np.uint8)


def rounded(model, pixels):
    return block.rounded_latent(model, pixels, LEVEL, SIDE)


@every_model
def test_the_rendering_is_the_preview_but_for_its_rounding(name):
    model = MODELS[name]
    z = rounded(model, picture(24, 32))
    real = latent.render(model, torch.from_numpy(z).float(), LEVEL).numpy()
    exact, _ = model.preview(z, LEVEL)
    assert exact.std() > 5
    assert abs(real - exact).mean() < 0.02 * exact.std() + 1


@every_model
def test_the_rate_is_what_the_codec_pays_but_for_its_rounding(name):
    model = MODELS[name]
    z = rounded(model, picture(24, 32))
    step = torch.from_numpy(model.steps(LEVEL).step).float()
    real = latent.prior_bits(model, torch.from_numpy(z).float(), LEVEL, step)[1].sum().item()
    exact = local_ar.encode_intervals(model.prior, model.prior_scene(z.shape[:3], LEVEL), z).bits
    assert real == pytest.approx(exact, rel=0.03)


@every_model
@pytest.mark.parametrize("side", [16, 64])
def test_a_refined_z_lies_on_the_grid_and_costs_no_more(name, side):
    model, pixels = MODELS[name], picture(26, 35)
    z = rounded(model, pixels)
    better = latent.refine(model, pixels, z, LEVEL, 6, side)
    steps = model.steps(LEVEL)
    assert better.shape == z.shape
    assert better.dtype == z.dtype
    assert (better % steps.step == 0).all()
    assert (abs(better // steps.step) <= -steps.low).all()
    costs = [latent.cost(model, pixels, candidate, LEVEL, side) for candidate in (z, better)]
    assert costs[1] <= costs[0]
    assert (latent.refine(model, pixels, z, LEVEL, 6, side) == better).all()


def test_a_bad_z_is_improved():
    model, pixels = MODELS["direct"], picture(24, 32)
    z = rounded(model, pixels) * 0
    assert latent.cost(model, pixels, latent.refine(model, pixels, z, LEVEL, 30, SIDE), LEVEL, SIDE) < latent.cost(
        model, pixels, z, LEVEL, SIDE
    )


def test_the_cost_is_rate_and_weighted_distortion():
    model, pixels = MODELS["direct"], picture(24, 32)
    z = rounded(model, pixels)
    bits = local_ar.encode_intervals(model.prior, model.prior_scene(z.shape[:3], LEVEL), z).bits
    error = np.square(model.preview(z, LEVEL)[0][0].astype(float) - pixels).mean()
    assert latent.cost(model, pixels, z, LEVEL, SIDE) == pytest.approx(bits / (24 * 32) + 0.01 * error)


def test_no_iterations_or_no_weights_leave_z_as_it_is():
    model, pixels = MODELS["direct"], picture(24, 32)
    z = rounded(model, pixels)
    assert (latent.refine(model, pixels, z, LEVEL, 0, SIDE) == z).all()
    weightless = random_nets.vlae(replace(CONFIG, lambdas=()), seed=3)
    assert (latent.refine(weightless, pixels, z, LEVEL, 5, SIDE) == z).all()


def test_own_bits_of_a_move_are_those_of_the_moved_symbol():
    model = MODELS["direct"]
    z, step = (torch.from_numpy(a).float() for a in (rounded(model, picture(8, 8)), model.steps(LEVEL).step))
    last = torch.zeros_like(z)
    last[0, -1, -1, -1] = 1  # nobody sees the last channel of the last place
    lower, _, upper = latent.prior_bits(model, z, LEVEL, step)
    for moved, bits in ((z + last * step, upper), (z - last * step, lower)):
        here = latent.prior_bits(model, moved, LEVEL, step)[1]
        assert here[0, -1, -1, -1].item() == pytest.approx(bits[0, -1, -1, -1].item(), rel=1e-4)
