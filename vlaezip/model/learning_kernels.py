"""The compiled way of a learner through a picture: coded part by part, and learned from.

As in local_kernels.py, threads share the places of every part, and take turns at the stack. To learn they meet twice:
before weights move, when all errors are there, and after.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.logistic import Grid, Ints
from vlaezip.coding.mixture import output_interval_kernel
from vlaezip.coding.mixture_gradient import gradient_kernel
from vlaezip.exact.kernel_cache import kernel
from vlaezip.exact.matmul import product
from vlaezip.exact.microkernel import RECTIFIED, RESIDUAL
from vlaezip.model.learner_kernels import bring_forward, send_back_group, send_back_trunk
from vlaezip.model.local_kernels import (
    FIRST,
    FOREVER,
    LEFT,
    PATIENCE,
    SPINS,
    TURN,
    evaluate_mixtures,
    evaluate_outputs,
    evaluate_windows,
    guess_symbols,
    load_turns,
    pop_symbols,
    read_symbols,
    record_symbols,
    store_turns,
    write_values,
    yield_core,
)


class Plan(NamedTuple):
    """How a picture is gone through. Its steps are cut into parts: after some of them the net learns.

    borders, int64 [parts, shares + 1]: of the shares' places;
    learns, bool [parts]; pairs, int64 [parts, shares + 1]: where the shares' pairs begin in the update, and where the
    last ends; turns, int64 [parts]: turns taken before. units, int64 [U, 3]: layer, first and last output.
    """

    borders: NDArray[np.int64]
    learns: NDArray[np.bool_]
    pairs: NDArray[np.int64]
    turns: NDArray[np.int64]
    units: NDArray[np.int64]
    shares: NDArray[np.int64]  # [shares + 1]: borders of the units that each brings forward


class Tape(NamedTuple):
    """What is coded. If known: x, int32 [places, C], whose intervals are to be filled. If not, x is to be filled."""

    known: bool
    x: Ints
    starts: NDArray[np.uint32]
    freqs: NDArray[np.uint32]
    bounds: NDArray[np.int64]


@kernel()
def learning_trunk(net: Any, canvas: Any, buffers: Any, scratch: Any, start: int, end: int) -> None:
    """evaluate_trunk, keeping the activations of each layer."""
    n = end - start
    evaluate_windows(net, canvas, buffers, start, end)
    for layer in range(net.depth + 1):
        out = buffers.trunk if layer == net.depth else scratch.below[layer]
        if layer:
            product(net.layers, np.int64(layer), RESIDUAL, scratch.below[layer - 1], out, n)
        else:
            product(net.layers, FIRST, RECTIFIED, buffers.inputs, out, n)


@kernel()
def code_group(
    net: Any, canvas: Any, buffers: Any, grids: Any, source: Any, tape: Any, part: int, group: int, start: int, end: int
) -> None:
    """Pop a group's symbols, or find the intervals of those that are known."""
    first, channels, seen = net.groups[group]
    begin, n, m = canvas.bounds[part], end - start, (end - start) * channels
    grid = Grid(grids.step[group], grids.low[group], grids.count[group])
    if tape.known:
        if n == 0:
            return
        to = tape.bounds[part * len(net.groups) + group] + (start - begin) * channels
        read_symbols(tape.x, canvas.order[start:end], first, grid.step, buffers.symbols[:m])
        output_interval_kernel(
            buffers.outputs, channels, buffers.centre[:m], buffers.sizes[:m], net.warmth, buffers.mix.weights.shape[1],
            grid, buffers.symbols[:m], tape.starts[to : to + m], tape.freqs[to : to + m],
        )  # fmt: skip
        return
    width = 0
    for g in range(len(net.groups)):
        width += net.groups[g, 1]
    before = begin * width + (canvas.bounds[part + 1] - begin) * seen
    pop_symbols(source, buffers, grid, before, (start - begin) * channels, m)


@kernel()
def describe_group(net: Any, buffers: Any, tape: Any, group: int, n: int) -> None:
    """What a group's symbols are coded with."""
    if tape.known:
        evaluate_outputs(net, buffers, group, n)
    else:
        evaluate_mixtures(net, buffers, group, n)
        guess_symbols(net, buffers, group, n)


@kernel()
def group_errors(net: Any, buffers: Any, scratch: Any, grids: Any, group: int, n: int) -> None:
    """Errors of a group's answers."""
    channels = net.groups[group, 1]
    m = n * channels
    scratch.outs[:n] = 0
    grid = Grid(grids.step[group], grids.low[group], grids.count[group])
    gradient_kernel(
        buffers.outputs, channels, buffers.centre[:m], buffers.sizes[:m], buffers.mix.weights.shape[1], grid,
        buffers.symbols[:m], scratch.outs,
    )  # fmt: skip


@kernel()
def learn_share(
    net: Any, learner: Any, canvas: Any, buffers: Any, scratch: Any, window: Any, grids: Any, source: Any, tape: Any,
    plan: Any, share: int, rate: int, move: int,
) -> int:  # fmt: skip
    """Code share `share` of every part from a move on, and learn. -> the move to go on with when others are late.

    A part has a move to begin, one a group, and three to learn: to meet, to bring weights forward, to meet again.
    """
    shares, groups = plan.borders.shape[1] - 1, len(net.groups)
    turns = np.int64(source.state.ctypes.data) + 8 * TURN
    while move < len(plan.borders) * (groups + 4):
        part, number = move // (groups + 4), move % (groups + 4)
        start, end = plan.borders[part, share], plan.borders[part, share + 1]
        n, learns, before = end - start, plan.learns[part], plan.turns[part]
        ready = before + groups * shares  # all have coded
        needed = before + (number - 1) * shares + share
        if number == 0:
            needed = before
        elif number > groups:
            needed = learns * (ready + (share, shares, shares + share)[number - groups - 1])
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
            learning_trunk(net, canvas, buffers, scratch, start, end)
            describe_group(net, buffers, tape, 0, n)
            scratch.trunk[:n] = 0
        elif number <= groups:
            group = number - 1
            code_group(net, canvas, buffers, grids, source, tape, part, group, start, end)
            if source.state[LEFT] < 0:
                store_turns(turns, FOREVER)
                break
            record_symbols(net, buffers, grids.step[group], group, n)
            if number == groups:
                if not tape.known:
                    for i in range(n):
                        tape.x[canvas.order[start + i]] = buffers.values[i]
                write_values(net, canvas, buffers, start, end)
            store_turns(turns, needed + 1)
            group_errors(net, buffers, scratch, grids, group, n)
            send_back_group(net, learner, window, buffers, scratch, group, n, plan.pairs[part, share])
            if number < groups:
                describe_group(net, buffers, tape, number, n)
            else:
                send_back_trunk(net, learner, window, buffers, scratch, n, plan.pairs[part, share])
        elif learns and number != groups + 2:
            if number == groups + 3 and share == shares - 1:
                learner.clock[0] += 1
            store_turns(turns, needed + 1)
        elif learns:
            for u in range(plan.shares[share], plan.shares[share + 1]):
                j, first, last = plan.units[u]
                bring_forward(learner, window, scratch, j, first, last, plan.pairs[part, shares], rate)
        move += 1
    return FOREVER
