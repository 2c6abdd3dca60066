"""Integer layers, exact in any order of summation and on any device.

The law of exactness: operands of a product are integers of magnitude <= 2**11, and for every output
sum |w| * a_max + |bias| < 2**24. Then every partial sum is an integer that int32 and float32 hold.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlaezip.errors import ModelError

OPERAND_MAX = 2048
SUM_LIMIT = 1 << 24
ACTIVATION_BITS = 7  # one step of an activation is 2**-7
ACTIVATION_MAX = 2047  # after a ReLU: [0, 2047]
ERROR_MAX = 4095  # of gradients on their way back: [-4095, 4095]
STREAM_MAX = 1023  # the signed residual stream of the convolutions: [-1024, 1023]


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """y = (x @ weight + bias) >> shift, each output with a shift of its own; the bias holds the half of rounding.

    weight int16 [I, O], bias and shift int32 [O]. The inputs of a 3x3 convolution are nine neighbours, row by row.
    """

    weight: NDArray[np.int16]
    bias: NDArray[np.int32]
    shift: NDArray[np.int32]


def prove(name: str, weight: Any, bias: Any, shift: Any, largest: Any) -> None:
    """Raise ModelError unless the law holds: int64 weight [O, I], bias [O], inputs of magnitude <= largest [I]."""
    if abs(weight).max() > OPERAND_MAX or largest.max() > OPERAND_MAX:
        raise ModelError(f"{name}: an operand is larger than {OPERAND_MAX}")
    if shift.min() < 0 or shift.max() > 24:
        raise ModelError(f"{name}: shifts are {shift.min()}..{shift.max()}, outside 0..24")
    bound = int(((abs(weight) * largest).sum(1) + abs(bias)).max())
    if bound >= SUM_LIMIT:
        raise ModelError(f"{name}: sums reach {bound}, the law of exactness allows less than {SUM_LIMIT}")


def affine(name: str, weight: Any, bias: Any, shift: Any, largest: Any) -> Affine:
    """A proven layer, from stored integers: weight [O, I], bias [O], shift [O]."""
    weight, bias, shift = (np.asarray(a).astype(np.int64) for a in (weight, bias, shift))
    prove(name, weight, bias, shift, largest)
    return Affine(np.ascontiguousarray(weight.T.astype(np.int16)), bias.astype(np.int32), shift.astype(np.int32))
