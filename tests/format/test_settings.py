"""Settings of a learner: bytes there and back, and what they mean."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlaezip.errors import CorruptFile
from vlaezip.format import settings
from vlaezip.format.settings import LARGE, LARGE_PLACES, MIN_PLACES, RATES, SETTINGS, Settings


@given(st.builds(Settings, st.integers(MIN_PLACES, 256), st.sampled_from(RATES)), st.binary(max_size=3))
def test_read_inverts_write(how, more):
    assert settings.read(settings.write(how) + more, 1) == how


@pytest.mark.parametrize(("pixels", "least"), [(LARGE - 1, MIN_PLACES), (LARGE, LARGE_PLACES)])
def test_a_few_bytes_cannot_ask_for_hours(pixels, least):
    assert settings.read(bytes([least - 1, RATES[0]]), pixels).places == least
    with pytest.raises(CorruptFile, match="is not known"):
        settings.read(bytes([least - 2, RATES[0]]), pixels)


@given(st.binary(max_size=4))
def test_what_is_read_is_known_or_refused(data):
    with suppress(CorruptFile):
        how = settings.read(data, 1)
        assert how.rate in RATES
        assert settings.write(how) == data[: SETTINGS.size]


def test_rates_fall_and_more_updates_take_longer():
    rates = [Settings(1, n).real_rate for n in RATES]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == 2 * rates[4] == 2.0**-8
    times = [Settings(n, RATES[0]).decoding_times for n in range(1, 257)]
    assert times == sorted(times, reverse=True)
