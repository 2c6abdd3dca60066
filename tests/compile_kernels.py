"""python -m tests.compile_kernels ARCHITECTURE: machine code of every kernel that a picture needs, without a GPU.

What Triton's interpreter runs, its compiler may still refuse. Launches are recorded and compiled instead.
"""

import inspect
import sys

import numpy as np
import torch
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.compiler import compile as compile_source

from vlaezip.coding import ans
from vlaezip.device import batch, kernels, wave
from vlaezip.device import net as nets
from vlaezip.model import weights

KINDS = {torch.float16: "fp16", torch.float32: "fp32", torch.int16: "i16", torch.int32: "i32", torch.int64: "i64"}
OPTIONS = ("num_warps",)


class Recorder:
    """A kernel whose launches only compile it, each form once."""

    made: dict = {}  # noqa: RUF012

    def __init__(self, kernel, target):
        self.kernel, self.target = kernel, target

    def __getitem__(self, grid):
        return self.launch

    def launch(self, *values, **named):
        options = {name: named.pop(name) for name in OPTIONS if name in named}
        names = list(inspect.signature(self.kernel.fn).parameters)
        told = dict(zip(names, values, strict=False))
        signature = {name: kind_of(value) for name, value in told.items()} | dict.fromkeys(named, "constexpr")
        constants = {name: 1 for name, kind in signature.items() if kind == "constexpr"} | named
        even = [(i,) for i, v in enumerate(values) if isinstance(v, torch.Tensor) or (v != 1 and v % 16 == 0)]
        attributes = {place: [["tt.divisibility", 16]] for place in even}
        key = (self.kernel.fn.__name__, str(signature), str(constants))
        if key not in self.made:
            source = ASTSource(self.kernel, signature, constants, attributes)
            self.made[key] = compile_source(source, target=self.target, options=options)


def kind_of(value):
    if isinstance(value, torch.Tensor):
        return f"*{KINDS[value.dtype]}"
    return "constexpr" if value == 1 else "i32"


def main() -> None:
    target = GPUTarget("cuda", int(sys.argv[1]), 32)
    for name in dir(kernels):
        if name.endswith("_kernel"):
            setattr(kernels, name, Recorder(getattr(kernels, name), target))
    wave.parts_for, nets.check = (lambda kind: kernels), (lambda parts, device: None)
    model = weights.load(weights.find("photo").path, "lossless")
    messages = [ans.Message(np.full(16, 1 << 40, np.uint64), np.zeros(9, np.uint32))]
    _, z = batch.prior_codec(model, (1, 9, 70), None).pop(messages)
    wave.pop(model.pixel, batch.pixel_scene(model, z, (1, 9, 70), False), messages)
    for name, _, _ in Recorder.made:
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
