"""A few hundred spoilt files: only our errors, soon, and without much memory. benchmarks/fuzz.py makes thousands."""

import pytest

import vlaezip
from benchmarks import fuzz
from benchmarks.lib.mutations import BLIND, SEALED, put_together, take_apart
from vlaezip.format.container import Kind

COUNT = 300
SLACK = 5  # a busy machine may be slower than the benchmark's limit


@pytest.fixture(scope="module")
def valid():
    """Valid files, each decoded once, so that all is loaded and compiled."""
    files = fuzz.files()
    for data in files:
        fuzz.decode(data)
    return files


def test_the_valid_files_are_of_every_kind(valid):
    assert {vlaezip.info(data).header.kind for data in valid} == set(Kind)


def test_a_file_taken_apart_goes_together_again(valid):
    assert [put_together(*take_apart(data)) for data in valid] == valid


def test_spoilt_files_end_in_a_picture_or_in_our_errors(valid):
    verdicts = [fuzz.judge(fuzz.case(valid, 1, i)) for i in range(COUNT)]
    assert {v.mutation for v in verdicts} >= {m.__name__ for m in BLIND + SEALED}
    assert [str(v) for v in verdicts if not v.ours] == []
    assert [str(v) for v in verdicts if v.seconds >= SLACK * fuzz.MAX_SECONDS] == []
    assert [str(v) for v in verdicts if v.rise_bytes >= fuzz.MAX_BYTES] == []
