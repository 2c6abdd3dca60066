"""The integer model, defined in plain Python integers and int64: what all kernels answer to, bit for bit.

From the bottom up: mixtures and intervals, rANS, layers, the transforms around z, windows, a local model. docs/twins.md
lists who has to agree with what.
"""

import numpy as np
import torch

from vlaezip.coding import tables
from vlaezip.device.window import describe
from vlaezip.exact.law import ACTIVATION_MAX, STREAM_MAX
from vlaezip.model.window import GAIN_BITS, GAIN_OF
from vlaezip.model.window_kinds import CONTRAST_MAX

TOTAL = 1 << tables.PRECISION
LOW, WORD = 1 << 31, 1 << 32


def table(name):
    """A table as Python integers."""
    return getattr(tables, name).tolist()


SIGMOID, WEIGHT, INVERSE, SIZE_OF, LOG_SIZE = map(table, ("SIGMOID", "WEIGHT", "INVERSE", "SIZE_OF", "LOG_SIZE"))


def mixture(outputs, base, size, warmth):
    """One mixture. outputs: three lists of K integers -> weights, means, scales."""
    logits, means, log_scales = outputs
    below = [max(logits) - v for v in logits]
    raw = [WEIGHT[d] if d < len(WEIGHT) else 0 for d in below]
    weights = [(w << 12) // sum(raw) for w in raw]
    weights[raw.index(max(raw))] += (1 << 12) - sum(weights)
    means = [16 * base + ((m * SIZE_OF[size]) >> 12) for m in means]
    scales = [min(max(s, -80), 112) + LOG_SIZE[size] + 64 + warmth for s in log_scales]
    return weights, [min(max(m, -(1 << 20)), 1 << 20) for m in means], [min(max(s, 0), 255) for s in scales]


def cumulative(mix, grid, k):
    """Mass below symbol k. mix: weights, means, scales of one mixture; grid: step, low, count."""
    step, low, count = grid
    if k in (low, low + count):
        return 0 if k == low else TOTAL
    total = 0
    for weight, mean, scale in zip(*mix, strict=True):
        t = ((8 * step * (2 * k - 1) - mean) * INVERSE[scale]) >> 16
        total += weight * SIGMOID[min(max(t, -4096), 4095) + 4096]
    return ((total * (TOTAL - count)) >> 30) + k - low


def interval(mix, grid, symbol):
    """(start, frequency) of a symbol."""
    start = cumulative(mix, grid, symbol)
    return start, cumulative(mix, grid, symbol + 1) - start


def find(mix, grid, target):
    """The symbol whose interval holds target."""
    first, last = grid[1], grid[1] + grid[2]
    while last - first > 1:
        middle = (first + last) // 2
        first, last = (middle, last) if cumulative(mix, grid, middle) <= target else (first, middle)
    return first


def push(heads, words, vectors):
    """rANS on lists: vectors of (start, frequency), so that they pop in their order. -> heads, words."""
    heads, words = list(heads), list(words)
    for vector in reversed(vectors):
        for i, (start, freq) in reversed(list(enumerate(vector))):
            head = heads[i % len(heads)]
            if head >= freq << 41:
                words.append(head % WORD)
                head //= WORD
            heads[i % len(heads)] = (head // freq << 22) + head % freq + start
    return heads, words


def pop(heads, words, mixes, grids):
    """One vector. -> heads, words, symbols; IndexError when the stack runs dry."""
    heads, words, symbols = list(heads), list(words), []
    for i, (mix, grid) in enumerate(zip(mixes, grids, strict=True)):
        head = heads[i % len(heads)]
        symbols.append(find(mix, grid, head % TOTAL))
        start, freq = interval(mix, grid, symbols[-1])
        head = freq * (head // TOTAL) + head % TOTAL - start
        heads[i % len(heads)] = head if head >= LOW else head * WORD + words.pop()
    return heads, words, symbols


def affine(x, weight, bias, shift):
    """floor((x @ weight.T + bias) / 2**shift) in int64. x [..., I], weight [O, I]."""
    return (np.asarray(x, np.int64) @ np.asarray(weight, np.int64).T + np.asarray(bias, np.int64)) >> np.asarray(shift)


def conv3(x, weight, bias, shift):
    """A 3x3 convolution in int64, zeros outside. x [B, H, W, C], weight [O, 9 C] by tap, then channel."""
    edge = np.pad(np.asarray(x, np.int64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    h, w = x.shape[1:3]
    taps = [edge[:, i : i + h, j : j + w] for i in range(3) for j in range(3)]
    return affine(np.concatenate(taps, 3), weight, bias, shift)


def stream(x):
    """The clamp of a residual stream."""
    return np.clip(x, -STREAM_MAX - 1, STREAM_MAX)


def fold(x, n):
    """Cells of n x n places as places: [B, H, W, C] -> [B, H / n, W / n, C n n]."""
    return torch.pixel_unshuffle(torch.from_numpy(x).permute(0, 3, 1, 2), n).permute(0, 2, 3, 1).numpy()


def spread(x, n):
    """The inverse of fold."""
    return torch.pixel_shuffle(torch.from_numpy(x).permute(0, 3, 1, 2), n).permute(0, 2, 3, 1).numpy()


class Transforms:
    """Analysis and synthesis in int64. tensors: of a set of weights called net, as its file holds them."""

    def __init__(self, config, tensors):
        self.config, self.tensors = config, tensors

    def layer(self, name, x, function=affine):
        return function(
            x, *(self.tensors[f"net/{name}.{part}"].astype(np.int64) for part in ("weight", "bias", "shift"))
        )

    def blocks(self, prefix, x):
        """Pre-activation residual blocks."""
        for i in range(self.config.blocks):
            h = np.clip(self.layer(f"{prefix}.{i}.a", np.clip(x, 0, ACTIVATION_MAX), conv3), 0, ACTIVATION_MAX)
            x = stream(x + self.layer(f"{prefix}.{i}.b", h))
        return x

    def posterior(self, x):
        """Mean and log-scale of q(z|x): [B, h, w, Z]."""
        x = x.astype(np.int64) - 128
        h = self.blocks("analysis.fine", stream(self.layer("analysis.stem", fold(x, self.config.unshuffle))))
        h = self.layer("analysis.down", fold(h, 2))
        if self.config.direct:
            h = h + self.layer("analysis.direct", fold(x, self.config.stride))
        h = self.blocks("analysis.coarse", stream(h))
        return np.split(self.layer("analysis.out", h), 2, 3)

    def preview(self, z, level=0):
        """Preview and features of z: [B, H, W, 3] and [B, H, W, F]."""
        if self.config.guided:
            one_hot = np.eye(self.config.levels, dtype=int)[level]
            z = np.concatenate([z, np.broadcast_to(one_hot, (*z.shape[:3], self.config.levels))], 3)
        deep = self.blocks("synthesis.coarse", stream(self.layer("synthesis.stem", z, conv3)))
        h = self.blocks("synthesis.fine", stream(spread(self.layer("synthesis.up", deep), 2)))
        out = spread(self.layer("synthesis.out", h), self.config.unshuffle)
        picture = out[..., :3]
        if self.config.direct:  # two paths, in 1/16 level
            picture = (picture + spread(self.layer("synthesis.direct", deep), self.config.stride) + 8) // 16
        return np.clip(picture + 128, 0, 255), stream(out[..., 3:])


def padded(x, i, j, fill):
    """What stands at (i, j) of a picture [H, W, C], also beyond its edges."""
    _, w, c = x.shape
    if i < 0:
        return np.full(c, fill, x.dtype)
    if j >= w:
        return x[i, w - 1]
    return x[i, j] if j >= 0 else padded(x, i - 1, 0, fill)


def windows(x, window, fill):
    """What each place of pictures [B, H, W, C] sees: [B * H * W, P, C]."""
    seen = [
        [padded(p, i + dy, j + dx, fill) for dy, dx in window.offsets]
        for p in x
        for i in range(x.shape[1])
        for j in range(x.shape[2])
    ]
    return np.array(seen)


def contrast(difference, size):
    """A difference as later channels see it."""
    return np.clip((difference * GAIN_OF[size] + (1 << GAIN_BITS - 1)) >> GAIN_BITS, -CONTRAST_MAX, CONTRAST_MAX)


def stored(layer):
    """(weight [O, I], bias, shift) of a law.Affine."""
    return layer.weight.T.astype(np.int64), layer.bias.astype(np.int64), layer.shift.astype(np.int64)


def intervals(net, scene, x):
    """(start, frequency) of every symbol of x under a local model: [G] lists of [B * H * W] lists, places in rows.

    One place after another, in int64, from nothing but the values before it.
    """
    config = net.config
    shown = x - scene.base
    context = windows(shown.astype(np.int64), config.window, config.kind.fill)
    view = describe(torch.from_numpy(context).float(), config)
    inputs = np.concatenate([view.inputs.long().numpy(), scene.extra.reshape(len(context), -1)], 1)
    h = np.clip(affine(inputs, *stored(net.stem)), 0, ACTIVATION_MAX)
    for layer in net.layers:
        h = np.clip(h + affine(h, *stored(layer)), 0, ACTIVATION_MAX)
    size, values = view.size.numpy(), x.reshape(-1, config.channels).astype(np.int64)
    base = view.base.long().numpy() + scene.base.reshape(-1, config.channels)
    result, seen = [], []
    for number, count in enumerate(config.groups[: 1 if scene.grey else None]):
        channels = config.order[len(seen) : len(seen) + count]
        known = [contrast(values[:, c] - base[:, c], size)[:, None] for c in seen]
        head = np.clip(affine(np.concatenate([h, *known], 1), *stored(net.heads[number])), 0, ACTIVATION_MAX)
        outputs = affine(head, *stored(net.outs[number])).reshape(len(values), count, 3, -1)
        group = []
        for place in range(len(values)):
            first = config.order[0]
            shift = values[place, first] - base[place, first] if config.kind.relative and seen else 0
            for n, c in enumerate(channels):
                centre = int(base[place, c] + shift)
                mix = mixture(outputs[place, n].tolist(), centre, int(size[place]), scene.warmth)
                grid = tuple(int(a[c]) for a in scene.steps)
                group.append(interval(mix, grid, int(values[place, c]) // grid[0]))
        result.append(group)
        seen += channels
    return result
