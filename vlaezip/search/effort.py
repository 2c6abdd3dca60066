"""Effort of an encoder: how much there is, and how far it has come."""

from collections.abc import Callable

from vlaezip.format.settings import Settings

EFFORTS = 10  # 0..9
DEFAULT_EFFORT = 2  # of lossless files
# Of a lossless file: the settings of the learner that are tried. Effort 0 is the static model.
LADDER = (
    (),
    (Settings(256, 46),),
    (Settings(128, 48),),
    (Settings(64, 50),),
    *(
        tuple(Settings(places, rate) for rate in rates)
        for places, rates in (
            (128, (46, 50)),
            (64, (48, 52)),
            (64, (46, 50, 54)),
            (64, (45, 48, 51, 54)),
            (64, (44, 47, 50, 53, 56)),
        )
    ),
    (*(Settings(64, rate) for rate in range(43, 60, 2)), *(Settings(32, rate) for rate in range(47, 60, 4))),
)
Progress = Callable[[float], None]  # hears the share that is done, from 0 to 1, which never falls


def unheard(share: float) -> None:
    """Nobody wants to know."""
