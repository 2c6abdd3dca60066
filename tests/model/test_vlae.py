"""The integer VLAE equals int64 arithmetic, in tiles as well as whole, in any batch and with any threads."""

import numpy as np
import pytest
import random_nets
import reference
import torch
from hypothesis import given
from hypothesis import strategies as st
from vlaes import CONFIGS, MODELS, latents, pictures

from vlaezip.codec import block
from vlaezip.model import vlae
from vlaezip.model.config import LATENT_MAX, from_json, to_json
from vlaezip.model.local_ar import PIXELS
from vlaezip.model.vlae import Posterior
from vlaezip.model.window_kinds import CONTRAST_MAX

every_model = pytest.mark.parametrize("name", MODELS)


def twin(name):
    """The transforms of a model in int64, from the tensors of its file."""
    return reference.Transforms(CONFIGS[name], random_nets.tensors(CONFIGS[name], "net", 4))


@every_model
def test_configurations_survive_json(name):
    assert from_json(to_json(CONFIGS[name])) == CONFIGS[name]


@every_model
def test_the_posterior_is_int64_arithmetic(name):
    model, side = MODELS[name], MODELS[name].config.stride
    x = pictures((2, 4 * side, 3 * side))
    mean, log_scale = twin(name).posterior(x)
    q = model.posterior(x)
    assert (q.mean == mean).all()
    assert (q.scale == np.clip(log_scale, vlae.LOG_LOW, vlae.LOG_HIGH) + vlae.SCALE_ZERO + vlae.LOG_FINE).all()
    assert q.mean.shape == (2, 4, 3, model.config.latent)


@every_model
def test_the_preview_is_int64_arithmetic(name):
    model = MODELS[name]
    z = latents(model, (2, 4, 3))
    level = model.config.levels - 1
    preview, features = model.preview(z, level)
    for found, expected in zip((preview, features), twin(name).preview(z, level), strict=True):
        assert found.shape == (2, 4 * model.config.stride, 3 * model.config.stride, expected.shape[3])
        assert (found == expected).all()
    assert preview.std() > 1  # or the test would say nothing


@pytest.mark.parametrize("name", ["median", "preview"])
def test_neither_batch_nor_threads_matter(name):
    model, before = MODELS[name], torch.get_num_threads()
    x, z = pictures((3, 4 * model.config.stride, 12)), latents(model, (3, 3, 4))
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            whole = (*posterior_arrays(model, x), *model.preview(z))
            parts = [(*posterior_arrays(model, x[n : n + 1]), *model.preview(z[n : n + 1])) for n in range(3)]
            results += [whole, tuple(map(np.concatenate, zip(*parts, strict=True)))]
    finally:
        torch.set_num_threads(before)
    for found in results[1:]:
        assert all((a == b).all() for a, b in zip(found, results[0], strict=True))


def posterior_arrays(model, x):
    q = block.posterior(model, x)
    return q.mean, q.scale


@every_model
@pytest.mark.parametrize("side", [1, 8, 20])
def test_a_preview_in_tiles_has_no_seams(name, side):
    model = MODELS[name]
    z, s = latents(model, (1, 9, 11)), model.config.stride
    whole = model.preview(z)
    seen = np.zeros((9 * s, 11 * s), int)
    for tile, *parts in block.previews(model, z, side):
        rows = slice(tile.top * s, (tile.top + tile.height) * s)
        columns = slice(tile.left * s, (tile.left + tile.width) * s)
        seen[rows, columns] += 1
        assert all((a == b[:, rows, columns]).all() for a, b in zip(parts, whole, strict=True))
    assert (seen == 1).all()


@every_model
@pytest.mark.parametrize("size", [(30, 41), (1, 50), (33, 2)])
def test_a_latent_in_tiles_has_no_seams(name, size):
    model = MODELS[name]
    x = pictures((1, *size))
    for level in range(model.config.levels):
        whole = block.posterior(model, x).round(model.steps(level))
        for side in (1, 8, 20):
            assert (block.rounded_latent(model, x[0].astype(np.uint8), level, side) == whole).all()


@every_model
def test_the_edge_is_replicated_to_whole_strides(name):
    model, s = MODELS[name], MODELS[name].config.stride
    x = pictures((2, s + 1, 2 * s - 1))
    q = block.posterior(model, x)
    assert q.mean.shape[:3] == block.latent_shape(x.shape[:3], s) == (2, 2, 2)
    whole = np.concatenate([x] + [x[:, -1:]] * (s - 1), 1)
    whole = np.concatenate([whole, whole[:, :, -1:]], 2)
    assert (q.mean == model.posterior(whole).mean).all()


@given(st.integers(-20000, 20000), st.integers(1, LATENT_MAX))
def test_rounding_takes_the_nearest_cell(mean, step):
    grid = vlae.Steps(*(np.array([v], np.int32) for v in (step, -(LATENT_MAX // step), 2 * (LATENT_MAX // step) + 1)))
    one = np.full((1, 1, 1, 1), mean, np.int32)
    z = int(Posterior(one, one).round(grid).item())
    assert z % step == 0
    assert abs(z) <= LATENT_MAX
    inside = [k * step for k in range(-(LATENT_MAX // step), LATENT_MAX // step + 1)]
    assert abs(16 * z - mean) == min(abs(16 * k - mean) for k in inside)


@every_model
def test_symbols_of_a_level_cover_the_range_of_z(name):
    model = MODELS[name]
    for level in (None, *range(model.config.levels)):
        steps = model.steps(level)
        assert (steps.step == (1 if level is None else model.rounding[level])).all()
        assert (steps.low * steps.step >= -LATENT_MAX).all()
        assert (steps.low + steps.count - 1 == -steps.low).all()
        assert ((1 - steps.low) * steps.step > LATENT_MAX).all()


def test_the_posterior_is_one_logistic_a_value():
    q = MODELS["median"].posterior(pictures((1, 8, 8)))
    mix = q.mixture()
    assert mix.weights.tolist() == [[1 << 12]] * q.mean.size
    assert (mix.means.reshape(q.mean.shape) == q.mean).all()
    assert (mix.scales.reshape(q.mean.shape) == q.scale).all()


def test_scenes_of_pixels():
    model = MODELS["median"]
    scene = model.pixel_scene(latents(model, (2, 3, 3)), (2, 11, 10), grey=True, warmth=-5)
    assert scene.base.shape == (2, 11, 10, 3)
    assert not scene.base.any()
    assert scene.extra.shape == (2, 11, 10, 3)
    assert (scene.steps, scene.grey, scene.warmth) == (PIXELS, True, -5)


def test_scenes_of_pixels_against_the_preview():
    model = MODELS["preview"]
    z = latents(model, (1, 3, 3))
    scene, preview = model.pixel_scene(z, (1, 11, 10)), model.preview(z)[0]
    assert (scene.base == preview[:, :11, :10]).all()
    assert scene.extra.shape == (1, 11, 10, 2 + 27)


def test_the_prior_is_told_its_level():
    model = MODELS["preview"]
    for level, expected in ((None, [1, 0, 0]), (0, [1, 0, 0]), (2, [0, 0, 1])):
        assert (model.prior_scene((1, 2, 2), level).extra == expected).all()


def test_the_neighbourhood_of_a_preview():
    preview = np.random.default_rng(0).integers(0, 256, (1, 4, 5, 3)).astype(np.int16)
    found = vlae.neighbourhood(preview).reshape(1, 4, 5, 9, 3)
    ring = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    for i, j in np.ndindex(4, 5):
        for n, (y, x) in enumerate(ring):
            near = preview[0, min(max(i + y, 0), 3), min(max(j + x, 0), 4)].astype(int) - preview[0, i, j]
            assert (found[0, i, j, n] == np.clip(8 * near, -CONTRAST_MAX, CONTRAST_MAX)).all()
    assert (found[..., 8, :] == preview - 128).all()
