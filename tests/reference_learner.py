"""The learner, defined in int64: what the kernels of a learning model answer to, bit for bit (docs/format.md).

Whatever kernels keep in 32 bits is asserted to fit into them.
"""

import numpy as np
import torch
from reference import INVERSE, SIGMOID, SIZE_OF, contrast, interval, mixture, stored, windows

from vlaezip.device.window import describe
from vlaezip.exact.law import ACTIVATION_MAX, ERROR_MAX
from vlaezip.format.settings import OCTAVES, RATES
from vlaezip.model.learner import (
    BIAS_FRACTION,
    BIAS_GAIN,
    BIAS_MAX,
    FRACTION_MAX,
    GRADIENT_BITS,
    GRADIENT_MAX,
    LEADING_BITS,
    MOMENT_SHIFT,
    RATIO_BITS,
    RATIO_MAX,
    SPREAD_BITS,
    SPREAD_FLOOR,
    SPREAD_SHIFT,
    WEIGHT_MAX,
)
from vlaezip.model.learning import parts_of
from vlaezip.model.wavefront import wavefront


def fitting(values):
    """The values, which 32 bits hold."""
    assert np.abs(values).max(initial=0) < 2**31
    return values


def product(x, weight, bias=0):
    """x @ weight + bias, which 32 bits hold in any order of summation."""
    fitting(np.abs(x) @ np.abs(weight) + np.abs(bias))
    return x @ weight + bias


def halved(values, shift):
    """floor(values / 2**shift + 1/2)."""
    assert np.min(shift) >= 0
    assert np.max(shift) <= 30
    return fitting(values + ((1 << np.asarray(shift)) >> 1)) >> shift


def errors_of(outputs, centre, size, steps, symbol):
    """2**15 times the gradient of a symbol's cost by its answers [3, K]."""
    weights, means, scales = (np.array(v) for v in mixture(outputs, centre, size, 0))
    step, low, count = steps
    sigmoid, inverse = np.array(SIGMOID), np.array(INVERSE)[scales]
    far = 16 * step * symbol - 8 * step - means
    lower, upper = (np.clip((far + d) * inverse >> 16, -4096, 4095) for d in (0, 16 * step))
    one = 1 << 18
    below = np.zeros_like(weights) if symbol == low else sigmoid[lower + 4096]
    upto = np.full_like(weights, one) if symbol + 1 == low + count else sigmoid[upper + 4096]
    bent = fitting(upper * (upto * (one - upto) >> 18) - lower * (below * (one - below) >> 18))
    held = weights * (upto - below)
    mass = int(held.sum()) + 256
    exponent = max(mass.bit_length() - 15, 0)
    reciprocal = (2**27 - 1) // (mass >> exponent)
    share = fitting((held >> exponent) * reciprocal) >> 15
    slope = (one - below - upto) * 171 * (inverse * SIZE_OF[size] >> 16) >> 17
    by_scale = np.clip((fitting(weights * (bent >> 7)) >> exponent) * reciprocal >> 15, -(2**15), 2**15)
    found = [(weights - share + 4) >> 3, ((share * slope >> 25) + 1) >> 1, (by_scale * 21845 + 2**16) >> 17]
    return np.clip(np.concatenate(found), -ERROR_MAX, ERROR_MAX)


class Layer:
    """A layer that learns. affine: law.Affine, layer: layout.Layer."""

    def __init__(self, affine, layer):
        weight, bias, self.shift = stored(affine)
        outputs, inputs = weight.shape
        unit, made = (np.log2(v).round().astype(int) for v in (layer.units, layer.steps))
        room = 2**31 - 1 - BIAS_MAX
        self.limit = min(WEIGHT_MAX, room // (inputs * ACTIVATION_MAX), room // (outputs * ERROR_MAX))
        step = RATIO_BITS - self.shift[:, None] - unit + made[:, None]
        self.fraction = min(FRACTION_MAX, step.min() + OCTAVES.start - 1)
        self.step = step - self.fraction
        self.bias_step = RATIO_BITS - BIAS_FRACTION - self.shift + made
        largest = abs(weight).max(1)
        fits = [b for b in range(25) if (2 * largest * 2.0 ** (b - self.shift)).max() <= self.limit]
        self.back = max(b for b in fits if (self.fraction + self.shift - b).min() >= 1)
        self.master, self.bias_master = weight << self.fraction, bias << BIAS_FRACTION
        self.moment, self.spread = np.zeros_like(weight), np.zeros_like(weight)
        self.bias_moment, self.bias_spread = np.zeros_like(bias), np.zeros_like(bias)
        self.gradient, self.magnitude, self.bias_gradient = 0, 0, 0

    def forward(self, x):
        return product(x, halved(self.master, self.fraction).T, halved(self.bias_master, BIAS_FRACTION)) >> self.shift

    def backward(self, x, errors):
        """Add to the sums of gradients -> errors of the inputs."""
        self.gradient = self.gradient + errors.T @ x
        self.magnitude = fitting(self.magnitude + np.abs(errors.T) @ x)
        self.bias_gradient = self.bias_gradient + errors.sum(0)
        return halved(product(errors, self.weight_back()), self.back)

    def weight_back(self):
        """Weights of the way back, in units of 2**-back."""
        weight = halved(self.master, (self.fraction + self.shift - self.back)[:, None])
        return np.clip(weight, -self.limit, self.limit)

    def update(self, clock, rate):
        move = self.moved(self.gradient, self.moment, self.spread, self.step, clock, rate)
        bound = self.limit << self.fraction
        self.master = np.clip(fitting(self.master - move), -bound, bound)
        move = self.moved(
            fitting(self.bias_gradient << BIAS_GAIN), self.bias_moment, self.bias_spread, self.bias_step, clock, rate
        )
        bound = BIAS_MAX << BIAS_FRACTION
        self.bias_master = np.clip(fitting(self.bias_master - move), -bound, bound)
        self.gradient, self.magnitude, self.bias_gradient = 0, 0, 0

    def moved(self, sums, moment, spread, shift, clock, rate):
        rate = min(rate + clock.bit_length() - 1, RATES[-1])
        gradient = np.clip(sums, -GRADIENT_MAX, GRADIENT_MAX) << GRADIENT_BITS
        octave = clock.bit_length() - 1
        moment += halved(gradient - moment, min(MOMENT_SHIFT, octave))
        spread += halved(abs(gradient) - spread, min(SPREAD_SHIFT, octave))
        floored = fitting(spread + SPREAD_FLOOR)
        exponent = np.log2(floored).astype(int) - SPREAD_BITS + 1
        leading = floored >> exponent + SPREAD_BITS - LEADING_BITS
        inverse = ((8 - rate % 4) << (RATIO_BITS - 3)) // (2 * leading + 1 << SPREAD_BITS - LEADING_BITS - 1)
        return halved(fitting(np.clip(moment >> exponent, -RATIO_MAX, RATIO_MAX) * inverse), shift + rate // 4)


class Learner:
    """layers: layout.Layer of the net, of which a grey picture uses the first group's only."""

    def __init__(self, net, layers, grey=False):
        self.groups = net.config.groups[: 1 if grey else None]
        used = len(self.groups)
        stacks = {"layers": net.layers, "heads": net.heads[:used], "outs": net.outs[:used]}
        found = {layer.name.partition(".")[2]: layer for layer in layers}
        self.layers = [Layer(a, found[f"{kind}.{i}"]) for kind, stack in stacks.items() for i, a in enumerate(stack)]
        self.net, self.clock = net, 0

    def intervals(self, scene, x, places, rate):
        """(start, frequency) of every symbol of x, part by part, group by group; and learn."""
        config = self.net.config
        order, steps = wavefront(*x.shape[:3])
        bounds, learns = parts_of(steps, places)
        context = windows((x - scene.base).astype(np.int64), config.window, config.kind.fill)
        view = describe(torch.from_numpy(context).float(), config)
        inputs = np.concatenate([view.inputs.long().numpy(), scene.extra.reshape(len(context), -1)], 1)
        size, values = view.size.numpy(), x.reshape(-1, config.channels).astype(np.int64)
        base = view.base.long().numpy() + scene.base.reshape(-1, config.channels)
        result = []
        for a, b, learn in zip(bounds[:-1], bounds[1:], learns, strict=True):
            at = order[a:b]
            result += self.part(scene, inputs[at], size[at], values[at], base[at])
            if learn:
                self.clock += 1
                for layer in self.layers:
                    layer.update(self.clock, rate)
        return result

    def part(self, scene, inputs, size, values, base):
        config, depth, groups = self.net.config, len(self.net.layers), len(self.groups)
        trunk, heads, outs = self.layers[:depth], self.layers[depth:][:groups], self.layers[depth + groups :]
        weight, bias, shift = stored(self.net.stem)
        hidden = [np.clip((inputs @ weight.T + bias) >> shift, 0, ACTIVATION_MAX)]
        for layer in trunk:
            hidden.append(np.clip(hidden[-1] + layer.forward(hidden[-1]), 0, ACTIVATION_MAX))
        errors, seen, result = np.zeros_like(hidden[-1]), [], []
        for number, count in enumerate(self.groups):
            channels = config.order[len(seen) : len(seen) + count]
            known = [contrast(values[:, c] - base[:, c], size)[:, None] for c in seen]
            x = np.concatenate([hidden[-1], *known], 1)
            head = np.clip(heads[number].forward(x), 0, ACTIVATION_MAX)
            answers = outs[number].forward(head)
            first = config.order[0]
            wrong = np.zeros_like(answers)
            for place in range(len(values)):
                shifted = values[place, first] - base[place, first] if config.kind.relative and seen else 0
                for n, c in enumerate(channels):
                    outputs = answers[place].reshape(count, 3, -1)[n].tolist()
                    centre, grid = int(base[place, c] + shifted), tuple(int(v[c]) for v in scene.steps)
                    symbol = int(values[place, c]) // grid[0]
                    result.append(interval(mixture(outputs, centre, int(size[place]), 0), grid, symbol))
                    width = answers.shape[1] // count
                    wrong[place, n * width :][:width] = errors_of(outputs, centre, int(size[place]), grid, symbol)
            passed = np.clip(outs[number].backward(head, wrong), -ERROR_MAX, ERROR_MAX)
            passed = np.where((head > 0) & (head < ACTIVATION_MAX), passed, 0)
            errors = np.clip(errors + heads[number].backward(x, passed)[:, : config.hidden], -ERROR_MAX, ERROR_MAX)
            seen += channels
        for i in reversed(range(depth)):
            errors = np.where((hidden[i + 1] > 0) & (hidden[i + 1] < ACTIVATION_MAX), errors, 0)
            errors = np.clip(errors + trunk[i].backward(hidden[i], errors), -ERROR_MAX, ERROR_MAX)
        return result
