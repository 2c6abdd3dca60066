"""Composition: bits-back and latent-first codecs keep the law of their parts, and cost what they should."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import random_mixture, seeds

from vlaezip.coding import ans, mixture_codec
from vlaezip.coding.bits_back import Codec, bits_back, latent_first
from vlaezip.coding.logistic import Mixture, intervals, uniform_grid
from vlaezip.errors import CorruptFile

LATENTS, VALUES = 8, 16


class Toy:
    """A discrete VLAE: z in 0..7, x in 0..15, p(z), p(x|z) and q(z|x) from a table of random mixtures each."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)

        def narrow(size):
            mix = random_mixture(rng, size, 2)
            means, scales = rng.integers(0, 16 * VALUES, mix.means.shape), rng.integers(50, 100, mix.scales.shape)
            return Mixture(mix.weights, means.astype(np.int32), scales.astype(np.int32))

        self.p_z, self.p_x, self.q_z = narrow(1), narrow(LATENTS), narrow(VALUES)

    def prior(self):
        return single(self.p_z, 0, LATENTS)

    def likelihood(self, z):
        return single(self.p_x, z, VALUES)

    def posterior(self, x):
        return single(self.q_z, x, LATENTS)

    def bits_back(self):
        return bits_back(self.prior(), self.likelihood, self.posterior)

    def latent_first(self):
        return latent_first(self.prior(), self.likelihood, lambda x: (5 * x) % LATENTS)

    def elbo_bits(self, x):
        """-ELBO of x: the mean of log2 q(z|x) - log2 p(z) - log2 p(x|z) under q."""
        q = probabilities(self.q_z, x, LATENTS)
        of_x = np.array([probabilities(self.p_x, z, VALUES)[x] for z in range(LATENTS)])
        return float((q * np.log2(q / (probabilities(self.p_z, 0, LATENTS) * of_x))).sum())


def row(mix, n):
    return Mixture(*(a[n : n + 1] for a in mix))


def probabilities(mix, n, count):
    everything = Mixture(*(np.repeat(a, count, 0) for a in row(mix, n)))
    return intervals(everything, uniform_grid(count, 1, 0, count), np.arange(count, dtype=np.int32))[1] / 2**22


def single(mix, n, count):
    """One symbol in 0..count - 1 under a row of mixtures."""
    vector = mixture_codec.codec(row(mix, n), uniform_grid(1, 1, 0, count))

    def push(message, symbol):
        return vector.push(message, np.array([symbol], np.int32))

    def pop(message):
        message, symbols = vector.pop(message)
        return message, int(symbols[0])

    return Codec(push, pop)


def some_bits(seed, words=40):
    rng = np.random.default_rng(seed)
    return ans.Message(rng.integers(1 << 31, 1 << 63, 1, np.uint64), rng.integers(0, 1 << 32, words, np.uint32))


def law(codec, message, x):
    after, found = codec.pop(codec.push(message, x))
    assert found == x
    assert after.heads.tolist() == message.heads.tolist()
    assert after.words.tolist() == message.words.tolist()


@settings(max_examples=40)
@given(seeds, st.integers(0, VALUES - 1))
def test_pop_inverts_push(seed, x):
    toy = Toy(seed)
    for codec in (toy.bits_back(), toy.latent_first()):
        law(codec, some_bits(seed), x)
    law(toy.latent_first(), ans.empty(1), x)


@settings(max_examples=20)
@given(seeds, st.lists(st.integers(0, VALUES - 1), max_size=30))
def test_a_chain_pops_in_reverse(seed, xs):
    codec, message = Toy(seed).bits_back(), some_bits(seed)
    before = ans.write(message)
    for x in xs:
        message = codec.push(message, x)
    for x in reversed(xs):
        message, found = codec.pop(message)
        assert found == x
    assert ans.write(message) == before


def content(message):
    """Bits that a message holds, to a fraction."""
    return np.log2(message.heads.astype(float)).sum() + 32 * len(message.words)


@pytest.mark.parametrize("seed", range(3))
def test_bits_back_costs_minus_elbo(seed):
    """On random bits the price is, on average over z, that of the ELBO."""
    toy, price, expected = Toy(seed), 0.0, 0.0
    for n in range(1500):
        x, message = n % VALUES, some_bits((seed, n), 3)
        price += content(toy.bits_back().push(message, x)) - content(message)
        expected += toy.elbo_bits(x) if n < VALUES else 0
    assert price / 1500 == pytest.approx(expected / VALUES, rel=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_latent_first_costs_z_and_x(seed):
    toy = Toy(seed)
    message, expected = ans.empty(1), 0.0
    for x in range(VALUES):
        z = (5 * x) % LATENTS
        expected -= np.log2(probabilities(toy.p_z, 0, LATENTS)[z] * probabilities(toy.p_x, z, VALUES)[x])
        message = toy.latent_first().push(message, x)
    assert content(message) - 31 == pytest.approx(expected, rel=1e-3)


def test_nothing_is_taken_back_from_an_empty_stack():
    wide = Mixture(*(np.full((VALUES, 1), v, np.int32) for v in (1 << 12, 64, 150)))
    toy = Toy(0)
    toy.q_z = wide
    with pytest.raises(CorruptFile):
        toy.bits_back().push(ans.empty(1), 3)
