"""Laws of the container, and hostile bytes."""

import re
import zlib
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.lib.mutations import put_together, take_apart
from vlaezip.errors import CorruptFile, FileError, UnsupportedVersion
from vlaezip.format import container
from vlaezip.format.container import (
    ALPHA_MODES,
    ARCHIVE_TILE,
    ARCHIVED_MODES,
    BANDS,
    CRC,
    LAST,
    LEARNED,
    MAX_ARCHIVED,
    MAX_COUNT,
    MAX_HEADER,
    MAX_PIXELS,
    MAX_SIDE,
    MODELLED_MODES,
    MODES,
    VERSION,
    VERSION_2,
    VERSION_3,
    VERSIONS,
    ChunkType,
    Container,
    Header,
    Kind,
    Metadata,
    info,
    read,
    read_header,
    read_varint,
    skim,
    write,
    write_header,
    write_varint,
)  # fmt: skip
from vlaezip.format.notes import Note

bytes_ = st.binary(max_size=300)
sizes = st.tuples(st.integers(1, MAX_SIDE), st.integers(1, MAX_SIDE)).map(
    lambda s: (s[0], min(s[1], MAX_PIXELS // s[0]))
)


small_sizes = st.tuples(st.integers(1, MAX_ARCHIVED), st.integers(1, MAX_ARCHIVED)).map(
    lambda s: (s[0], min(s[1], MAX_ARCHIVED // s[0]))
)
model_ids = st.binary(min_size=4, max_size=4)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\\\0\n"), min_size=1).filter(
    lambda name: name not in (".", "..")
)


@st.composite
def archive_headers(draw, most=MAX_COUNT):
    width, height = draw(small_sizes)
    count = draw(st.integers(1, min(most, MAX_PIXELS // (width * height))))
    mode, model = draw(st.sampled_from(ARCHIVED_MODES)), draw(model_ids)
    return Header(Kind.ARCHIVE, mode, width, height, model, ARCHIVE_TILE, count=count)


@st.composite
def headers(draw):
    kind = draw(st.sampled_from(Kind))
    if kind == Kind.STORED:
        return Header(kind, draw(st.sampled_from(MODES)), *draw(sizes))
    if kind == Kind.ARCHIVE:
        return draw(archive_headers())
    tile, lanes = 1 << draw(st.integers(6, 13)), 1 << draw(st.integers(0, 12))
    modelled = (kind, draw(st.sampled_from(MODELLED_MODES)), *draw(sizes), draw(model_ids))
    byte, seed = st.integers(0, 255), st.integers(0, 2**32 - 1)
    lossy = (draw(byte), draw(byte), draw(seed)) if kind == Kind.LOSSY else ()
    return Header(*modelled, tile, lanes, *lossy)


@st.composite
def containers(draw):
    header = draw(headers())
    if header.kind == Kind.ARCHIVE:
        return draw(archives())
    alpha = draw(bytes_) if header.kind != Kind.STORED and header.mode in ALPHA_MODES else None
    tuning = draw(st.none() | bytes_) if header.kind == Kind.LOSSLESS else None
    plain = (draw(st.none() | bytes_) for _ in range(3))
    return Container(header, draw(bytes_), alpha, *plain, tuning, notes=draw(st.none() | st.just(NOTES)))


NOTES = (Note("Title", "a house"), Note("gamma", (0.5,)))


@st.composite
def archives(draw):
    header = draw(archive_headers() | archive_headers(5))
    told = None
    if header.count <= 5:
        told = draw(st.none() | st.lists(names, min_size=header.count, max_size=header.count, unique=True).map(tuple))
    return Container(header, draw(bytes_), names=told)


HEADER = Header(Kind.STORED, "RGB", 3, 2)
LOSSLESS = Header(Kind.LOSSLESS, "RGB", 3, 2, b"abcd", 64)
ARCHIVE = Header(Kind.ARCHIVE, "1", 28, 28, b"abcd", ARCHIVE_TILE, count=3)
EXAMPLE = Container(HEADER, b"data", icc=b"colours", xmp=b"<xmp/>")


@given(containers())
def test_read_inverts_write(c):
    assert read(write(c)) == c


@given(headers(), st.binary(max_size=9))
def test_read_header_inverts_write_header(header, rest):
    blob = write_header(header)
    assert read_header(blob + rest) == (header, len(blob))
    assert len(blob) <= MAX_HEADER


@given(st.integers(0, 2**35 - 1), st.binary(max_size=3))
def test_read_varint_inverts_write_varint(value, rest):
    blob = write_varint(value)
    assert read_varint(blob + rest, 0, "number") == (value, len(blob))


def test_header_of_a_small_picture_has_at_most_16_bytes():
    assert len(write_header(Header(Kind.LOSSY, "RGB", 100, 100, b"abcd", 1024, 4096, 5, 64, 0))) <= 16
    assert len(write_header(Header(Kind.LOSSLESS, "RGBA", 2000, 2000, b"abcd", 1024))) <= 16


@given(st.binary(max_size=64))
def test_garbage_raises_only_our_errors(blob):
    for data in (blob, b"VLZ\x01" + blob):
        with suppress(FileError):
            read(data)
        with suppress(FileError):
            read_header(data)


@given(containers(), st.data())
def test_a_changed_byte_is_found_out(c, data):
    blob = bytearray(write(c))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FileError):
        read(bytes(blob))


@given(containers(), st.data())
def test_a_shorter_or_longer_file_is_found_out(c, data):
    blob = write(c)
    with pytest.raises(FileError):
        read(blob[: data.draw(st.integers(0, len(blob) - 1))])
    with pytest.raises(CorruptFile, match="follow the last chunk"):
        read(blob + b"\0")


@given(containers())
def test_info_sees_every_byte_but_the_frame(c):
    blob = write(c)
    told = info(blob)
    assert told.header == c.header
    assert told.total == len(blob)
    assert told.sizes["DATA"] == len(c.data)
    frames = sum(1 + len(write_varint(size)) + CRC.size for size in told.sizes.values())
    assert sum(told.sizes.values()) + frames + len(write_header(c.header)) == len(blob)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": 4},
        {"count": 2},
        {"mode": "CMYK"},
        {"mode": "P"},
        {"width": 0},
        {"height": MAX_SIDE + 1},
        {"width": 10_001, "height": 10_000},
        {"model": b"abc"},
        {"tile": 100},
        {"tile": 32},
        {"lanes": 8192},
        {"quality": 256},
        {"temperature": -1},
        {"seed": 2**32},
        {"kind": Kind.LOSSLESS},
        {"kind": Kind.STORED},
        {"kind": Kind.ARCHIVE},
    ],
)
def test_an_invalid_header_cannot_exist(fields):
    good = {
        "kind": Kind.LOSSY, "mode": "RGB", "width": 8, "height": 8, "model": b"abcd", "tile": 64, "lanes": 1,
        "quality": 3, "temperature": 64, "seed": 7,
    }  # fmt: skip
    Header(**good)
    with pytest.raises(CorruptFile):
        Header(**good | fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"mode": "LA"},
        {"mode": "P"},
        {"count": 0},
        {"count": MAX_COUNT + 1, "width": 1, "height": 1},
        {"count": MAX_PIXELS // 28**2 + 1},
        {"count": 1, "width": MAX_ARCHIVED, "height": 2},
        {"tile": 128},
        {"lanes": 2},
        {"seed": 1},
        {"model": b""},
    ],
)
def test_an_invalid_header_of_an_archive_cannot_exist(fields):
    good = {name: getattr(ARCHIVE, name) for name in Header.__slots__}
    assert Header(**good) == ARCHIVE
    with pytest.raises(CorruptFile):
        Header(**good | fields)


@pytest.mark.parametrize("bad", ["", ".", "..", "a/b", "/", "\\b", "b\0", "\ud800", "b", "c\nd"])
def test_names_that_are_not_safe_or_not_distinct_are_refused(bad):
    names = ("a", "b", bad)
    with pytest.raises(CorruptFile, match="named"):
        Container(ARCHIVE, b"", names=names)
    head = write_header(ARCHIVE)
    packed = zlib.compress("\n".join(names).encode(errors="surrogatepass"))
    with pytest.raises(CorruptFile):
        read(head + chunk(ChunkType.DATA, b"", head) + chunk(ChunkType.NAMES | LAST, packed, head))


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c", "d"), ()])
def test_a_picture_has_one_name(names):
    with pytest.raises(CorruptFile, match="names"):
        Container(ARCHIVE, b"", names=names)


def test_names_belong_to_archives_and_metadata_to_pictures():
    with pytest.raises(CorruptFile, match="STORED picture comes with names"):
        Container(HEADER, b"", names=("a",))
    for field in ("icc", "exif", "xmp", "alpha", "tuning"):
        with pytest.raises(CorruptFile, match="comes with"):
            Container(ARCHIVE, b"", **{field: b""})
    with pytest.raises(CorruptFile, match="comes with"):
        Container(ARCHIVE, b"", notes=NOTES)


def test_bits_per_pixel_are_those_of_all_pictures():
    blob = write(Container(ARCHIVE, bytes(100), names=("a", "b", "c")))
    assert info(blob).bits_per_pixel == 8 * len(blob) / (3 * 28 * 28)
    assert info(write(EXAMPLE)).bits_per_pixel == 8 * len(write(EXAMPLE)) / 6


def test_alpha_belongs_to_modes_with_alpha():
    with pytest.raises(CorruptFile, match="with alpha"):
        Container(HEADER, b"", alpha=b"\xff")
    with pytest.raises(CorruptFile, match="without alpha"):
        Container(Header(Kind.LOSSLESS, "RGBA", 1, 1, b"abcd", 64), b"")


def test_tunings_belong_to_lossless_pictures():
    with pytest.raises(CorruptFile, match="STORED picture comes with a tuning"):
        Container(HEADER, b"", tuning=b"")
    with pytest.raises(CorruptFile, match="LOSSY picture comes with a tuning"):
        Container(Header(Kind.LOSSY, "RGB", 1, 1, b"abcd", 64), b"", tuning=b"")


def test_another_version_is_named():
    blob = bytearray(write(EXAMPLE))
    blob[3] = VERSIONS[-1] + 1
    with pytest.raises(UnsupportedVersion, match=f"version {blob[3]}, this reader knows 1 to 3"):
        read(bytes(blob))


def test_a_file_has_the_lowest_version_that_knows_all_in_it():
    learned = Container(LOSSLESS, bytes([0] * CRC.size + [LEARNED]), notes=NOTES)
    for version, file in ((VERSION, EXAMPLE), (VERSION_2, replace(EXAMPLE, notes=NOTES)), (VERSION_3, learned)):
        assert write(file)[3] == version
        for other in {*VERSIONS} - {version}:
            blob = write_header(file.header, other) + write(file)[len(write_header(file.header)) :]
            with pytest.raises(CorruptFile, match=f"version {other}, what it holds is of version {version}"):
                read(resealed(blob))
    assert write(Container(HEADER, BANDS + b"..."))[3] == VERSION_2


def resealed(blob):
    """The same file with checksums that are right."""
    head, parts = take_apart(blob)
    return put_together(head, parts)


@given(containers(), st.integers(0, 400))
def test_skimming_tells_header_and_metadata(c, end):
    blob = write(c)
    assert skim(BytesIO(blob)) == (c.header, c.metadata)
    head = write_header(c.header)
    for spoilt in (blob[: len(head) + end], head + blob[len(head) :][end:] + bytes(9)):
        assert skim(BytesIO(spoilt))[0] == c.header


def test_skimming_reads_no_samples():
    class Guarded(BytesIO):
        def read(self, size=-1):
            assert self.tell() < 100 or self.tell() > 10_000
            return super().read(size)

    assert skim(Guarded(write(Container(HEADER, bytes(10_000), xmp=b"<x/>"))))[1].xmp == b"<x/>"


def test_a_length_that_lies_makes_no_room_while_skimming():
    head = write_header(HEADER)
    blob = head + chunk(ChunkType.DATA, b"", head) + bytes([ChunkType.ICC | LAST]) + write_varint(2**35 - 1) + b"icc"
    assert skim(BytesIO(blob)) == (HEADER, Metadata())


def test_a_varint_has_one_spelling():
    for blob, message in ((b"\x81\x00", "fewer"), (b"\x80" * 6, "longer"), (b"\x80", "left")):
        with pytest.raises(CorruptFile, match=message):
            read_varint(blob, 0, "width")


def chunk(tag, payload, head):
    start = bytes([tag]) + write_varint(len(payload))
    return start + payload + CRC.pack(zlib.crc32(payload, zlib.crc32(start, zlib.crc32(head))))


@pytest.mark.parametrize(
    "tags", [[2 | LAST], [1, 1 | LAST], [1, 4, 3 | LAST], [1, 7 | LAST], [1, 9 | LAST], [1], [0, 1 | LAST], []]
)
def test_chunks_out_of_order_are_refused(tags):
    head = write_header(HEADER)
    with pytest.raises(CorruptFile):
        read(head + b"".join(chunk(tag, zlib.compress(b""), head) for tag in tags))


def test_metadata_that_inflates_without_end_is_refused():
    head = write_header(HEADER)
    deflate = zlib.compressobj(9)
    million = bytes(2**20)
    bomb = b"".join(deflate.compress(million) for _ in range(17)) + deflate.flush()
    with pytest.raises(CorruptFile, match="more than"):
        read(head + chunk(ChunkType.DATA, b"", head) + chunk(ChunkType.ICC | LAST, bomb, head))


@pytest.mark.parametrize("packed", [b"", b"nonsense", zlib.compress(b"icc")[:-1], zlib.compress(b"icc") + b"x"])
def test_metadata_is_one_whole_stream(packed):
    head = write_header(HEADER)
    with pytest.raises(CorruptFile):
        read(head + chunk(ChunkType.DATA, b"", head) + chunk(ChunkType.ICC | LAST, packed, head))


def test_too_much_metadata_is_not_written(monkeypatch):
    monkeypatch.setattr(container, "MAX_METADATA", 6)
    with pytest.raises(FileError, match="7 bytes"):
        write(EXAMPLE)


def test_the_examples_of_the_format_page_are_true():
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
    blocks = re.findall(r"```\n(56 4c.*?)```", page, re.DOTALL)
    whole, lossy = (bytes.fromhex("".join(re.findall(r"^(?:[0-9a-f]{2} ?)+", b, re.MULTILINE))) for b in blocks)
    example = Container(HEADER, b"DATA", xmp=b"<x/>")
    assert read(whole) == example
    header = Header(Kind.LOSSY, "RGB", 768, 512, bytes.fromhex("c0ffee11"), 1024, 8, 2, 48, 7)
    assert read_header(lossy) == (header, len(lossy))
