"""The learner is its definition in int64, bit for bit, whatever weights become; and both ways of coding take its steps.

A state is what a learner has after it: masters, moments, spreads, biases, and weights as products take them.
"""

from dataclasses import replace
from functools import cache

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
from vlaezip.errors import CorruptFile
from vlaezip.exact import threads
from vlaezip.exact.microkernel import LANES
from vlaezip.format.settings import RATES, Settings
from vlaezip.model import layout, learner, learning, weights
from vlaezip.model.learner import BIAS_FRACTION, WINDOW
from vlaezip.model.wavefront import wavefront
from vlaezip.search.effort import DEFAULT_EFFORT, LADDER

CONFIGS = {
    **{kind: KINDS[kind] for kind in ("median", "preview", "zero", "grouped")},
    "deep": replace(random_nets.local_config("median", hidden=37, mixtures=3), depth=3, head=19),
    "pairs": replace(random_nets.local_config("zero", (2, 2), hidden=50), depth=2, head=33),
}
NETS = {kind: random_nets.local(config, 5) for kind, config in CONFIGS.items()}
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


def unpacked(packed, number):
    """Weights [I, O] of a layer, filled up."""
    first, _, runs, pairs, lanes = packed.table[number].tolist()
    assert runs == 1
    outputs = lanes * LANES
    whole = packed.weights[first : first + 2 * pairs * outputs].reshape(pairs, outputs, 2)
    return whole.transpose(0, 2, 1).reshape(2 * pairs, outputs).astype(int)


def assert_padded(whole, expected):
    """Expected values come first in both directions, and zeros fill up the rest."""
    rows, columns = expected.shape
    assert (whole[:rows, :columns] == expected).all()
    assert not whole[rows:].any()
    assert not whole[:, columns:].any()


def assert_states_agree(state, definition):
    assert state.clock[0] == definition.clock
    for j, (layer, row) in enumerate(zip(definition.layers, state.table.tolist(), strict=True)):
        rows, columns, inputs, outputs, first, start = row[:6]
        assert (inputs, outputs) == layer.master.T.shape
        for kernel, defined in (("masters", "master"), ("moments", "moment"), ("spreads", "spread")):
            whole = getattr(state, kernel)[first : first + rows * columns].reshape(rows, columns)
            assert_padded(whole, getattr(layer, defined).T)
            whole = getattr(state, f"bias_{kernel}")[None, start : start + columns]
            assert_padded(whole, getattr(layer, f"bias_{defined}")[None])
        assert_padded(unpacked(state.forward, j + 1), halved(layer.master, layer.fraction).T)
        assert (unpacked(state.backward, j)[:outputs, :inputs] == layer.weight_back()).all()  # none looks beyond
        bias = state.forward.table[j + 1, 1]
        assert (state.forward.biases[bias:][:outputs] == halved(layer.bias_master, BIAS_FRACTION)).all()


def agree(net, scene, x, settings, state=None, definition=None):
    """Code by kernels and by the definition, and compare all that there is. -> both learners after it."""
    state = state or begin(net, scene.grey)
    definition = definition or Definition(net, layers_of(net.config), scene.grey)
    found = learning.encode_intervals(net, state, scene, x, settings)
    assert vectors(found) == definition.intervals(scene, x, *settings)
    assert_states_agree(state, definition)
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
    for chosen in LADDER[DEFAULT_EFFORT]:
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
    rows = [(j, row[2], row[3]) for j, row in enumerate(state.table.tolist())]
    yield from (unpacked(state.backward, j)[:outputs, :inputs] for j, inputs, outputs in rows)
    yield from arrays(state._replace(backward=()))


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
