"""The lossy code of small pictures: bits picture by picture, and a search that never makes a picture dearer."""

import numpy as np
import pytest
import random_nets

from vlaezip.codec import block
from vlaezip.model import local_ar
from vlaezip.paper import lossy_code

MODELS = {kind: random_nets.vlae(random_nets.vlae_config(reference=kind), seed=3) for kind in ("median", "binary")}


def pictures(kind):
    c = MODELS[kind].config
    return np.random.default_rng(1).integers(0, c.values, (5, 9, 12, c.channels)).astype(np.int32)


@pytest.mark.parametrize("kind", MODELS)
def test_bits_of_pictures_are_those_of_each_alone(kind):
    model, x = MODELS[kind], pictures(kind)
    z = block.first_latent(model, x)
    for net, scene, values in (
        (model.prior, model.prior_scene(z.shape[:3], 0), z),
        (model.pixel, model.pixel_scene(z, x.shape[:3]), x),
    ):
        each = lossy_code.bits_each(net, scene, values)
        assert each.sum() == pytest.approx(local_ar.encode_intervals(net, scene, values).bits)
        alone = scene._replace(base=scene.base[2:3], extra=scene.extra[2:3])
        assert each[2] == pytest.approx(local_ar.encode_intervals(net, alone, values[2:3]).bits)


@pytest.mark.parametrize("kind", MODELS)
def test_a_settled_z_is_no_dearer_and_lies_on_the_grid(kind):
    model, x = lossy_code.coarse(MODELS[kind]), pictures(kind)
    plain, z = block.first_latent(model, x), lossy_code.searched(model, x)
    assert (lossy_code.cost(model, x, z) <= lossy_code.cost(model, x, plain)).all()
    assert (z % model.steps(block.FIRST_LEVEL).step == 0).all()
    assert (np.abs(z) <= 1023).all()
    assert (lossy_code.searched(model, x[1:2]) == z[1:2]).all()


def test_cells_are_wider():
    model = MODELS["binary"]
    assert (lossy_code.coarse(model).rounding > model.rounding).all()
