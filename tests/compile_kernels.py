"""python -m tests.compile_kernels ARCHITECTURE: machine code of every kernel that a picture needs, without a GPU.

What Triton's interpreter runs, its compiler may still refuse. Launches compile instead, for a GPU that is
only said to be there.
"""

import sys

import numpy as np
from triton.backends.compiler import GPUTarget
from triton.runtime import driver

from vlaezip.coding import ans
from vlaezip.device import batch, kernels, wave
from vlaezip.device import net as nets
from vlaezip.model import weights


class Absent:
    """The driver of a GPU that is not there."""

    def get_current_target(self):
        return GPUTarget("cuda", int(sys.argv[1]), 32)

    def get_current_device(self):
        return 0

    def get_current_stream(self, device):
        return 0


class Compiled:
    """A kernel whose launches only compile it, and are told on stdout."""

    def __init__(self, kernel):
        self.kernel = kernel

    def __getitem__(self, grid):
        return lambda *records, **named: self.compile(grid, *records, **named)

    def compile(self, grid, *records, **named):
        self.kernel.warmup(*records, **named, grid=grid)
        sys.stdout.write(f"{self.kernel.fn.__name__}\n")


def main() -> None:
    driver.set_active(Absent())
    for name in dir(kernels):
        if name.endswith("_kernel"):
            setattr(kernels, name, Compiled(getattr(kernels, name)))
    wave.parts_for, nets.check = (lambda kind: kernels), (lambda parts, device: None)
    model = weights.load(weights.find("photo").path, "lossless")
    messages = [ans.Message(np.full(16, 1 << 40, np.uint64), np.zeros(9, np.uint32))]
    _, z = batch.prior_codec(model, (1, 9, 70), None).pop(messages)
    wave.pop(model.pixel, batch.pixel_scene(model, z, (1, 9, 70), False), messages)


if __name__ == "__main__":
    main()
