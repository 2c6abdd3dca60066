"""The parts of a step as Triton kernels: fewer and larger than those of torch (net.Parts). plain.py is their reference.

Operands are float16, which holds integers up to 2**11, and sums float32, as net.py explains. Kernels take the records
of net.py, and by name what belongs to none.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from vlaezip.device import net as nets
from vlaezip.device.canvas import gather_kernel, write_kernel
from vlaezip.device.net import DeviceLayer, Field, Group, Lanes, Net, Rows
from vlaezip.device.symbols import mixture_kernel, pop_kernel
from vlaezip.exact.law import ACTIVATION_MAX

OPERAND = torch.float16
BLOCK = 32  # places or rows of a program
POP_WARPS = 4
DOT_ROWS, DOT_DEPTH, DOT_COLUMNS = 64, 32, 64  # of a tile of a product
PROBES = 16  # edges that a round of a search sees at once

PLAIN = tl.constexpr(nets.PLAIN)
RESIDUAL = tl.constexpr(nets.RESIDUAL)
HIGHEST = tl.constexpr(ACTIVATION_MAX)


@triton.jit
def product_kernel(
    layer, x, out, n, inputs, outputs, x_row, out_row,
    kind: tl.constexpr, rows: tl.constexpr, depth: tl.constexpr, columns: tl.constexpr,
):  # fmt: skip
    """A tile of rows x columns of a layer. Every partial sum is below 2**24, so float32 holds it."""
    r = (tl.program_id(0) * rows + tl.arange(0, rows)).to(tl.int64)
    c = tl.program_id(1) * columns + tl.arange(0, columns)
    there, wanted = (r < n)[:, None], (c < outputs)[None, :]
    total = tl.zeros([rows, columns], tl.float32)
    for first in range(0, inputs, depth):
        i = first + tl.arange(0, depth)
        left = tl.load(x + r[:, None] * x_row + i[None, :], mask=there & (i < inputs)[None, :], other=0.0)
        right = tl.load(
            layer.weight + i[:, None] * outputs + c[None, :], mask=(i < inputs)[:, None] & wanted, other=0.0
        )
        total = tl.dot(left, right, total)
    total += tl.load(layer.bias + c, mask=c < outputs, other=0.0)[None, :]
    total = tl.floor(total * tl.load(layer.scale + c, mask=c < outputs, other=1.0)[None, :])
    if kind == RESIDUAL:
        total += tl.load(x + r[:, None] * x_row + c[None, :], mask=there & wanted, other=0.0).to(tl.float32)
    if kind != PLAIN:
        total = tl.minimum(tl.maximum(total, 0.0), HIGHEST)
    tl.store(out + r[:, None] * out_row + c[None, :], total.to(out.dtype.element_ty), mask=there & wanted)


def power(size: int, least: int = 1) -> int:
    """The power of two that is at least so much."""
    return max(least, 1 << (size - 1).bit_length())


def gather_windows(net: Net, field: Field, rows: Rows, line: Tensor) -> None:
    """See net.Parts."""
    b, slots, c = field.shown.shape
    m = len(line) - 1
    gather_kernel[(triton.cdiv(m, BLOCK), b)](
        field,
        net.tables,
        line,
        rows,
        m=m,
        slots=slots,
        columns=len(field.reach) * c,
        extras=field.extra.shape[2],
        inputs_row=rows.inputs.stride(0),
        fixed=net.fixed,
        channels=c,
        room=power(c),
        block=BLOCK,
    )


def product(layer: DeviceLayer, kind: int, x: Tensor, out: Tensor) -> None:
    """See net.Parts."""
    inputs, outputs = layer.weight.shape
    columns = min(power(outputs, 16), DOT_COLUMNS)
    product_kernel[(triton.cdiv(len(x), DOT_ROWS), triton.cdiv(outputs, columns))](
        layer,
        x,
        out,
        n=len(x),
        inputs=inputs,
        outputs=outputs,
        x_row=x.stride(0),
        out_row=out.stride(0),
        kind=kind,
        rows=DOT_ROWS,
        depth=DOT_DEPTH,
        columns=columns,
    )


def mixture(net: Net, group: Group, rows: Rows) -> None:
    """See net.Parts."""
    n, k = len(rows.size), net.config.mixtures
    mixture_kernel[(triton.cdiv(n * group.channels, BLOCK),)](
        rows,
        net.tables,
        n=n,
        outputs_row=rows.outputs.stride(0),
        plane=rows.mix.stride(0),
        first=group.first,
        shift=group.shift,
        warmth=net.warmth,
        channels=group.channels,
        all_channels=net.config.channels,
        components=k,
        room=power(k),
        block=BLOCK,
    )


def pop(net: Net, group: Group, rows: Rows, line: Tensor, lanes: Lanes) -> None:
    """See net.Parts."""
    b, width = lanes.heads.shape
    pop_kernel[(b,)](
        lanes,
        net.tables,
        group.grid,
        line,
        rows,
        m=len(line) - 1,
        width=width,
        plane=rows.mix.stride(0),
        first=group.first,
        trunk_row=rows.trunk.stride(0),
        known=net.config.hidden + group.seen,
        channels=group.channels,
        all_channels=net.config.channels,
        grey=net.grey,
        components=net.config.mixtures,
        rounds=next(n for n in range(1, 32) if PROBES**n >= group.most),
        room=power(width),
        probes=PROBES,
        num_warps=POP_WARPS,
    )


def write_values(net: Net, field: Field, rows: Rows, line: Tensor) -> None:
    """See net.Parts."""
    b, slots, c = field.shown.shape
    m = len(line) - 1
    write_kernel[(triton.cdiv(m, BLOCK), b)](
        field,
        line,
        rows,
        m=m,
        slots=slots,
        left=net.config.window.left,
        right=net.config.window.right,
        channels=c,
        room=power(c),
        block=BLOCK,
    )
