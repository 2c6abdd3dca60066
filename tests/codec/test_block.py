"""Blocks on one stack: the chain's law, its price, the refund; rounded latents; dreams."""

import numpy as np
import pytest
import random_nets
from pictures import photo

from vlaezip.codec import block
from vlaezip.codec import dream as dreams
from vlaezip.codec.block import Refund
from vlaezip.coding import ans
from vlaezip.coding.logistic import intervals
from vlaezip.errors import CorruptFile
from vlaezip.model import local_ar, weights

RANDOM = {kind: random_nets.vlae(random_nets.vlae_config(1, kind), seed=2) for kind in ("median", "preview")}
PHOTO = photo(256, 384)
SHAPES = [(1, 9, 14), (2, 8, 5), (1, 1, 1), (1, 12, 3)]


def shipped(which="lossless"):
    return weights.load(weights.find(weights.DEFAULT).path, which)


def crops(count, height, width, grey=False):
    """Blocks of one crop each of a synthetic photograph."""
    whole = np.asarray(PHOTO.convert("L").convert("RGB") if grey else PHOTO).astype(np.int32)
    places = [(100 + 37 * n % 90, 20 + 61 * n % 250) for n in range(count)]
    return [whole[None, i : i + height, j : j + width] for i, j in places]


def noise(shape, grey=False, seed=0):
    x = np.random.default_rng(seed).integers(0, 256, (*shape, 1 if grey else 3)).astype(np.int32)
    return np.repeat(x, 3, 3) if grey else x


def law(model, blocks, grey, refund, lanes=1):
    """Pop gives the blocks back, the last first, and leaves the stack empty. -> the message."""
    message = block.push_blocks(model, ans.empty(lanes), blocks, grey, refund)
    found = list(block.pop_blocks(model, message, [x.shape[:3] for x in blocks], grey, refund))
    assert all((a == b).all() for a, b in zip(found, reversed(blocks), strict=True))
    return message


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("refund", list(Refund))
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("kind", RANDOM)
def test_any_model_keeps_the_law(kind, grey, refund, lanes):
    law(RANDOM[kind], [noise(shape, grey, n) for n, shape in enumerate(SHAPES)], grey, refund, lanes)


@pytest.mark.parametrize("refund", list(Refund))
@pytest.mark.parametrize("grey", [False, True])
def test_the_shipped_model_keeps_the_law(grey, refund):
    law(shipped(), crops(3, 40, 56, grey), grey, refund)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (40, 1), (17, 16), (33, 50)])
def test_odd_sizes_keep_the_law(size):
    law(shipped(), crops(2, *size), False, Refund.WHITE, lanes=2)


def test_a_block_of_several_pictures_keeps_the_law():
    law(shipped(), [np.concatenate(crops(3, 24, 20)), crops(1, 24, 20)[0]], False, Refund.WHITE)


@pytest.mark.parametrize("lanes", [1, 8])
def test_what_sinks_below_a_block_changes_nothing(lanes, monkeypatch):
    """With few words under the key stream, so that small blocks reach no further than large ones do."""
    monkeypatch.setattr(ans, "WHITE_WORDS", 300)
    model, blocks = RANDOM["median"], [noise((1, 20, 24), seed=n) for n in range(9)]
    deep = law(model, blocks, False, Refund.WHITE, lanes)
    assert len(deep.words) > 3 * block.within_reach(model, (1, 20, 24), lanes)
    monkeypatch.setattr(block, "within_reach", lambda *_: 1 << 40)
    whole = law(model, blocks, False, Refund.WHITE, lanes)
    assert ans.write(deep) == ans.write(whole)


def test_no_blocks_are_an_empty_stack():
    assert ans.is_empty(block.push_blocks(shipped(), ans.empty(2), [], False, Refund.WHITE))


def parts(model, x, z, level):
    """The model's estimates in bits: of z under its prior, of x."""
    prior = local_ar.encode_intervals(model.prior, model.prior_scene(z.shape[:3], level), z)
    return prior.bits, local_ar.encode_intervals(model.pixel, model.pixel_scene(z, x.shape[:3]), x).bits


def posterior_bits(model, x, z):
    """What z costs under q(z|x): the refund."""
    q = block.posterior(model, x)
    grid = model.steps(None).grid(z.size // z.shape[3], tuple(range(z.shape[3])))
    _, freqs = intervals(q.mixture(), grid, z.reshape(-1))
    return 22 * z.size - np.log2(freqs).sum()


@pytest.mark.parametrize("grey", [False, True])
def test_the_first_block_costs_its_estimate(grey):
    model, (x,) = shipped(), crops(1, 56, 80, grey)
    z = block.first_latent(model, x)
    prior = local_ar.encode_intervals(model.prior, model.prior_scene(z.shape[:3], block.FIRST_LEVEL), z).bits
    pixels = local_ar.encode_intervals(model.pixel, model.pixel_scene(z, x.shape[:3], grey), x).bits
    estimate = prior + pixels
    assert abs(law(model, [x], grey, Refund.NONE).bits - estimate) <= 0.01 * estimate + 64 * 8


def test_a_chained_block_costs_minus_elbo():
    """-log2 p(z) - log2 p(x|z) + log2 q(z|x), for the very z that its bits-back took."""
    model, (first, x) = shipped(), crops(2, 64, 96)
    before = block.push_blocks(model, ans.empty(1), [first], False, Refund.WHITE)
    after = block.push_blocks(model, ans.empty(1), [first, x], False, Refund.WHITE)
    z = block.posterior_codec(model, block.posterior(model, x)).pop(ans.whiten(before, 1))[1]
    prior, pixels = parts(model, x, z, None)
    refund = posterior_bits(model, x, z)
    price = content(after) - content(before)
    assert price == pytest.approx(prior + pixels - refund, abs=2)
    assert refund > 3 * z.size
    assert prior + pixels - price > 0.9 * refund


def content(message):
    """Bits that a message holds, to a fraction."""
    return np.log2(message.heads.astype(float)).sum() + 32 * len(message.words)


def test_what_the_rounding_costs_is_what_bits_back_costs():
    """The step of the first block is chosen so that a rounded z costs what a refunded one does."""
    model, blocks = shipped(), crops(6, 64, 64)
    chained, rounded = (law(model, blocks, False, refund).bits for refund in (Refund.WHITE, Refund.NONE))
    assert chained == pytest.approx(rounded, rel=0.03)


def test_a_chain_needs_bits_to_take_back():
    """A single pixel leaves too little on the stack for the z of a big block."""
    with pytest.raises(CorruptFile):
        block.push_blocks(RANDOM["median"], ans.empty(1), [noise((1, 1, 1)), noise((1, 40, 40))], False, Refund.WHITE)


@pytest.mark.parametrize("refund", list(Refund))
def test_data_left_over_is_corrupt(refund):
    model, (x,) = RANDOM["median"], [noise((1, 4, 6))]
    message = block.push_blocks(
        model, ans.Message(np.array([1 << 33], np.uint64), np.zeros(0, np.uint32)), [x], False, refund
    )
    with pytest.raises(CorruptFile, match="left over"):
        list(block.pop_blocks(model, message, [x.shape[:3]], False, refund))


def test_too_little_data_is_corrupt():
    model, blocks = RANDOM["median"], [noise((1, 8, 9), seed=n) for n in range(2)]
    message = block.push_blocks(model, ans.empty(1), blocks, False, Refund.WHITE)
    with pytest.raises(CorruptFile):
        list(
            block.pop_blocks(
                model, ans.Message(message.heads, message.words[9:]), [x.shape[:3] for x in blocks], False, Refund.WHITE
            )
        )


def dream(model, seed=0, number=0, temperature=48, grey=False):
    z = block.rounded_latent(model, crops(1, 40, 56)[0][0].astype(np.uint8), 1, 1024)
    _, preview, features = next(iter(block.previews(model, z, 1024)))
    if grey:
        preview = np.repeat(preview[..., 1:2], 3, 3)
    drawn = dreams.dream(model, preview, features, (1, 40, 56), grey, temperature, (seed, number))
    return preview[0, :40, :56], drawn[0]


def test_dreams_are_the_same_every_time_and_differ_by_seed_and_tile():
    model = shipped("lossy")
    _, first = dream(model)
    assert (dream(model)[1] == first).all()
    assert (dream(model, seed=1)[1] != first).any()
    assert (dream(model, number=1)[1] != first).any()


def test_dreams_hold_to_the_preview_and_calm_down_when_cold():
    model, difference = shipped("lossy"), []
    for temperature in (8, 32, 64):
        preview, picture = dream(model, temperature=temperature)
        assert ((picture >= 0) & (picture < 256)).all()
        assert abs((picture - preview).mean()) < 20
        difference.append((picture - dream(model, 1, temperature=temperature)[1]).std())
    assert difference == sorted(difference)


def test_grey_dreams_are_grey():
    _, picture = dream(shipped("lossy"), grey=True)
    assert (picture == picture[..., :1]).all()
    assert picture.std() > 1


def spread_out(x, reach):
    """Sums over squares, the edge replicated, one place after another."""
    h, w, _ = x.shape
    rows, columns = (np.clip(np.arange(n)[:, None] + np.arange(-reach, reach + 1), 0, n - 1) for n in (h, w))
    return np.array([[x[rows[i]][:, columns[j]].sum((0, 1)) for j in range(w)] for i in range(h)])


@pytest.mark.parametrize("reach", [1, 2, 3])
def test_anchored_dreams_leave_what_is_wide_to_the_preview(reach):
    preview, dreamt = noise((1, 9, 12)), noise((1, 9, 12), seed=1)
    residual, area = (dreamt - preview)[0], (2 * reach + 1) ** 2
    wide = (spread_out(spread_out(residual, reach), reach) + area**2 // 2) // area**2
    expected = np.clip(preview[0] + residual - wide, 0, 255)
    assert (dreams.anchored(dreamt, preview, reach)[0] == expected).all()


def test_an_anchor_takes_off_what_is_even_and_none_takes_off_nothing():
    preview = noise((1, 20, 30)) // 2 + 40
    assert (dreams.anchored(preview + 25, preview, 2) == preview).all()
    assert (dreams.anchored(preview + 25, preview, 0) == preview + 25).all()
