"""A local model on a device: its proven layers, its tables, and the rows that a step works on.

A product has operands of at most 2**11, which float16 and TF32 hold as well as float32 does: 11 bits of mantissa. All
of its sums stay below 2**24 (law.prove), so float32 sums are integers in any order. Tensor cores align the terms of a
sum to the largest, and keep 24 bits at the least: as all terms are below 2**24, no bit is lost there either. A device
has to show that, though, before it is used: check().

Triton takes records as they are, but for fields called `values` or `type`: its own tuples have these.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from vlaezip.coding import tables
from vlaezip.device.transforms import linear
from vlaezip.errors import ModelError
from vlaezip.exact.law import ACTIVATION_MAX, OPERAND_MAX, SUM_LIMIT, Affine
from vlaezip.model.config import LocalConfig
from vlaezip.model.local_ar import LocalAR, Steps, groups
from vlaezip.model.window import GAIN_OF, SIZE_OF_ACTIVITY

LINE = 16  # rows of operands have a multiple of so many
PLAIN, RECTIFIED, RESIDUAL = range(3)  # what becomes of the sums, see Parts.product


class DeviceLayer(NamedTuple):
    """law.Affine: weight [I, O] operands; bias and scale float32 [O]."""

    weight: Tensor
    bias: Tensor
    scale: Tensor


class Group(NamedTuple):
    """Channels first .. first + channels, coded together when `seen` of them are known.

    grid, int32 [3, channels]: step, low and count of their symbols; most: the largest count. shift: the channel whose
    surprise moves the means, or -1.
    """

    first: int
    channels: int
    seen: int
    head: DeviceLayer
    out: DeviceLayer
    grid: Tensor
    most: int
    shift: int


class Tables(NamedTuple):
    """Those of tables.py and window.py on a device, int32."""

    sigmoid: Tensor
    weight: Tensor
    inverse: Tensor
    size_of: Tensor
    log_size: Tensor
    gain_of: Tensor
    size_of_activity: Tensor


class Net(NamedTuple):
    """fixed: the size number of all windows, or ADAPTIVE."""

    config: LocalConfig
    stem: DeviceLayer
    layers: tuple[DeviceLayer, ...]
    groups: tuple[Group, ...]
    tables: Tables
    fixed: int
    grey: bool
    warmth: int


class Field(NamedTuple):
    """B pictures of one size, being looked at or drawn.

    shown, int16 [B, S, C]: padded pictures in rows of `row` places, of which `first` is that of the first pixel, and
    at last a place that nobody looks at. extra and base, int16 [B, H * W, E] and [B, H * W, C]: what is known before
    the first symbol. reach, int64 [P]: from a place of the canvas to those of its window; ring [6]: to the nearest.
    """

    shown: Tensor
    extra: Tensor
    base: Tensor
    reach: Tensor
    ring: Tensor
    height: int
    width: int
    row: int
    first: int


class Rows(NamedTuple):
    """What a step works on: B * M rows, picture by picture. Operands are of the layers' type, the others int32."""

    inputs: Tensor  # [N, I + E]
    trunk: Tensor  # [N, hidden + C]: the trunk, and the contrast of earlier channels
    other: Tensor  # the same, scratch
    head: Tensor  # [N, head]
    outputs: Tensor  # [N, channels * 3 * K]
    mix: Tensor  # [3, N * channels, K]: weights, means, inverse scales
    base: Tensor  # [N, C]
    size: Tensor  # [N]
    coded: Tensor  # [N, C]: values of the channels that are known

    def first(self, n: int) -> "Rows":
        """The first n rows."""
        channels = self.mix.shape[1] // len(self.size)
        return Rows(*(a[:, : n * channels] if a is self.mix else a[:n] for a in self))


class Lanes(NamedTuple):
    """B messages: heads int64 [B, L]; words int32, one message after another, each from start [B]; left, int32 [B]:
    words of each that are left, below zero where a stack ran dry."""

    heads: Tensor
    words: Tensor
    start: Tensor
    left: Tensor


Product = Callable[[DeviceLayer, int, Tensor, Tensor], None]


class Parts(Protocol):
    """The parts of a step, in torch (plain.py) or Triton (kernels.py).

    line, int32 [1 + M]: how many places the step has, and which: i * W + j, -1 beyond.
    """

    OPERAND: torch.dtype

    def gather_windows(self, net: Net, field: Field, rows: Rows, line: Tensor) -> None:
        """Fill inputs, base and size: the twin of window.Reach.describe."""

    def product(self, layer: DeviceLayer, kind: int, x: Tensor, out: Tensor) -> None:
        """floor((x @ weight + bias) * scale); clamped for RECTIFIED, added to x and clamped for RESIDUAL."""

    def mixture(self, net: Net, group: Group, rows: Rows) -> None:
        """Read the outputs: the twin of mixture.mixture_kernel."""

    def pop(self, net: Net, group: Group, rows: Rows, line: Tensor, lanes: Lanes) -> None:
        """Symbols off every message, into rows.coded, and what later groups see of them.

        The twin of local_kernels.pop_symbols and local_kernels.record_symbols.
        """

    def write_values(self, net: Net, field: Field, rows: Rows, line: Tensor) -> None:
        """Put values where windows see them: local_kernels.write_values."""


def build(net: LocalAR, steps: Steps, grey: bool, warmth: int, device: torch.device, operand: torch.dtype) -> Net:
    """Of a local model, for the symbols and the warmth of a scene."""
    config = net.config

    def layer(affine: Affine) -> DeviceLayer:
        flat = linear(affine, str(device))
        return DeviceLayer(flat.weight.to(operand), flat.bias, flat.scale)

    def group(number: int, channels: tuple[int, ...], seen: tuple[int, ...]) -> Group:
        grid = torch.from_numpy(np.stack([a[list(channels)] for a in steps]).astype(np.int32)).to(device)
        shift = config.order[0] if config.kind.relative and seen else -1
        head, out = layer(net.heads[number]), layer(net.outs[number])
        return Group(channels[0], len(channels), len(seen), head, out, grid, int(grid[2].max()), shift)

    def small(values: Any) -> Tensor:
        return torch.from_numpy(np.array(values, np.int32)).to(device)

    return Net(
        config=config,
        stem=layer(net.stem),
        layers=tuple(map(layer, net.layers)),
        groups=tuple(group(*g) for g in groups(config, grey)),
        tables=Tables(
            sigmoid=small(tables.SIGMOID),
            weight=small(tables.WEIGHT),
            inverse=small(tables.INVERSE),
            size_of=small(tables.SIZE_OF),
            log_size=small(tables.LOG_SIZE),
            gain_of=small(GAIN_OF),
            size_of_activity=small(SIZE_OF_ACTIVITY),
        ),
        fixed=config.kind.size,
        grey=grey,
        warmth=warmth,
    )


def rows_for(net: Net, n: int) -> Rows:
    """Rows for n places, all zero."""
    config, device, operand = net.config, net.stem.weight.device, net.stem.weight.dtype
    most = max(group.channels for group in net.groups)

    def operands(columns: int) -> Tensor:
        return torch.zeros(n, -(-columns // LINE) * LINE, dtype=operand, device=device)

    def integers(*shape: int) -> Tensor:
        return torch.zeros(shape, dtype=torch.int32, device=device)

    wide = config.hidden + config.channels
    return Rows(
        inputs=operands(len(net.stem.weight)),
        trunk=operands(wide),
        other=operands(wide),
        head=operands(config.head),
        outputs=integers(n, most * 3 * config.mixtures),
        mix=integers(3, n * most, config.mixtures),
        base=integers(n, config.channels),
        size=integers(n),
        coded=integers(n, config.channels),
    )


def check(parts: Parts, device: torch.device) -> None:
    """Raise ModelError unless products are exact on a device, as the host program has set it up now."""
    check_under(parts.product, parts.OPERAND, device, torch.get_float32_matmul_precision())


@lru_cache
def check_under(product: Product, operand: torch.dtype, device: torch.device, precision: str) -> None:
    """check(), with the largest operands and sums that the law allows, of one sign and of both."""
    rng, inputs, outputs, n = np.random.default_rng(0), 160, 48, 256
    x = rng.integers(0, ACTIVATION_MAX + 1, (n, inputs))
    x[: n // 2] = ACTIVATION_MAX
    x[:, :4] = ACTIVATION_MAX
    most = SUM_LIMIT // ACTIVATION_MAX - 1  # of the sum of magnitudes in a column
    weight = rng.integers(-1, 2, (inputs, outputs)) * rng.integers(0, most // inputs, (inputs, outputs))
    weight[:, 0] = most // inputs
    weight[:, 1:5] = 0
    weight[-3:, 1:5] = np.array([[OPERAND_MAX, -OPERAND_MAX], [OPERAND_MAX, OPERAND_MAX - 1], [-1, 1]]).repeat(2, 1)
    weight[:, 5] = 0  # almost 2**24 at once, and then the last bits
    weight[:4, 5], weight[-8:, 5] = ACTIVATION_MAX, 1
    bias = rng.integers(-(1 << 11), 1 << 11, outputs)
    bias[5] = 0
    layer = DeviceLayer(
        torch.from_numpy(weight).to(device, operand),
        torch.from_numpy(bias).to(device, torch.float32),
        torch.ones(outputs, device=device),
    )
    found = torch.zeros(n, outputs, dtype=torch.int32, device=device)
    product(layer, PLAIN, torch.from_numpy(x).to(device, operand), found)
    if not (found.cpu().numpy() == x @ weight + bias).all():
        raise ModelError(
            f"device {device} does not compute exactly; the precision of float32 products is {precision!r}"
        )
