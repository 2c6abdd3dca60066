"""Integer layers in float32, exact in any order of summation and on any device (DESIGN section 3).

The law of exactness: operands of a product are integers of magnitude <= 2**11, and for every output
sum |w| * a_max + |bias| < 2**24. Then every partial sum is an integer that float32 holds.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from vlaezip.config import ACTIVATION_MAX, STREAM_MAX
from vlaezip.errors import ModelError

OPERAND_MAX = 2048
SUM_LIMIT = 1 << 24


@dataclass(frozen=True, slots=True)
class Affine:
    """y = floor((x @ weight + bias) / 2**shift), each row with a shift of its own; the bias holds the half of rounding.

    weight [I, O], bias [O], scale = 2**-shift [O]: integers and powers of two in float32.
    """

    weight: Tensor
    bias: Tensor
    scale: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """[..., I] integers -> [..., O] integers."""
        flat = torch.addmm(self.bias, x.reshape(-1, x.shape[-1]), self.weight).mul_(self.scale).floor_()
        return flat.view(*x.shape[:-1], -1)


def prove(name: str, weight: Tensor, bias: Tensor, shift: Tensor, largest: Tensor) -> None:
    """Raise ModelError unless the law holds: int64 weight [O, I], bias [O], inputs of magnitude <= largest [I]."""
    if weight.abs().max() > OPERAND_MAX or largest.max() > OPERAND_MAX:
        raise ModelError(f"{name}: an operand is larger than {OPERAND_MAX}")
    if shift.min() < 0 or shift.max() > 24:
        raise ModelError(f"{name}: shifts are {shift.min()}..{shift.max()}, outside 0..24")
    bound = int(((weight.abs() * largest).sum(1) + bias.abs()).max())
    if bound >= SUM_LIMIT:
        raise ModelError(f"{name}: sums reach {bound}, the law of exactness allows less than {SUM_LIMIT}")


def affine(name: str, weight: Tensor, bias: Tensor, shift: Tensor, largest: Tensor, device: str) -> Affine:
    """A proven layer on a device, from stored integers: weight [O, I], bias [O], shift [O]."""
    weight, bias, shift = weight.long(), bias.long(), shift.long()
    prove(name, weight, bias, shift, largest)
    scale = torch.ldexp(torch.ones(len(shift)), -shift)
    return Affine(weight.t().contiguous().float().to(device), bias.float().to(device), scale.to(device))


def rectify(x: Tensor) -> Tensor:
    """ReLU, clamped to the range that the next layer's proof takes for granted. In place."""
    return x.clamp_(0, ACTIVATION_MAX)


def stream(x: Tensor) -> Tensor:
    """Clamp of a signed residual stream. In place."""
    return x.clamp_(-STREAM_MAX - 1, STREAM_MAX)


@dataclass(frozen=True, slots=True)
class Conv3:
    """A 3x3 convolution, zeros outside, as nine Affine products: [B, H, W, C] -> [B, H, W, O].

    (Winograd and FFT convolutions, which libraries choose by themselves, would not be exact.)
    """

    taps: tuple[Tensor, ...]  # nine [C, O], row by row
    bias: Tensor
    scale: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        b, h, w, c = x.shape
        edge = x.new_zeros(b, h + 2, w + 2, c)
        edge[:, 1:-1, 1:-1] = x
        total = self.bias.repeat(b * h * w, 1)
        for i, tap in enumerate(self.taps):
            top, left = divmod(i, 3)
            total.addmm_(edge[:, top : top + h, left : left + w].reshape(-1, c), tap)
        return total.mul_(self.scale).floor_().view(b, h, w, -1)


def conv3(flat: Affine) -> Conv3:
    """From a proven Affine whose inputs are nine neighbours, row by row, of C channels."""
    return Conv3(tuple(t.contiguous() for t in flat.weight.chunk(9)), flat.bias, flat.scale)


def fold(x: Tensor, n: int) -> Tensor:
    """n x n places into channels (channel, row, column): [B, H, W, C] -> [B, H/n, W/n, C n n]. Inverse of spread."""
    b, h, w, c = x.shape
    return x.view(b, h // n, n, w // n, n, c).permute(0, 1, 3, 5, 2, 4).reshape(b, h // n, w // n, c * n * n)


def spread(x: Tensor, n: int) -> Tensor:
    """Inverse of fold: [B, H, W, C n n] -> [B, H n, W n, C]."""
    b, h, w, c = x.shape
    c //= n * n
    return x.view(b, h, w, c, n, n).permute(0, 1, 4, 2, 5, 3).reshape(b, h * n, w * n, c)
