"""Effort of an encoder: how much there is, and how far it has come."""

from collections.abc import Callable

from vlaezip.format.settings import Settings

EFFORTS = 10  # 0..9
DEFAULT_EFFORT = 2  # of lossless files
PLACES = (
    (1 << 18, 256),
    (1 << 17, 128),
    (1 << 15, 64),
    (1 << 13, 32),
    (0, 16),
)  # of an update, in pictures of so many pixels at least
RATE_OF = {256: 38, 128: 40, 64: 41, 32: 43, 16: 46}  # by places of an update: the best for held-out photographs
TRIED = (0, 1, 1, 1, 2, 3, 4, 5, 7, 9)  # rates, at most: by effort
SMALL, TRIED_SMALL = 1 << 14, 5  # pictures of fewer pixels take so little time that more rates are tried
Progress = Callable[[float], None]  # hears the share that is done, from 0 to 1, which never falls


def unheard(share: float) -> None:
    """Nobody wants to know."""


def settings_tried(effort: int, pixels: int) -> tuple[Settings, ...]:
    """Settings of the learner that an effort tries on a lossless picture, of which the shortest file is kept.

    Effort 0 is the static model; 1 has updates of twice as many places as 2, and those from 3 on of half as many too.
    """
    if effort == 0:
        return ()
    places = next(places for least, places in PLACES if pixels >= least)
    places = min(2 * places, 256) if effort == 1 else places
    fewer = max(places // 2, 16) if effort > 2 else places
    count = max(TRIED[effort], TRIED_SMALL if pixels < SMALL else 0)
    steps = [(-1) ** n * 2 * (n // 2) for n in range(1, count + 1)]  # 0, 2, -2, 4, -4 ...
    usual = Settings(places, RATE_OF[places])
    return tuple(dict.fromkeys([usual, *(Settings(fewer, RATE_OF[fewer] + step) for step in steps)]))
