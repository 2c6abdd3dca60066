"""Effort of an encoder: how much there is, and how far it has come."""

from collections.abc import Callable

from vlaezip.format.settings import Settings

EFFORTS = 10  # 0..9
DEFAULT_EFFORT = 2  # of lossless files
PLACES = (
    (1 << 22, 256),
    (1 << 17, 128),
    (1 << 15, 64),
    (1 << 13, 32),
    (0, 16),
)  # of an update, in pictures of so many pixels at least
RATE_OF = {256: 38, 128: 40, 64: 41, 32: 43, 16: 46}  # by places of an update: the best for held-out photographs
TRIED = (range(0), *3 * [range(1)], *(range(-n, n + 1, 2) for n in (1, 2, 3, 4, 6, 8)))  # what is added to the rate
Progress = Callable[[float], None]  # hears the share that is done, from 0 to 1, which never falls


def unheard(share: float) -> None:
    """Nobody wants to know."""


def settings_tried(effort: int, pixels: int) -> tuple[Settings, ...]:
    """Settings of the learner that an effort tries on a lossless picture, the shortest file being kept.

    Effort 0 is the static model; 1 has updates of twice as many places as 2, and those from 3 on of half as many.
    """
    places = next(places for least, places in PLACES if pixels >= least)
    places = min(2 * places, 256) if effort == 1 else max(places // 2, 16) if effort >= 3 else places
    return tuple(Settings(places, RATE_OF[places] + step) for step in TRIED[effort])
