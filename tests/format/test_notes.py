"""Laws of notes, and hostile bytes."""

import re
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlaezip.errors import CorruptFile
from vlaezip.format import notes
from vlaezip.format.notes import BYTES, NUMBERS, TAKEN, WHOLE, Note, checked, read, write

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
keys = st.text(st.characters(max_codepoint=255, exclude_characters="\0"), min_size=1, max_size=79).filter(
    lambda key: key not in TAKEN
)


@st.composite
def numbers(draw):
    key = draw(st.sampled_from(sorted(NUMBERS)))
    count, most = NUMBERS[key]
    one = st.integers(0, int(most)).map(float) if key in WHOLE else st.floats(0, most)
    return Note(key, tuple(draw(st.lists(one, min_size=count, max_size=count))))


@st.composite
def raws(draw):
    key = draw(st.sampled_from(sorted(BYTES)))
    size = BYTES[key]
    return Note(key, draw(st.binary(max_size=9) if size is None else st.binary(min_size=size, max_size=size)))


one_note = st.tuples(keys, texts).map(lambda two: Note(*two))
one_note |= st.tuples(keys, texts, texts, texts).map(lambda four: Note(*four)) | numbers() | raws()
sound = st.lists(one_note, min_size=1, max_size=6, unique_by=lambda note: note.key).map(
    lambda found: tuple(sorted(found, key=lambda note: note.key))
)


@given(sound)
def test_read_inverts_write(found):
    assert read(write(found)) == found


@given(sound, st.data())
def test_damage_raises_only_our_errors(found, data):
    blob = bytearray(write(found))
    for _ in range(data.draw(st.integers(1, 4))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    for spoilt in (bytes(blob), bytes(blob[: len(blob) // 2]), bytes(blob) + b"\0"):
        with suppress(CorruptFile):
            read(spoilt)


@given(st.binary(max_size=60))
def test_garbage_raises_only_our_errors(blob):
    with suppress(CorruptFile):
        read(blob)


def test_a_length_that_lies_makes_no_room():
    with pytest.raises(CorruptFile, match="cut short"):
        read(b"\2" + struct.pack("<I", 2**32 - 1))


@pytest.mark.parametrize(
    "note",
    [
        Note("", "text"),
        Note("k" * 80, "text"),
        Note("a\0b", "text"),
        Note("\u20ac", "text"),
        Note("key", "a\0b"),
        Note("key", "\ud800"),
        Note("key", "text", "en", None),
        Note("exif", "text"),
        Note("transparency", "text"),
        Note("gamma", "text"),
        Note("cICP", b"123"),
        Note("exif", b"bytes"),
        Note("gamma", (0.5, 0.5)),
        Note("gamma", ()),
        Note("gamma", (float("nan"),)),
        Note("gamma", (float("inf"),)),
        Note("dpi", (-1.0, 1.0)),
        Note("dpi", (1e8, 1.0)),
        Note("srgb", (0.5,)),
        Note("srgb", (4.0,)),
        Note("transparency", (1.0,)),
        Note("gamma", (0.5,), "en", "gamma"),
    ],
)
def test_what_none_can_be_is_refused(note):
    assert not notes.is_sound(note)
    with pytest.raises(CorruptFile, match="none can have"):
        checked([note])


def test_notes_are_sorted_distinct_and_not_too_many():
    a, b = Note("a", "x"), Note("b", "x")
    for wrong in ([b, a], [a, a]):
        with pytest.raises(CorruptFile, match="follow"):
            checked(wrong)
    with pytest.raises(CorruptFile, match="empty"):
        checked([])
    with pytest.raises(CorruptFile, match="more than"):
        checked(Note(f"{n:05}", "x") for n in range(notes.MOST + 1))


def test_the_example_of_the_format_page_is_true():
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
    (block,) = re.findall(r"```\n(00 05 00.*?)```", page, re.DOTALL)
    blob = bytes.fromhex("".join(re.findall(r"^(?:[0-9a-f]{2} ?)+", block, re.MULTILINE)))
    assert read(blob) == (Note("Title", "a house"), Note("gamma", (0.5,)))
