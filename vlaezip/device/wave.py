"""The wavefront over a batch of equal pictures, each with a message of its own, on a device.

A step is a fixed sequence of parts, without a look at its results from the host: windows, net, then for each group of
channels mixtures and symbols, and the canvas. Which step it is lies on the device, so one graph replays many. The twin
of local_ar.py: the same integers, and the same words of messages.
"""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vlaezip.coding import ans
from vlaezip.coding.ans import Message
from vlaezip.coding.bits_back import Pair
from vlaezip.device import net as nets
from vlaezip.device import plain
from vlaezip.device.net import PLAIN, RECTIFIED, RESIDUAL, Field, Lanes, Net, Parts, Rows
from vlaezip.device.window import pad
from vlaezip.errors import CorruptFile
from vlaezip.exact import threads
from vlaezip.model.config import LocalConfig
from vlaezip.model.local_ar import LocalAR, Steps, segments
from vlaezip.model.wavefront import wavefront
from vlaezip.model.window import ACTIVITY_RING

UNIT = 64  # places: steps are padded to a multiple
CHUNK_ROWS = {"cpu": 1 << 12, "cuda": 1 << 18}  # of the parallel pass


class DeviceScene(NamedTuple):
    """The twin of local_ar.Scene, on a device: base int16 [B, H, W, C], extra int16 [B, H, W, E]."""

    base: Tensor
    extra: Tensor
    steps: Steps
    grey: bool = False
    warmth: int = 0


@cache
def parts_for(kind: str) -> Parts:
    """The parts of a step for a kind of device: Triton's on a GPU that has it."""
    if kind != "cuda" or find_spec("triton") is None:
        return plain
    from vlaezip.device import kernels

    return kernels


def field_of(config: LocalConfig, scene: DeviceScene, x: Tensor | None) -> Field:
    """A canvas of pictures x, int32 [B, H, W, C], or of none yet."""
    b, h, w, c = scene.base.shape
    rest = torch.zeros_like(scene.base) if x is None else (x - scene.base).to(torch.int16)
    shown = pad(rest, config.window, config.kind.fill)
    flat = torch.cat([shown.flatten(1, 2), shown.new_zeros(b, 1, c)], 1)
    row = shown.shape[2]

    def steps_to(offsets: Sequence[tuple[int, int]]) -> Tensor:
        return torch.tensor([dy * row + dx for dy, dx in offsets]).to(flat.device)

    return Field(
        shown=flat,
        extra=scene.extra.reshape(b, h * w, -1).contiguous(),
        base=scene.base.reshape(b, h * w, -1).contiguous(),
        reach=steps_to(config.window.offsets),
        ring=steps_to(ACTIVITY_RING),
        height=h,
        width=w,
        row=row,
        first=config.window.up * row + config.window.left,
    )


def seen(field: Field, config: LocalConfig, steps: Steps) -> Any:
    """The pictures of a canvas: uint8 [B, H, W, C] where that holds all symbols, else int32."""
    b, _, c = field.shown.shape
    window = config.window
    inner = field.shown[:, :-1].view(b, -1, field.row, c)[:, window.up :, window.left : window.left + field.width]
    small = steps.low.min() >= 0 and (steps.step * (steps.low + steps.count - 1)).max() < 256
    values = inner.int() + field.base.view(b, field.height, field.width, c)
    return values.to(torch.uint8 if small else torch.int32).cpu().numpy()


def steps_of(height: int, width: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Lines of all steps of a picture, and an empty one, [steps + 1, 1 + M]; and how many places each has [steps]."""
    order, bounds = wavefront(1, height, width)
    counts = np.diff(bounds)
    lines = np.full((len(counts) + 1, 1 + counts.max()), -1, np.int32)
    lines[:, 0] = np.append(counts, 0)
    step = np.repeat(np.arange(len(counts)), counts)
    lines[step, 1 + np.arange(len(order)) - bounds[step]] = order
    return lines, counts


def evaluate_trunk(parts: Parts, net: Net, field: Field, rows: Rows, line: Tensor) -> None:
    """Windows and trunk of the places of a line: the twin of local_kernels.evaluate_trunk."""
    trunk, other = (rows.other, rows.trunk) if len(net.layers) % 2 else (rows.trunk, rows.other)
    parts.gather_windows(net, field, rows, line)
    parts.product(net.stem, RECTIFIED, rows.inputs, trunk)
    for layer in net.layers:
        parts.product(layer, RESIDUAL, trunk, other)
        trunk, other = other, trunk


def evaluate_mixtures(parts: Parts, net: Net, number: int, rows: Rows) -> None:
    """The mixtures of a group whose earlier channels are known."""
    group = net.groups[number]
    parts.product(group.head, RECTIFIED, rows.trunk, rows.head)
    parts.product(group.out, PLAIN, rows.head, rows.outputs)
    parts.mixture(net, group, rows)


def step(parts: Parts, net: Net, field: Field, rows: Rows, lanes: Lanes, line: Tensor) -> None:
    """One step of the wavefront over all pictures."""
    evaluate_trunk(parts, net, field, rows, line)
    for number, group in enumerate(net.groups):
        evaluate_mixtures(parts, net, number, rows)
        parts.pop(net, group, rows, line, lanes)
    parts.write_values(net, field, rows, line)


def decode(parts: Parts, net: Net, field: Field, lanes: Lanes) -> None:
    """All steps, into the field. Words of messages are popped, or missed."""
    device = field.shown.device
    lines, counts = steps_of(field.height, field.width)
    table, b = torch.from_numpy(lines).to(device), len(field.shown)
    rows, at = nets.rows_for(net, b * int(counts.max())), torch.zeros(1, dtype=torch.int64, device=device)

    def run(m: int) -> None:
        line = table.index_select(0, at)[0, : 1 + m]
        step(parts, net, field, rows.first(b * m), lanes, line)
        at.add_(1)

    @cache
    def work(m: int) -> Callable[[], None]:
        """run(m); on a GPU as a graph, which is captured after an empty step has compiled what it needs."""
        if device.type != "cuda":
            return lambda: run(m)
        now = at.clone()
        at.fill_(len(counts))
        run(m)
        at.copy_(now)
        torch.cuda.synchronize(device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(torch.cuda.Stream(device)):  # type: ignore[no-untyped-call]
            graph.capture_begin()
            run(m)
            graph.capture_end()
        return graph.replay

    for count in counts.tolist():
        work(min(-(-max(count, 1) // UNIT) * UNIT, int(counts.max())))()


def lanes_of(messages: Sequence[Message], device: torch.device) -> Lanes:
    """Messages of equal numbers of lanes, on a device."""
    sizes = np.array([len(m.words) for m in messages])
    words = np.concatenate([*(m.words for m in messages), np.zeros(1, np.uint32)]).view(np.int32)
    heads = np.stack([m.heads for m in messages]).view(np.int64)

    def there(values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(values).to(device)

    return Lanes(there(heads), there(words), start=there(np.cumsum(sizes) - sizes), left=there(sizes.astype(np.int32)))


def pop(net: LocalAR, scene: DeviceScene, messages: Sequence[Message]) -> tuple[list[Message], Any]:
    """local_ar.pop of every message. Raises CorruptFile if any runs dry."""
    device = scene.base.device
    parts = parts_for(device.type)
    nets.check(parts, device)
    there = nets.build(net, scene.steps, scene.grey, scene.warmth, device, parts.OPERAND)
    field, lanes = field_of(net.config, scene, None), lanes_of(messages, device)
    decode(parts, there, field, lanes)
    left, heads = lanes.left.cpu().numpy(), lanes.heads.cpu().numpy().view(np.uint64)
    if (left < 0).any():
        raise CorruptFile("the data ends before the picture does")
    popped = [Message(h, m.words[:n]) for h, m, n in zip(heads, messages, left, strict=True)]
    return popped, seen(field, net.config, scene.steps)


def encode_intervals(net: LocalAR, scene: DeviceScene, x: Any) -> tuple[Any, Any, NDArray[np.int64]]:
    """local_ar.encode_intervals of every picture: starts and freqs, uint32 [B, symbols]; the vectors are the same."""
    device = scene.base.device
    parts = parts_for(device.type)
    nets.check(parts, device)
    there = nets.build(net, scene.steps, scene.grey, scene.warmth, device, parts.OPERAND)
    there_x = torch.from_numpy(x).to(device).int()
    field, (b, h, w, _) = field_of(net.config, scene, there_x), x.shape
    order, bounds = wavefront(1, h, w)
    widths = np.array([g.channels for g in there.groups])
    vectors = segments(bounds, widths)
    step_of = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    found = torch.zeros(2, b, h * w * int(widths.sum()), dtype=torch.int32, device=device)
    most = max(1, CHUNK_ROWS[device.type] // b)
    rows = nets.rows_for(there, b * min(most, h * w))
    for a in range(0, h * w, most):
        places = order[a : a + most]
        line = torch.from_numpy(np.append(len(places), places).astype(np.int32)).to(device)
        now = rows.first(b * len(places))
        evaluate_trunk(parts, there, field, now, line)
        for number, group in enumerate(there.groups):
            evaluate_mixtures(parts, there, number, now)
            values = there_x.view(b, h * w, -1)[:, line[1:].long(), group.first : group.first + group.channels]
            t = step_of[a : a + most]
            first = vectors[t * len(widths) + number] + (a + np.arange(len(places)) - bounds[t]) * group.channels
            where = torch.from_numpy(first[:, None] + np.arange(group.channels)).to(device).flatten()
            found[:, :, where] = price(there, group, now, values)
            plain.record_symbols(there, group, now, values.flatten(0, 1))
    starts, freqs = found.cpu().numpy().view(np.uint32)
    return starts, freqs, vectors


def price(net: Net, group: nets.Group, rows: Rows, values: Tensor) -> Tensor:
    """Start and frequency of values [B, M, channels]: int32 [2, B, M * channels]."""
    b, m, n = values.shape
    symbols = torch.div(values, group.grid[0], rounding_mode="floor").long()
    mix = rows.mix[:, : b * m * n].reshape(3, b, m, n, -1)
    step, low, count = group.grid[:, None, None].expand(3, b, m, n)
    ends = torch.stack([symbols, symbols + 1], 3)
    edges = plain.cumulative(net, mix, step, low, count, ends)
    start, end = edges.int().flatten(1, 2).unbind(2)
    return torch.stack([start, end - start])


def push(net: LocalAR, scene: DeviceScene, messages: Sequence[Message], x: Any) -> list[Message]:
    """The twin of pop: intervals on the device; the words, which come one after another, on the host's cores."""
    starts, freqs, vectors = encode_intervals(net, scene, x)

    found = list(messages)

    def some(first: int) -> None:
        for n in range(first, len(messages), many):
            found[n] = ans.push(messages[n], starts[n], freqs[n], vectors)

    many = max(1, min(threads.cores(), len(messages)))
    threads.together(some, many)
    return found


def codec(net: LocalAR, scene: DeviceScene) -> Pair[list[Message]]:
    """Pictures x [B, H, W, C] on a list of B messages. The law: pop(push(messages, x)) == (messages, x)."""
    return Pair(lambda messages, x: push(net, scene, messages, x), lambda messages: pop(net, scene, messages))
