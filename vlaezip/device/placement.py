"""A loaded model on a device: the nets around z go there; the local models stay on the CPU, where their kernels are."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from vlaezip.model import weights
from vlaezip.model.vlae import Vlae


def load(path: Path, which: str, device: str) -> Vlae:
    """weights.load, tested on the device too, and again when its products change. Raises ModelError."""
    if device == "cpu":
        return weights.load(path, which)
    import torch

    return placed(path, which, device, torch.get_float32_matmul_precision())


@lru_cache(maxsize=8)
def placed(path: Path, which: str, device: str, precision: str) -> Vlae:
    """load(), while the host program has set a precision of float32 products."""
    from vlaezip.device import transforms

    model = weights.load(path, which)
    moved = replace(model, nets=transforms.TorchTransforms(model.config, *model.nets.stacks, device))
    weights.check_answer(
        moved, path, which, f"device {device}, where the precision of float32 products is {precision!r},"
    )
    return moved
