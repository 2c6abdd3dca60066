"""The learner is its definition in int64, bit for bit, whatever weights become; and both ways of coding take its steps.

A state is what a learner has after it: masters, moments, spreads, biases, and weights as products take them.
"""

from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from math import prod

import numpy as np
import pytest
import random_nets
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import random_message, same, seeds
from pictures import photo
from reference_learner import Learner as Definition
from reference_learner import halved
from scenes import KINDS, random_scene, random_values

from vlaezip.codec import block
from vlaezip.coding import ans
from vlaezip.errors import CorruptFile, ModelError
from vlaezip.exact import law, threads
from vlaezip.exact.law import Affine
from vlaezip.exact.microkernel import LANES
from vlaezip.format.settings import OCTAVES, RATES, Settings
from vlaezip.model import layout, learner, learning, weights
from vlaezip.model.layout import MEANS_PER_UNIT, Layer
from vlaezip.model.learner import (
    BIAS_FRACTION,
    BIAS_MAX,
    GRADIENT_BITS,
    GRADIENT_MAX,
    RATIO_BITS,
    RATIO_MAX,
    SPREAD_BITS,
    WINDOW,
)
from vlaezip.model.wavefront import wavefront
from vlaezip.model.window_kinds import CONTRAST_MAX, CONTRAST_UNIT
from vlaezip.search.effort import DEFAULT_EFFORT, settings_tried

CONFIGS = {
    **{kind: KINDS[kind] for kind in ("median", "preview", "zero", "grouped")},
    "deep": replace(random_nets.local_config("median", hidden=37, mixtures=3), depth=3, head=19),
    "pairs": replace(random_nets.local_config("zero", (2, 2), hidden=50), depth=2, head=33),
}
NETS = {kind: random_nets.local(config, 5) for kind, config in CONFIGS.items()}
LARGE = random_nets.local(replace(random_nets.local_config("median", hidden=300), head=150), 5)  # its limits bind
FAST = RATES[0]


@cache
def shipped():
    return weights.load(weights.find(weights.DEFAULT).path, "lossless")


def layers_of(config):
    """What the layers of a net of random_nets are."""
    beside = config.kind.extra
    kind = layout.STREAM if config.reference != "zero" else (1.0, 1)
    return list(layout.local("net", config, ((config.extra - sum(n for n, _, _ in beside), *kind), *beside)))


def begin(net, grey=False):
    return learner.begin(net, layers_of(net.config), grey)


def scene_of(rng, net, shape, grey=False):
    return random_scene(rng, net, shape, grey)._replace(warmth=0)


def use_threads(monkeypatch, count):
    """Divide every part among so many threads, however few places it has."""
    team = threads.team
    monkeypatch.setattr(threads, "team", lambda _: team(count))


def vectors(found):
    """Intervals as (start, frequency)."""
    return list(zip(found.starts.tolist(), found.freqs.tolist(), strict=True))


def weights_of(packed, number):
    """Weights of a layer, filled up: a view [pairs of inputs, 2, O]."""
    first, _, runs, pairs, lanes = packed.table[number].tolist()
    assert runs == 1
    return packed.weights[first : first + 2 * pairs * lanes * LANES].reshape(pairs, -1, 2).transpose(0, 2, 1)


def filled(values, shape):
    """Values [O] or [I, O], zeros beyond, in the shape of a view."""
    values, whole = np.atleast_2d(values), np.zeros((prod(shape[:-1]), shape[-1]), int)
    whole[: len(values), : values.shape[1]] = values
    return whole.reshape(shape)


def held(state, definition):
    """Views of all that a learner holds, and what they hold by the definition."""
    yield state.clock, np.array([definition.clock])
    for j, (layer, row) in enumerate(zip(definition.layers, state.table.tolist(), strict=True)):
        rows, columns, inputs, outputs, first, start = row[:6]
        assert (inputs, outputs) == layer.master.T.shape
        for kernel, defined in (("masters", "master"), ("moments", "moment"), ("spreads", "spread")):
            yield (
                getattr(state, kernel)[first : first + rows * columns].reshape(rows, columns),
                getattr(layer, defined).T,
            )
            yield getattr(state, f"bias_{kernel}")[start : start + columns], getattr(layer, f"bias_{defined}")
        bias = state.forward.table[j + 1, 1]
        yield state.forward.biases[bias : bias + outputs], halved(layer.bias_master, BIAS_FRACTION)
        yield weights_of(state.forward, j + 1), halved(layer.master, layer.fraction).T
        yield weights_of(state.backward, j)[..., :inputs], layer.weight_back()  # of what is beyond, nothing comes


def load(state, definition):
    """Make a learner hold what the definition does."""
    for view, values in held(state, definition):
        view[...] = filled(values, view.shape)


def agree(net, scene, x, settings, state=None, definition=None):
    """Code by kernels and by the definition, and compare all that there is. -> both learners after it."""
    state = state or begin(net, scene.grey)
    definition = definition or Definition(net, layers_of(net.config), scene.grey)
    found = learning.encode_intervals(net, state, scene, x, settings)
    assert vectors(found) == definition.intervals(scene, x, *settings)
    for view, values in held(state, definition):
        assert (view == filled(values, view.shape)).all()
    return state, definition


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("kind", NETS)
def test_kernels_take_the_steps_of_the_definition(kind, count, monkeypatch):
    use_threads(monkeypatch, count)
    rng, net = np.random.default_rng(3), NETS[kind]
    scene = scene_of(rng, net, (2, 5, 6))
    agree(net, scene, random_values(rng, scene), Settings(7, FAST + 5))


@pytest.mark.parametrize("grey", [False, True])
def test_the_shipped_model_takes_the_steps_of_the_definition(grey):
    model = shipped()
    net, layers = model.pixel, list(layout.local("pixel", model.config.pixel, layout.extras(model.config)["pixel"]))
    x = np.asarray(photo(12, 12, "L" if grey else "RGB").convert("RGB"))[None].astype(np.int32)
    scene = model.pixel_scene(block.first_latent(model, x), x.shape[:3], grey)
    for chosen in settings_tried(DEFAULT_EFFORT, 1 << 20):
        agree(net, scene, x, chosen, learner.begin(net, layers, grey), Definition(net, layers, grey))


@settings(max_examples=40)
@given(
    st.sampled_from(list(CONFIGS)),
    st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)),
    st.integers(1, 20) | st.integers(1, WINDOW),
    st.sampled_from(RATES),
    st.booleans(),
    st.integers(1, 3),
    seeds,
)
def test_any_net_takes_the_steps_of_the_definition(kind, shape, places, rate, grey, count, seed):
    rng, net = np.random.default_rng(seed), random_nets.local(CONFIGS[kind], seed)
    scene = scene_of(rng, net, shape, grey and net.config.channels == 3)
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_threads(monkeypatch, count)
        agree(net, scene, random_values(rng, scene), Settings(places, rate))


def test_one_learner_goes_through_all_tiles():
    rng, net, learners = np.random.default_rng(1), NETS["median"], ()
    for shape in ((1, 4, 5), (1, 1, 3), (1, 6, 2)):
        scene = scene_of(rng, net, shape)
        learners = agree(net, scene, random_values(rng, scene), Settings(5, FAST), *learners)
    assert learners[0].clock[0] >= 6


def arrays(state):
    """All that a learner is made of."""
    for part in state:
        yield from arrays(part) if isinstance(part, tuple) else (part,)


@settings(max_examples=40)
@given(
    st.sampled_from(list(CONFIGS)),
    st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)),
    st.integers(1, 20) | st.integers(1, WINDOW),
    st.sampled_from(RATES),
    st.booleans(),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    seeds,
    st.integers(1, 4),
)
def test_pop_inverts_push_and_learns_the_same(kind, shape, places, rate, grey, counts, seed, lanes):
    """By other numbers of threads, too."""
    rng, net = np.random.default_rng(seed), NETS[kind]
    scene = scene_of(rng, net, shape, grey and net.config.channels == 3)
    x, chosen, states = random_values(rng, scene), Settings(places, rate), [begin(net, scene.grey) for _ in counts]
    before = random_message(rng, lanes)
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_threads(monkeypatch, counts[0])
        message = ans.push(before, *learning.encode_intervals(net, states[0], scene, x, chosen))
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_threads(monkeypatch, counts[1])
        after, found = learning.pop(net, states[1], scene, message, chosen)
    assert same(after, before)
    assert (found == x).all()
    for a, b in zip(*map(meaning, states), strict=True):
        assert np.array_equal(a, b)


def meaning(state):
    """A learner, without what stands beyond the weights of the way back."""
    yield from arrays(state._replace(backward=()))
    yield from (weights_of(state.backward, j)[..., :inputs] for j, inputs in enumerate(state.table[:, 2]))


def test_a_stack_that_runs_dry_is_refused():
    rng, net = np.random.default_rng(0), NETS["median"]
    scene = scene_of(rng, net, (1, 9, 9))
    with pytest.raises(CorruptFile, match="ends before"):
        learning.pop(net, begin(net), scene, ans.empty(1), Settings(4, FAST))


@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40), st.integers(1, WINDOW))
def test_parts_cover_the_steps_and_updates_are_no_larger_than_told(pictures, height, width, places):
    order, steps = wavefront(pictures, height, width)
    bounds, learns = learning.parts_of(steps, places)
    sizes = np.diff(bounds)
    assert (bounds[0], bounds[-1]) == (0, len(order))
    assert set(steps.tolist()) <= set(bounds.tolist())  # no part has places of two steps
    assert sizes.min() >= 1
    assert learns[-1]
    updates = np.add.reduceat(sizes, np.append(0, np.flatnonzero(learns)[:-1] + 1))
    assert updates.max() <= places
    assert (updates[:-1] + sizes[np.flatnonzero(learns)[:-1] + 1] > places).all()  # there was no room for the next


PICTURES = {
    "noise": lambda rng, shape: rng.integers(0, 256, (*shape, 3)),
    "extremes": lambda rng, shape: 255 * rng.integers(0, 2, (*shape, 3)),
    "checkerboard": lambda rng, shape: 255 * (np.indices((*shape, 3)).sum(0) % 2),
    "black": lambda rng, shape: np.zeros((*shape, 3), int),
    "white": lambda rng, shape: np.full((*shape, 3), 255),
    "one colour": lambda rng, shape: np.broadcast_to([7, 251, 128], (*shape, 3)),
}
SIGNS = {"plus": [1], "minus": [-1], "both": [-1, 1], "any": [-1, 0, 0, 1]}


def push_to_limits(definition, rng, signs, level=1.0):
    """Make weights and biases what they may become at most, and means of gradients too, beside spreads of nothing."""

    def chosen(most, values):
        return np.rint(most * level).astype(int) * rng.choice(signs, values.shape)

    for layer in definition.layers:
        layer.master = chosen(layer.limit << layer.fraction, layer.master)
        layer.bias_master = chosen(BIAS_MAX << BIAS_FRACTION, layer.bias_master)
        layer.moment = chosen(GRADIENT_MAX << GRADIENT_BITS, layer.moment)
        layer.bias_moment = chosen(GRADIENT_MAX << GRADIENT_BITS, layer.bias_moment)
    definition.clock = int(rng.choice([0, 2**7, 2**20]))


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("kind", ["deep", "large"])
def test_weights_at_their_limits_keep_the_law(kind, picture, signs):
    """Sums of the definition are asserted to fit into 32 bits; kernels, which have no more, agree with it."""
    rng, net = np.random.default_rng(5), LARGE if kind == "large" else NETS[kind]
    layers = layers_of(net.config)
    for places in (1, 5):
        state, definition = learner.begin(net, layers, False), Definition(net, layers)
        push_to_limits(definition, rng, SIGNS[signs], rng.choice([1.0, 0.02]))
        load(state, definition)
        scene = scene_of(rng, net, (1, 3, 4))
        x = PICTURES[picture](rng, (1, 3, 4)).astype(np.int32)
        agree(net, scene, x, Settings(places, FAST), state, definition)


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("places", [1, 3, WINDOW])
def test_the_largest_rate_keeps_the_law(places, picture):
    rng, net = np.random.default_rng(5), NETS["deep"]
    learners = ()
    for _ in range(3):
        scene = scene_of(rng, net, (1, 6, 6))
        x = PICTURES[picture](rng, (1, 6, 6)).astype(np.int32)
        learners = agree(net, scene, x, Settings(places, FAST), *learners)


def test_sums_of_gradients_reach_their_limit_and_no_further():
    """All inputs of the outs are at their largest, and all scales too wide by far, at every place of an update."""
    net, layers = NETS["deep"], layers_of(NETS["deep"].config)
    state, definition = learner.begin(net, layers, False), Definition(net, layers)
    for layer in definition.layers[net.config.depth :]:
        layer.master = np.zeros_like(layer.master)
        layer.bias_master = np.full_like(layer.bias_master, BIAS_MAX << BIAS_FRACTION)
    first = np.arange(net.config.mixtures) == 0
    for layer in definition.layers[-3:]:  # the first mixture is just beyond the symbol, and sure of it
        layer.bias_master = np.concatenate([1000 * first, 128 * first, -80 * first]) << (layer.shift + BIAS_FRACTION)
    load(state, definition)
    scene = scene_of(np.random.default_rng(0), net, (1, 16, 16))
    largest = []
    for layer in definition.layers[-3:]:
        layer.moved = partial(note, largest, layer.moved)
    agree(net, scene, np.full((1, 16, 16, 3), 100, np.int32), Settings(WINDOW, FAST), state, definition)
    assert 0.85 * 2**31 < max(largest) < 2**31


def note(largest, moved, sums, *rest):
    largest.append(np.abs(sums).max())
    return moved(sums, *rest)


KINDS_OF_LAYERS = {
    "layers": ((layout.RECTIFIED,), 2.0**-7),
    "heads": ((layout.RECTIFIED, (CONTRAST_UNIT, CONTRAST_MAX)), 2.0**-7),
    "outs": ((layout.RECTIFIED,), 1 / MEANS_PER_UNIT),
}


def layer_of(kind, weight, shift, bias=0):
    """A layer by its weights [O, I], the last input of a head being of another kind; and what it is."""
    outputs, inputs = weight.shape
    columns, step = KINDS_OF_LAYERS[kind]
    counts = [inputs - len(columns) + 1] + [1] * (len(columns) - 1)
    layer = Layer(f"net.{kind}.0", tuple((n, *c) for n, c in zip(counts, columns, strict=True)), ((outputs, step),))
    same = np.ones(outputs, np.int32)
    return Affine(weight.T.astype(np.int16), bias * same, np.broadcast_to(shift, outputs).astype(np.int32)), layer


@settings(max_examples=200)
@given(
    st.sampled_from(list(KINDS_OF_LAYERS)),
    st.integers(2, 700),
    st.integers(1, 400),
    st.integers(1, law.OPERAND_MAX),
    st.tuples(st.integers(0, 24), st.integers(0, 24)),
    seeds,
)
def test_nothing_of_a_layer_that_may_learn_can_overflow(kind, inputs, outputs, most, shifts, seed):
    rng = np.random.default_rng(seed)
    affine, layer = layer_of(
        kind, rng.integers(-most, most + 1, (outputs, inputs)), rng.integers(min(shifts), max(shifts) + 1, outputs)
    )
    with suppress(ModelError):
        s = learner.scales_of(affine, layer)
        bound = 2**31 - 1
        assert inputs * law.ACTIVATION_MAX * s.limit + BIAS_MAX <= bound
        assert outputs * law.ERROR_MAX * s.limit + 2**s.back // 2 <= bound
        assert (s.limit << s.fraction) + RATIO_MAX * 2 ** (RATIO_BITS - SPREAD_BITS + 1) <= bound
        assert np.abs(affine.weight).max() <= s.limit
        assert (2 * np.abs(affine.weight * 2.0 ** (s.back - affine.shift)) <= s.limit).all()
        weights = s.step_shifts - s.lifts[:, None]
        for every in (weights + OCTAVES[0], weights + OCTAVES[-1], s.bias_step_shifts + OCTAVES[0],
                      s.bias_step_shifts + OCTAVES[-1], s.back_shifts, affine.shift):  # fmt: skip
            assert every.min() >= 1
            assert every.max() <= 30


HEAVY = np.full((300, 4), law.OPERAND_MAX)
FAULTS = {
    "weights begin beyond their limit": ("layers", HEAVY, 12),
    "steps are too coarse": ("layers", np.ones((4, 4)), 22),
    "there is no way back": ("layers", HEAVY[:250], 1),
    "sums are not halved": ("layers", np.ones((4, 4)), [0, 9, 9, 9]),
    "outputs are too large": ("outs", np.ones((4, 4)), 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_layers_that_cannot_learn_are_refused(fault):
    kind, weight, shift = FAULTS[fault]
    with pytest.raises(ModelError, match=f"net.{kind}.0 cannot learn: {fault}"):
        learner.scales_of(*layer_of(kind, weight, shift))


def test_nets_that_cannot_learn_are_refused():
    net = NETS["median"]
    coarse = replace(net.layers[0], shift=net.layers[0].shift + 12)
    with pytest.raises(ModelError, match=r"net\.layers\.0 cannot learn"):
        begin(replace(net, layers=(coarse,)))
