"""What moves the weights: one of OPTIMISERS, made of a net."""

from collections.abc import Callable
from itertools import chain
from typing import Any, Protocol

import torch
from torch import nn
from torch.optim import Adam, Adamax, Muon, Optimizer

BETAS = (0.9, 0.99)


class Optimiser(Protocol):
    """What a training loop needs of an optimiser."""

    @property
    def param_groups(self) -> list[dict[str, Any]]: ...
    def zero_grad(self) -> None: ...
    def step(self) -> Any: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Several:
    """Optimisers of parts of a net, as one."""

    def __init__(self, *parts: Optimizer) -> None:
        self.parts = parts

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return list(chain.from_iterable(part.param_groups for part in self.parts))

    def zero_grad(self) -> None:
        for part in self.parts:
            part.zero_grad()

    def step(self) -> None:
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for part, kept in zip(self.parts, state["parts"], strict=True):
            part.load_state_dict(kept)


def hidden(name: str, weight: torch.Tensor) -> bool:
    """Whether a weight is a matrix between hidden units of a local model: neither a convolution nor an output."""
    return weight.ndim == 2 and ".outs." not in name


def muon(net: nn.Module) -> Several:
    """Muon (Jordan et al. 2024) for hidden matrices, its steps as large as Adam's; Adam for all else."""
    learning = {name: p for name, p in net.named_parameters() if p.requires_grad}
    matrices = [p for name, p in learning.items() if hidden(name, p)]
    rest = [p for name, p in learning.items() if not hidden(name, p)]
    return Several(
        Muon(matrices, weight_decay=0.0, momentum=0.95, adjust_lr_fn="match_rms_adamw"), Adam(rest, betas=BETAS)
    )


OPTIMISERS: dict[str, Callable[[nn.Module], Optimiser]] = {
    "adam": lambda net: Adam(net.parameters(), betas=BETAS),
    "adamax": lambda net: Adamax(net.parameters()),
    "muon": muon,
}
