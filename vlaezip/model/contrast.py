"""Contrasts of a window, sixteen at a time: runs of neighbouring values, less what they are relative to."""

from typing import Any

from vlaezip.exact.kernel_cache import kernel
from vlaezip.exact.simd import WIDTH, load, maximum, minimum, store
from vlaezip.model.window_kinds import CONTRAST_MAX

GAIN_BITS = 8  # contrast is difference * gain / 2**8
HALF_GAIN = 1 << (GAIN_BITS - 1)
BLOCK = WIDTH  # contrasts that are made together; what is read and written may reach BLOCK - 1 beyond a window


@kernel()
def line_size(runs: Any, channels: int) -> int:
    """Size of a line for contrast_runs(): that of a window, and what is written beyond."""
    n = BLOCK
    for r in range(len(runs)):
        n += runs[r, 1] * channels
    return n


@kernel(forceinline=True)
def scaled_contrast(difference: Any, gain: Any) -> Any:
    """window.contrast of sixteen differences. Bounds: |difference| * gain < 2**30."""
    return maximum(minimum((difference * gain + HALF_GAIN) >> GAIN_BITS, CONTRAST_MAX), -CONTRAST_MAX)


@kernel(forceinline=True)
def contrast_runs(flat: Any, channels: int, spot: int, runs: Any, middle: Any, gain: Any, lines: Any, at: int) -> int:
    """Contrasts of a window against `middle`, into lines, from number `at` on. -> how many.

    flat int16, with BLOCK - 1 values to spare; lines int16, with line_size() from `at` on. middle, int32 [P, BLOCK]:
    what the first, second .. block of a run is relative to; after P blocks they begin again.
    """
    n = 0
    for r in range(len(runs)):
        first, length = (spot + runs[r, 0]) * channels, runs[r, 1] * channels
        phase = 0
        for k in range(0, length, BLOCK):
            difference = load(flat, first + k) - load(middle, phase * BLOCK)
            store(lines, at + n + k, scaled_contrast(difference, gain))
            phase = phase + 1 if phase + 1 < len(middle) else 0
        n += length
    return n
