"""Settings of a learner: with these begins the data that it made (docs/format.md)."""

import struct
from typing import NamedTuple

from vlaezip.errors import CorruptFile
from vlaezip.format.container import Bytes

SETTINGS = struct.Struct("<BB")  # places, less one; rate
OCTAVES = range(8, 16)
RATES = range(4 * OCTAVES.start, 4 * OCTAVES.stop)  # numbers: n is a rate of (8 - n % 4) / 8 * 2**-(n // 4)
MIN_PLACES = 16  # of an update
LARGE, LARGE_PLACES = 1 << 18, 64  # of pictures of so many pixels: few bytes may not ask for hours
TIMES, TIMES_UPDATE = 2.4, 100  # of a static decoder at a place: time of a place, and of an update (measured)


class Settings(NamedTuple):
    """How a learner learns. places: of an update at the most, MIN_PLACES..256; rate: a number of RATES, at first."""

    places: int
    rate: int

    @property
    def real_rate(self) -> float:
        """The rate that the number stands for."""
        return (8 - self.rate % 4) / 8 * 2.0 ** -(self.rate // 4)

    @property
    def decoding_times(self) -> float:
        """About how many times as long as of a static file decoding takes: products of each place, and each update."""
        return TIMES + TIMES_UPDATE / self.places


def write(settings: Settings) -> bytes:
    """SETTINGS.size bytes. The law: read(write(s)) == s."""
    return SETTINGS.pack(settings.places - 1, settings.rate)


def read(data: Bytes, pixels: int) -> Settings:
    """Inverse of write, of what the data of a picture of so many pixels begins with. Raises CorruptFile."""
    if len(data) < SETTINGS.size:
        raise CorruptFile(f"settings of a learner need {SETTINGS.size} bytes, the data has {len(data)}")
    places, rate = SETTINGS.unpack_from(data)
    if rate not in RATES or places + 1 < (LARGE_PLACES if pixels >= LARGE else MIN_PLACES):
        raise CorruptFile(f"a learner of {places + 1} places and rate {rate} is not known")
    return Settings(places + 1, rate)
