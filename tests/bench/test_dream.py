"""Another dream of the same bytes."""

from hypothesis import given, settings
from hypothesis import strategies as st

import vlaezip
from benchmarks.dream import warmed
from tests.pictures import photo


@settings(max_examples=5)
@given(st.integers(0, 2**32 - 1), st.integers(1, 128))
def test_a_warmed_file_is_the_one_that_was_asked_for(seed, temperature):
    image, warmth = photo(32, 48), temperature / 64
    data = vlaezip.compress(image, quality=2)
    assert warmed(data, warmth, seed) == vlaezip.compress(image, quality=2, seed=seed, temperature=warmth)


def test_what_is_stored_stays_as_it_is():
    data = vlaezip.compress(photo(32, 48, "P"))
    assert warmed(data, 1.0, 3) == data
