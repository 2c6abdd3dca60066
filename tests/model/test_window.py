"""What windows see: twins agree, padding is what decoding draws, and the wavefront knows all it looks at."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest
import reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import seeds
from random_nets import local_config

from vlaezip.device import window as window_torch
from vlaezip.model import wavefront, window
from vlaezip.model.config import LATENT_MAX, Window
from vlaezip.train.presets import LATENT_WINDOW, PIXEL_WINDOW

REFERENCES = ("median", "preview", "zero")
REACH = {"median": (0, 255), "preview": (-255, 255), "zero": (-LATENT_MAX, LATENT_MAX)}
DIGESTS = {
    "GAIN_OF": "7d2e00d937d6c70deb127cfe6ef1c04a8b25ee53bd55cab3f409ceb3d96ea610",
    "SIZE_OF_ACTIVITY": "a7b64fe1c2b7eee1b5e02b0657f7000418dd7439c3a814a6112ec445f9399aec",
}

windows = st.builds(Window, st.integers(1, 5), st.integers(1, 6), st.integers(0, 6))
shapes = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 7))


def random_pictures(rng, shape, reference, channels):
    """Integers of the whole range, with smooth, flat and extreme parts."""
    low, high = REACH[reference]
    x = rng.integers(low, high + 1, (*shape, channels))
    spread = rng.choice([0, 3, high - low], (*shape[:2], 1, 1))
    x = np.where(
        rng.random((*shape[:2], 1, 1)) < 0.5,
        x,
        np.clip(x[:1, :1, :1] + rng.integers(-spread, spread + 1, x.shape), low, high),
    )
    return np.where(rng.random(x.shape) < 0.1, rng.choice([low, high], x.shape), x).astype(np.int32)


@pytest.mark.parametrize("name", DIGESTS)
def test_tables_are_frozen(name):
    assert hashlib.sha256(getattr(window, name).astype("<i8").tobytes()).hexdigest() == DIGESTS[name]


def test_gain_is_512_over_the_size():
    gains = [2 ** (17 - s / 4) for s in range(len(window.GAIN_OF))]
    assert (abs(window.GAIN_OF - np.array(gains)) <= 1).all()


def test_size_follows_activity():
    sizes = 2 ** (window.SIZE_OF_ACTIVITY / 4)
    activity = np.arange(window.ACTIVITY_MAX + 1) + window.ACTIVITY_FLOOR
    assert (np.diff(window.SIZE_OF_ACTIVITY) >= 0).all()
    assert (activity / sizes > 0.8).all()
    assert (activity / sizes < 1.25).all()


@given(shapes, windows, st.integers(-5, 200), seeds)
def test_pad_shows_what_stands_beyond_the_edges(shape, shown, fill, seed):
    x = np.random.default_rng(seed).integers(-300, 300, (*shape, 2))
    result = window.pad(x, shown, fill)
    assert (window_torch.pad(torch.from_numpy(x), shown, fill).numpy() == result).all()
    b, h, w = shape
    assert result.shape == (b, shown.up + h, shown.left + w + shown.right, 2)
    for n, i, j in np.ndindex(result.shape[:3]):
        assert result[n, i, j].tolist() == reference.padded(x[n], i - shown.up, j - shown.left, fill).tolist()


def places(shape, shown):
    """The wavefront's places in a padded picture, as a decoder has them: order, bounds, spot, edge, row."""
    b, h, w = shape
    order, bounds = wavefront.wavefront(b, h, w)
    row = shown.left + w + shown.right
    spot, edge = np.empty(len(order), np.int32), np.empty(len(order), np.int8)
    wavefront.locate(order, h, w, shown.up, shown.left, row, spot, edge)
    return order, bounds, spot, edge, row


@settings(max_examples=60)
@given(shapes, windows, seeds)
def test_drawing_step_by_step_ends_as_pad_and_each_step_sees_it_already(shape, shown, seed):
    """All that a window looks at is in place when the wavefront arrives: an encoder may look at everything at once."""
    x = np.random.default_rng(seed).integers(-300, 300, (*shape, 2)).astype(np.int16)
    whole = window.pad(x, shown, 7)
    canvas = window.pad(np.zeros((*shape, 2), np.int16), shown, 7).reshape(-1, 2)
    order, bounds, spot, edge, row = places(shape, shown)
    offsets = np.array([dy * row + dx for dy, dx in shown.offsets])
    for a, b in pairwise(bounds):
        seen = spot[a:b, None] + offsets
        assert (canvas[seen] == whole.reshape(-1, 2)[seen]).all()
        window.write_padded(
            canvas, spot[a:b], edge[a:b], row, shown.left, shown.right, x.reshape(-1, 2)[order[a:b]].astype(np.int32)
        )
    assert (canvas.reshape(whole.shape)[:, :, shown.left :] == whole[:, :, shown.left :]).all()
    assert (canvas.reshape(whole.shape)[:, shown.up + 1 :] == whole[:, shown.up + 1 :]).all()


@given(shapes, windows)
def test_places_lie_where_pad_puts_them(shape, shown):
    order, _, spot, edge, _ = places(shape, shown)
    _, i, j = np.unravel_index(order, shape)
    numbers = window.pad(np.arange(np.prod(shape), dtype=np.int64).reshape(*shape, 1), shown, -1)
    assert (numbers.reshape(-1)[spot] == order).all()
    assert ((edge & 1 == 1) == ((j == 0) & (i < shape[1] - 1))).all()
    assert ((edge & 2 == 2) == (j == shape[2] - 1)).all()


@given(shapes)
def test_the_order_is_a_permutation_in_steps(shape):
    b, h, w = shape
    order, bounds = wavefront.wavefront(b, h, w)
    assert sorted(order.tolist()) == list(range(b * h * w))
    assert len(bounds) == w + 2 * (h - 1) + 1
    assert (bounds[0], bounds[-1]) == (0, b * h * w)
    _, i, j = np.unravel_index(order, shape)
    for t in range(len(bounds) - 1):
        part = slice(bounds[t], bounds[t + 1])
        assert (j[part] + 2 * i[part] == t).all()
        assert (np.diff(order[part]) > 0).all()


@given(windows)
def test_every_offset_comes_earlier_in_the_order(shown):
    assert len(set(shown.offsets)) == len(shown.offsets)
    for dy, dx in shown.offsets:
        assert dx + 2 * dy < 0
        assert -shown.up <= dy <= 0
        assert -shown.left <= dx <= shown.right


def test_the_shipped_windows_hold_the_nearest_ring():
    for shown in (PIXEL_WINDOW, LATENT_WINDOW):
        assert {(0, -1), (-1, 0), (-1, -1), (-1, 1)} <= set(shown.offsets)


def test_median_reference_is_loco_i():
    context = np.random.default_rng(0).integers(0, 256, (500, len(PIXEL_WINDOW.offsets), 3))
    found = window_torch.median_reference(torch.from_numpy(context).float(), PIXEL_WINDOW).numpy()
    w, n, nw = (context[:, PIXEL_WINDOW.offsets.index(o)] for o in ((0, -1), (-1, 0), (-1, -1)))
    low, high = np.minimum(w, n), np.maximum(w, n)
    assert (found == np.where(nw >= high, low, np.where(nw <= low, high, w + n - nw))).all()


def test_contrast_rounds_half_up_and_clamps():
    gain = torch.tensor(128.0)
    assert window_torch.contrast(torch.tensor([0.0, 1, -1, 3, -3, 4096, -4096]), gain).tolist() == [
        0,
        1,
        0,
        2,
        -1,
        1023,
        -1023,
    ]


@settings(max_examples=40)
@given(st.sampled_from(REFERENCES), shapes, seeds)
def test_look_is_describe_on_the_canvas(kind, shape, seed):
    rng, config = np.random.default_rng(seed), local_config(kind)
    x = random_pictures(rng, shape, kind, config.channels)
    context = reference.windows(x, config.window, config.kind.fill)
    expected = window_torch.describe(torch.from_numpy(context).float(), config)
    n, extra = len(context), rng.integers(-1024, 1024, (len(context), 5)).astype(np.int16)
    shown = window.pad(x.astype(np.int16), config.window, config.kind.fill)
    order, _, spot, _, row = places(shape, config.window)
    width = expected.inputs.shape[1]
    inputs, base, size = (
        np.empty((n, width + 5), np.int16),
        np.empty((n, config.channels), np.int32),
        np.empty(n, np.int64),
    )
    window.Reach(config, row).describe(shown.reshape(-1, config.channels), spot, extra, inputs, base, size)
    assert (inputs[:, :width] == expected.inputs.numpy()[order]).all()
    assert (inputs[:, width:] == extra).all()
    assert (base == expected.base.numpy()[order]).all()
    assert (size == expected.size.numpy()[order]).all()


@pytest.mark.parametrize("kind", REFERENCES)
def test_inputs_stay_within_what_the_proof_takes_for_granted(kind):
    rng, config = np.random.default_rng(1), local_config(kind)
    x = random_pictures(rng, (3, 7, 8), kind, config.channels)
    view = window_torch.describe(
        torch.from_numpy(reference.windows(x, config.window, config.kind.fill)).float(), config
    )
    largest = np.concatenate([np.full(n, m) for n, _, m in window.input_columns(config)])
    assert view.inputs.shape[1] == len(largest)
    assert (abs(view.inputs.numpy()).max(0) <= largest).all()
    assert (view.inputs == view.inputs.round()).all()


@given(seeds)
def test_know_is_contrast(seed):
    rng = np.random.default_rng(seed)
    values, base = rng.integers(-1023, 1024, (2, 30, 2)).astype(np.int32)
    size, known = rng.integers(0, 49, 30), np.empty((30, 2), np.float32)
    window.write_contrasts(values, base, size, known)
    gain = torch.from_numpy(window.GAIN_OF[size]).float()[:, None]
    assert (known == window_torch.contrast(torch.from_numpy(values - base).float(), gain).numpy()).all()
    assert (known == reference.contrast((values - base).astype(np.int64), size[:, None])).all()
