"""Tunings written, as encoders did before 0.8: for files that nobody wrote."""

import numpy as np
from numpy.typing import NDArray

from vlaezip.coding import ans, mixture_codec
from vlaezip.coding.logistic import intervals
from vlaezip.coding.tables import PRECISION
from vlaezip.model import tuned
from vlaezip.model.layout import Layer
from vlaezip.model.tuned import Tuning


def write(tuning: Tuning, layers: list[Layer]) -> bytes:
    """The payload of TUNING. tuned.read() gives the tuning back, less what changes nothing."""
    heads, symbols, spreads = [tuning.rank], [], []
    for layer in layers:
        for kind, _ in tuned.shapes(layer, tuning.rank):
            part = tuning.changes.get((layer.name, kind))
            if part is None or not part.values.any():
                heads.append(0)
                continue
            spread = best_spread(part.values)
            heads.append(spread | part.exponent << 4)
            symbols.append(part.values.reshape(-1))
            spreads.append(spread)
    message = ans.empty(1)
    for values, spread in zip(reversed(symbols), reversed(spreads), strict=True):
        message = mixture_codec.codec(*tuned.prior(len(values), spread)).push(message, values.astype(np.int32))
    return bytes(heads) + ans.write(message)


def best_spread(values: NDArray[np.int64]) -> int:
    """The spread under which these changes cost least."""
    return min(range(1, len(tuned.SPREADS)), key=lambda spread: cost_bits(values, spread))


def cost_bits(values: NDArray[np.int64], spread: int) -> float:
    """What changes cost under a spread."""
    freqs = intervals(*tuned.prior(values.size, spread), values.reshape(-1).astype(np.int32))[1]
    return float(-np.log2(freqs / (1 << PRECISION)).sum())
