"""Effort of an encoder: how much there is, and how far it has come."""

from collections.abc import Callable

EFFORTS = 10  # 0..9
Progress = Callable[[float], None]  # hears the share that is done, from 0 to 1, which never falls


def unheard(share: float) -> None:
    """Nobody wants to know."""
