"""Layers at the very edge of the law of exactness, and inputs that drive them there."""

import numpy as np

from vlaezip.exact import law


def edge_layer(rng, inputs, outputs, copies=1):
    """A layer whose every row reaches the very edge: sum |w| * a_max + |bias| = 2**24 - 1."""
    largest = np.tile(rng.choice([1, 128, 1023, 1024, 2047, 2048], inputs), copies)
    weight = rng.integers(-2048, 2049, (outputs, inputs * copies)).astype(float)
    share = (abs(weight) * largest).sum(1, keepdims=True) / (rng.random((outputs, 1)) * (law.SUM_LIMIT - 1) + 1)
    weight = np.trunc(weight / np.maximum(share, 1)).astype(np.int64)
    slack = law.SUM_LIMIT - 1 - (abs(weight) * largest).sum(1)
    return weight, slack * rng.choice([-1, 1], outputs), rng.integers(0, 25, outputs), largest


def make(weight, bias, shift, largest):
    return law.affine("layer", *arrays(weight, bias, shift, largest))


def arrays(*values):
    return [np.asarray(v) for v in values]


def extremes(rng, weight, largest, count):
    """Inputs: some random, some that drive a row to its largest sum and smallest sum."""
    x = rng.integers(-largest, largest + 1, (count, len(largest)))
    for n in range(0, count - 1, 3):
        x[n] = largest * np.sign(weight[n % len(weight)])
        x[n + 1] = -x[n]
    return x
