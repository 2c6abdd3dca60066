"""Contrasts of a window, sixteen at a time: stretches of neighbouring values, less what they are relative to."""

from typing import Any

from vlaezip.exact.kernel_cache import kernel
from vlaezip.exact.simd import SIZE, least, load, most, store

CONTRAST_MAX = 1023
GAIN_BITS = 8  # contrast is difference * gain / 2**8
HALF_GAIN = 1 << (GAIN_BITS - 1)
BLOCK = SIZE  # contrasts that are made together; what is read and written may reach BLOCK - 1 beyond a window


@kernel()
def room(stretches: Any, channels: int) -> int:
    """Size of a line for stretch(): that of a window, and what is written beyond."""
    n = BLOCK
    for r in range(len(stretches)):
        n += stretches[r, 1] * channels
    return n


@kernel(forceinline=True)
def amplify(difference: Any, gain: Any) -> Any:
    """window.contrast of sixteen differences. Bounds: |difference| * gain < 2**30."""
    return most(least((difference * gain + HALF_GAIN) >> GAIN_BITS, CONTRAST_MAX), -CONTRAST_MAX)


@kernel(forceinline=True)
def stretch(flat: Any, channels: int, spot: int, stretches: Any, middle: Any, gain: Any, lines: Any, at: int) -> int:
    """Contrasts of a window against `middle`, into lines, from number `at` on. -> how many.

    flat int16, with BLOCK - 1 values to spare; lines int16, with room() from `at` on. middle, int32 [P, BLOCK]: what
    the first, second .. block of a stretch is relative to; after P blocks they begin again.
    """
    n = 0
    for r in range(len(stretches)):
        first, length = (spot + stretches[r, 0]) * channels, stretches[r, 1] * channels
        phase = 0
        for k in range(0, length, BLOCK):
            difference = load(flat, first + k) - load(middle, phase * BLOCK)
            store(lines, at + n + k, amplify(difference, gain))
            phase = phase + 1 if phase + 1 < len(middle) else 0
        n += length
    return n
