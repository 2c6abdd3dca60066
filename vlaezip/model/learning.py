"""Coding by a local model that learns: one learner goes through all tiles of a picture, in the order of decoding."""

import time

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding.ans import Message
from vlaezip.coding.logistic import Ints
from vlaezip.errors import CorruptFile
from vlaezip.exact import matmul, threads
from vlaezip.exact.microkernel import TILE_ROWS
from vlaezip.exact.simd import WIDTH
from vlaezip.format.settings import Settings
from vlaezip.model import learning_kernels, local_kernels
from vlaezip.model.learner import Learner
from vlaezip.model.learner_kernels import PAIRS, UNIT, Scratch, Window
from vlaezip.model.learning_kernels import Plan, Tape
from vlaezip.model.local_ar import (
    NAP_SECONDS,
    SHARE,
    TAKERS,
    Canvas,
    Intervals,
    LocalAR,
    Scene,
    buffers_for,
    grids_of,
    packed_net,
    segments,
)
from vlaezip.model.local_kernels import PackedNet, Source


def parts_of(bounds: NDArray[np.int64], places: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Cut the wavefront's steps into parts of at most so many places. -> bounds of parts, and after which to learn.

    Parts of a step are as even as can be; an update has as many parts as fit into `places`.
    """
    found, count = [0], 0
    learns: list[bool] = []
    for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        pieces = -(-(b - a) // places)
        for p in range(pieces):
            first, last = a + (b - a) * p // pieces, a + (b - a) * (p + 1) // pieces
            if count + last - first > places:
                learns[-1], count = True, 0
            found.append(last)
            learns.append(False)
            count += last - first
    learns[-1] = True
    return np.array(found, np.int64), np.array(learns)


def units_of(learner: Learner) -> NDArray[np.int64]:
    """Layers and their outputs, as they are brought forward together."""
    return np.array(
        [(j, o, min(o + UNIT, row[1])) for j, row in enumerate(learner.table.tolist()) for o in range(0, row[1], UNIT)]
    )


def plan_of(learner: Learner, bounds: NDArray[np.int64], learns: NDArray[np.bool_], shares: int, groups: int) -> Plan:
    """Divide the work of all parts among shares."""
    count = np.arange(shares + 1)
    borders = bounds[:-1, None] + np.diff(bounds)[:, None] * count // shares
    pairs = np.zeros_like(borders)
    pairs[:, 1:] = np.cumsum((np.diff(borders) + 1) // 2, axis=1)
    total = np.concatenate([[0], np.cumsum(pairs[:-1, -1])])  # before each part
    begins = np.concatenate([[True], learns[:-1]])
    pairs += (total - total[np.maximum.accumulate(np.where(begins, np.arange(len(learns)), 0))])[:, None]
    turns = np.concatenate([[0], np.cumsum(groups * shares + 2 * shares * learns)[:-1]])
    units = units_of(learner)
    work = np.append(0, np.cumsum(learner.table[units[:, 0], 2] * (units[:, 2] - units[:, 1])))
    nearest = np.abs(work[:, None] - work[-1] * count / shares).argmin(0)
    return Plan(borders, learns, pairs, turns, units, nearest)


def window_for(learner: Learner, depth: int, groups: int) -> Window:
    """Room for what an update is made of."""
    rows, columns = learner.table[:, 0], learner.table[:, 1]
    firsts = np.cumsum(rows) - rows
    firsts[depth : depth + groups] = firsts[depth + groups - 1]
    table = np.stack([firsts, np.cumsum(columns) - columns], 1) * PAIRS
    room = TILE_ROWS * PAIRS
    return Window(
        matmul.aligned_zeros((int(rows.sum()) * PAIRS + room,), np.int32),
        matmul.aligned_zeros((int(columns.sum()) * PAIRS + room,), np.int32),
        table,
    )


def scratch_for(net: LocalAR, learner: Learner, places: int) -> Scratch:
    """Buffers of one thread's way back."""
    n, line = matmul.round_up(places, TILE_ROWS), matmul.LINE // 2
    wide = matmul.round_up(int(learner.table[:, :2].max()) + WIDTH, line)
    outs, heads, trunk, masked = (matmul.aligned_zeros((n, wide), np.int16) for _ in range(4))
    return Scratch(
        below=matmul.aligned_zeros((len(net.layers), n, matmul.round_up(net.config.hidden, line)), np.int16),
        outs=outs,
        heads=heads,
        trunk=trunk,
        masked=masked,
        pairs=matmul.aligned_zeros((WIDTH, wide), np.int32),
        square=np.empty(WIDTH * WIDTH, np.int32),
        sums=matmul.aligned_zeros((wide, UNIT), np.int32),
        back=matmul.aligned_zeros((wide, 2 * matmul.round_up(UNIT // 2, WIDTH)), np.int16),
        zeros=np.zeros(UNIT, np.int32),
    )


def run(
    net: LocalAR, learner: Learner, scene: Scene, x: Ints, known: bool, source: Source, settings: Settings
) -> Intervals:
    """Go through a tile, and learn."""
    config = net.config
    canvas = Canvas(config, scene, x)
    packed: PackedNet = packed_net(net, scene)._replace(layers=learner.forward)
    bounds, learns = parts_of(canvas.bounds, settings.places)
    arrays = canvas.arrays._replace(bounds=bounds)
    widths = packed.groups[:, 1]
    count = len(canvas.order) * int(widths.sum()) if known else 0
    intervals = Intervals(np.empty(count, np.uint32), np.empty(count, np.uint32), segments(bounds, widths))
    tape = Tape(known, x.reshape(-1, config.channels), *intervals)
    window = window_for(learner, len(net.layers), len(widths))

    def work(share: int) -> None:
        move = 0
        while not team.broken:
            move = learning_kernels.learn_share(
                packed,
                learner,
                arrays,
                rows[share],
                scratch[share],
                window,
                grids,
                source,
                tape,
                plan,
                share,
                settings.rate,
                move,
            )
            if move == local_kernels.FOREVER:
                return
            time.sleep(NAP_SECONDS)

    with threads.team(max(1, min(TAKERS, threads.count(), len(canvas.order) // (len(learns) * SHARE)))) as team:
        plan = plan_of(learner, bounds, learns, team.size, len(widths))
        most = int(np.diff(plan.borders).max())
        grids = grids_of(config, scene, most)
        rows = [buffers_for(config, len(net.stem.weight), most) for _ in range(team.size)]
        scratch = [scratch_for(net, learner, most) for _ in range(team.size)]
        team.run(work)
    if source.state[local_kernels.LEFT] < 0:
        raise CorruptFile("the data ends before the picture does")
    return intervals


def encode_intervals(net: LocalAR, learner: Learner, scene: Scene, x: Ints, settings: Settings) -> Intervals:
    """The intervals of the symbols of x, in the order in which pop meets them. The learner moves on."""
    nothing = np.zeros(0, np.uint32)
    source = Source(np.zeros(0, np.uint64), nothing, nothing, np.zeros(16, np.int64))
    return run(net, learner, scene, np.ascontiguousarray(x, np.int32), True, source, settings)


def pop(net: LocalAR, learner: Learner, scene: Scene, message: Message, settings: Settings) -> tuple[Message, Ints]:
    """The inverse of pushing encode_intervals, by a learner of the same state."""
    state = np.zeros(16, np.int64)
    state[local_kernels.LEFT] = len(message.words)
    source = Source(message.heads.copy(), message.words.copy(), np.zeros(0, np.uint32), state)
    x = scene.base.astype(np.int32)
    run(net, learner, scene, x, False, source, settings)
    return Message(source.heads, message.words[: state[local_kernels.LEFT]]), x
