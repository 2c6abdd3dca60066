"""How far long work has come: a function of the share that is done, from 0 to 1, which never falls."""

from collections.abc import Callable

Progress = Callable[[float], None]


def unheard(share: float) -> None:
    """Nobody wants to know."""
