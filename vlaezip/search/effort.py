"""Effort of an encoder: how much there is, and how far it has come."""

from collections.abc import Callable

from vlaezip.format.settings import Settings

EFFORTS = 10  # 0..9
DEFAULT_EFFORT = 2  # of lossless files
# Of a lossless file: the settings of the learner that are tried. Effort 0 is the static model.
LADDER = (
    (),
    (Settings(256, 43),),
    (Settings(128, 46),),
    (Settings(64, 49),),
    (Settings(64, 47), Settings(64, 51)),
    (Settings(64, 45), Settings(64, 49), Settings(64, 53)),
    (Settings(32, 50),),
    (Settings(32, 48), Settings(32, 52)),
    (Settings(32, 46), Settings(32, 50), Settings(32, 54)),
    (Settings(16, 48), Settings(16, 51), Settings(16, 54), Settings(32, 48), Settings(32, 52)),
)
Progress = Callable[[float], None]  # hears the share that is done, from 0 to 1, which never falls


def unheard(share: float) -> None:
    """Nobody wants to know."""
