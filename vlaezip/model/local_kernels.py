"""The compiled local model: one call decodes a picture, or one half of every step of its wavefront.

A step's places, from top to bottom, are divided into shares, a thread each. Rows see only themselves and rows above, so
an upper share runs ahead while a lower one still works. Symbols come off one stack, in one order: shares take turns.
"""

import os
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from vlaezip.coding.logistic import Grid, Ints, Mixture
from vlaezip.coding.mixture import mixture_kernel, output_interval_kernel
from vlaezip.coding.mixture_codec import pop_kernel
from vlaezip.coding.quantiles import Guesses, guess_kernel, quantile_kernel
from vlaezip.exact.kernel_cache import kernel
from vlaezip.exact.matmul import Packed, product
from vlaezip.exact.microkernel import PLAIN, RECTIFIED, RESIDUAL
from vlaezip.model.window import GAIN_OF, fixed_inputs, median_inputs, write_contrasts, write_padded
from vlaezip.model.window_kinds import ADAPTIVE

FIRST = np.int64(0)  # number of a layer or a group; microkernel.py says why it has a type
TURN, LEFT = 0, 8  # of the shared state: turns taken, words left (-1: the stack ran dry); a cache line apart
SPINS = 1 << 18  # reads of the shared state before a thread goes to sleep: half a millisecond
PATIENCE = 1 << 12  # reads before others may have the core: eight microseconds
FOREVER = 1 << 60


class PackedNet(NamedTuple):
    """A local model as kernels take it. groups, int64 [G, 3]: first channel, channels, channels seen before.

    first: the channel that is coded first; order [C]: all channels in the order of coding.
    """

    layers: Packed  # stem, layers, heads, outs
    depth: int
    hidden: int
    groups: NDArray[np.int64]
    order: NDArray[np.int64]
    relative: bool
    grey: bool
    warmth: int
    fixed: int  # the size number of all windows, or ADAPTIVE


class CanvasArrays(NamedTuple):
    """A canvas as kernels see it: see local_ar.Canvas and window.Reach."""

    shown: NDArray[np.int16]
    flat: NDArray[np.int16]
    order: Ints
    bounds: NDArray[np.int64]
    spot: Ints
    edge: NDArray[np.int8]
    extra: NDArray[np.int16]
    base: NDArray[np.int16]
    runs: NDArray[np.int64]
    ring: NDArray[np.int64]
    row: int
    left: int
    right: int


class Buffers(NamedTuple):
    """Buffers of one thread, for N places. Symbols of a group: M = N * channels."""

    inputs: NDArray[np.int16]  # [N, I + E]
    trunk: NDArray[np.int16]  # [N, hidden + C]: the trunk, and the contrast of earlier channels
    other: NDArray[np.int16]  # the same, scratch
    head: NDArray[np.int16]  # [N, head]
    outputs: NDArray[np.int32]  # [N, channels * 3 * K]
    mix: Mixture  # [M, K]
    guess: Guesses  # [M]: where searches begin
    centre: Ints  # [M]
    sizes: NDArray[np.int64]  # [M]
    symbols: Ints  # [M]
    base: Ints  # [N, C]
    size: NDArray[np.int64]  # [N]
    values: Ints  # [N, C]


class Cuts(NamedTuple):
    """How steps are divided. borders, int64 [steps, shares + 1]: of the shares' places; moved, bool [steps]: whether
    borders were moved before this step.
    """

    borders: NDArray[np.int64]
    moved: NDArray[np.bool_]


class Chunks(NamedTuple):
    """Places in chunks of a size: every stride-th chunk from the first on."""

    first: int
    stride: int
    size: int


class Source(NamedTuple):
    """Where symbols come from: lanes and words of a message, or, where there are targets, those: uint32 [symbols]."""

    heads: NDArray[np.uint64]
    words: NDArray[np.uint32]
    targets: NDArray[np.uint32]
    state: NDArray[np.int64]


@kernel()
def evaluate_windows(net: Any, canvas: Any, buffers: Any, start: int, end: int) -> None:
    """Evaluate the net's inputs at places start..end."""
    n = end - start
    where, base, size = canvas.order[start:end], buffers.base[:n], buffers.size[:n]
    spot, inputs, channels = canvas.spot[start:end], buffers.inputs[:n], canvas.shown.shape[1]
    if net.fixed != ADAPTIVE:
        base[:] = 0
        size[:] = net.fixed
        seen = fixed_inputs(canvas.flat, channels, spot, canvas.runs, GAIN_OF[net.fixed], inputs)
    else:
        seen = median_inputs(canvas.flat, channels, spot, canvas.runs, canvas.ring, inputs, base, size)
    for i in range(n):
        for e in range(canvas.extra.shape[1]):
            inputs[i, seen + e] = canvas.extra[where[i], e]
        for c in range(base.shape[1]):
            base[i, c] += canvas.base[where[i], c]


@kernel()
def evaluate_trunk(net: Any, canvas: Any, buffers: Any, start: int, end: int) -> None:
    """Evaluate windows and trunk of places start..end."""
    n = end - start
    evaluate_windows(net, canvas, buffers, start, end)
    trunk, other = buffers.trunk, buffers.other
    if net.depth % 2:
        trunk, other = other, trunk
    product(net.layers, FIRST, RECTIFIED, buffers.inputs, trunk, n)
    for layer in range(net.depth):
        product(net.layers, 1 + layer, RESIDUAL, trunk, other, n)
        trunk, other = other, trunk


@kernel()
def evaluate_mixtures(net: Any, buffers: Any, group: Any, n: int) -> None:
    """Evaluate the mixtures of a group, for n places whose earlier channels are known."""
    evaluate_outputs(net, buffers, group, n)
    channels = net.groups[group, 1]
    centre, sizes = buffers.centre[: n * channels], buffers.sizes[: n * channels]
    mixture_kernel(buffers.outputs, channels, centre, sizes, net.warmth, buffers.mix)


@kernel()
def evaluate_outputs(net: Any, buffers: Any, group: int, n: int) -> None:
    """What mixtures are made of: outputs for a group, and what they are relative to."""
    first, channels, seen = net.groups[group]
    product(net.layers, 1 + net.depth + group, RECTIFIED, buffers.trunk, buffers.head, n)
    product(net.layers, 1 + net.depth + len(net.groups) + group, PLAIN, buffers.head, buffers.outputs, n)
    for i in range(n):
        surprise = buffers.values[i, net.order[0]] - buffers.base[i, net.order[0]] if net.relative and seen else 0
        for c in range(channels):
            m = i * channels + c
            buffers.centre[m] = buffers.base[i, first + c] + surprise
            buffers.sizes[m] = buffers.size[i]


@kernel()
def guess_symbols(net: Any, buffers: Any, group: Any, n: int) -> None:
    """Guess where a group's symbols are, before it is this share's turn."""
    m, mix = n * net.groups[group, 1], buffers.mix
    guess_kernel(Mixture(mix.weights[:m], mix.means, mix.scales), buffers.guess)


@kernel()
def record_symbols(net: Any, buffers: Any, step: Any, group: int, n: int) -> None:
    """Turn a group's symbols into values, and show them to the groups that follow."""
    first, channels, seen = net.groups[group]
    last = first + channels
    for i in range(n):
        for c in range(channels):
            m = i * channels + c
            buffers.values[i, first + c] = buffers.symbols[m] * step[m]
        if net.grey:
            buffers.values[i, :] = buffers.values[i, first]
    known = buffers.trunk[:, net.hidden + seen :]
    write_contrasts(buffers.values[:n, first:last], buffers.base[:n, first:last], buffers.size, known)


@kernel()
def write_values(net: Any, canvas: Any, buffers: Any, start: int, end: int) -> None:
    """Write values of places start..end where windows see them."""
    n = end - start
    for i in range(n):
        for c in range(buffers.values.shape[1]):
            buffers.base[i, c] = buffers.values[i, c] - canvas.base[canvas.order[start + i], c]
    write_padded(
        canvas.shown,
        canvas.spot[start:end],
        canvas.edge[start:end],
        canvas.row,
        canvas.left,
        canvas.right,
        buffers.base[:n],
    )


@kernel()
def pop_symbols(source: Any, buffers: Any, grid: Any, before: int, first: int, n: int) -> None:
    """Pop symbols first..first + n of a vector, which has `before` symbols before it in the picture."""
    symbols = buffers.symbols[:n]
    if len(source.targets):
        targets = source.targets[before + first : before + first + n]
        quantile_kernel(buffers.mix, buffers.guess, grid, targets, symbols)
        return
    words = source.words[: source.state[LEFT]]
    source.state[LEFT] = pop_kernel(source.heads, words, first, buffers.mix, buffers.guess, grid, symbols)


def build_load_turns(typing: Any, address: Any) -> Any:
    """Read the turns taken, in step with all that other threads wrote before."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        return b.load_atomic(b.inttoptr(arguments[0], ir.IntType(64).as_pointer()), "acquire", 8)

    return types.int64(types.int64), build


def build_store_turns(typing: Any, address: Any, value: Any) -> Any:
    """The twin of load_turns: other threads that see the value see all that was written before."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        address, value = arguments
        b.store_atomic(value, b.inttoptr(address, ir.IntType(64).as_pointer()), "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), build


def build_yield_core(typing: Any) -> Any:
    """Let another thread have this core if one waits for it, where the system can be asked."""

    def build(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        if hasattr(os, "sched_yield"):
            kind = ir.FunctionType(ir.IntType(32), [])
            b.call(cgutils.get_or_insert_function(b.module, kind, "sched_yield"), [])  # type: ignore[no-untyped-call]
        return context.get_dummy_value()

    return types.void(), build


load_turns: Any = intrinsic(build_load_turns)
yield_core: Any = intrinsic(build_yield_core)
store_turns: Any = intrinsic(build_store_turns)


@kernel()
def decode_share(
    net: Any, canvas: Any, buffers: Any, grids: Any, source: Any, cuts: Any, share: int, move: int, x: Any
) -> int:
    """Decode share number `share` of every step from a move on. -> the move to go on with when others are late.

    grids: Grid of [G, M], the symbols of each group. x, int32 [B * H * W, C], is filled. A step has a move to begin,
    and one a group, in which the share takes its turn.
    """
    shares, groups = cuts.borders.shape[1] - 1, len(net.groups)
    turns = np.int64(source.state.ctypes.data) + 8 * TURN
    width = 0
    for group in range(groups):
        width += net.groups[group, 1]
    while move < len(cuts.borders) * (groups + 1):
        step, number = move // (groups + 1), move % (groups + 1)
        start, end = cuts.borders[step, share], cuts.borders[step, share + 1]
        needed = (step * groups + number - 1) * shares + share
        if number == 0:
            needed = step * groups * shares if cuts.moved[step] else 0
        spins = 0
        while load_turns(turns) < needed:
            spins += 1
            if spins == SPINS:
                return move
            if spins % PATIENCE == 0:
                yield_core()
        if source.state[LEFT] < 0:
            break
        if number == 0:
            evaluate_trunk(net, canvas, buffers, start, end)
            evaluate_mixtures(net, buffers, FIRST, end - start)
            guess_symbols(net, buffers, FIRST, end - start)
        else:
            group = number - 1
            _, channels, seen = net.groups[group]
            before = canvas.bounds[step] * width + (canvas.bounds[step + 1] - canvas.bounds[step]) * seen
            first, n = (start - canvas.bounds[step]) * channels, end - start
            grid = Grid(grids.step[group], grids.low[group], grids.count[group])
            pop_symbols(source, buffers, grid, before, first, n * channels)
            if source.state[LEFT] < 0:
                store_turns(turns, FOREVER)
                break
            if number < groups:
                store_turns(turns, needed + 1)
                record_symbols(net, buffers, grid.step, group, n)
                evaluate_mixtures(net, buffers, number, n)
                guess_symbols(net, buffers, number, n)
            else:
                record_symbols(net, buffers, grid.step, group, n)
                for i in range(n):
                    x[canvas.order[start + i]] = buffers.values[i]
                write_values(net, canvas, buffers, start, end)
                store_turns(turns, needed + 1)
        move += 1
    return FOREVER


@kernel()
def read_symbols(x: Any, where: Any, first: int, step: Any, symbols: Any) -> None:
    """the inverse of record_symbols: symbols of x's channels from the first on, at some places."""
    channels = len(symbols) // len(where)
    for i in range(len(where)):
        for c in range(channels):
            m = i * channels + c
            value = x[where[i], first + c]
            symbols[m] = value if step[m] == 1 else value // step[m]  # a division takes longer than a look


@kernel()
def copy_to(values: Any, target: Any) -> None:
    """Copy values to the beginning of a target."""
    for i in range(len(values)):
        target[i] = values[i]


@kernel()
def encode_share(
    net: Any, canvas: Any, buffers: Any, grids: Any, x: Any, step_of: Any, chunks: Any, intervals: Any
) -> None:
    """The twin of decode_share: fill the intervals of the symbols of x, of some chunks of places.

    step_of, int32 [B * H * W]: the steps of places. intervals: whose vectors are the groups of each step.
    """
    groups, k_count = len(net.groups), buffers.mix.weights.shape[1]
    start_of, freq_of = np.empty(len(buffers.symbols), np.uint32), np.empty(len(buffers.symbols), np.uint32)
    for start in range(chunks.first * chunks.size, len(canvas.order), chunks.stride * chunks.size):
        end = min(start + chunks.size, len(canvas.order))
        n = end - start
        evaluate_trunk(net, canvas, buffers, start, end)
        for group in range(groups):
            channel, channels, _ = net.groups[group]
            grid, m = Grid(grids.step[group], grids.low[group], grids.count[group]), n * channels
            read_symbols(x, canvas.order[start:end], channel, grid.step, buffers.symbols[:m])
            evaluate_outputs(net, buffers, group, n)
            output_interval_kernel(
                buffers.outputs, channels, buffers.centre[:m], buffers.sizes[:m], net.warmth, k_count, grid,
                buffers.symbols[:m], start_of[:m], freq_of[:m],
            )  # fmt: skip
            for t in range(step_of[start], step_of[end - 1] + 1):
                a, b = max(canvas.bounds[t], start), min(canvas.bounds[t + 1], end)
                where = intervals.bounds[t * groups + group] + (a - canvas.bounds[t]) * channels
                copy_to(start_of[(a - start) * channels : (b - start) * channels], intervals.starts[where:])
                copy_to(freq_of[(a - start) * channels : (b - start) * channels], intervals.freqs[where:])
            if group + 1 < groups:
                record_symbols(net, buffers, grid.step, group, n)
