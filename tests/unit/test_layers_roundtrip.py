from __future__ import annotations

import contextlib
import io
import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st

from manyfest.errors import InvalidArchive
from manyfest.layers.entry import Entry, EntryType
from manyfest.layers.read import read_entries, scan
from manyfest.layers.write import TarWriter

PART = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=120
).filter(lambda part: part not in {".", ".."})
BYTES_PART = st.binary(min_size=1, max_size=8).map(
    lambda raw: raw.translate(None, b"/\0.").decode("utf-8", "surrogateescape") or "x"
)
NAME = st.lists(PART | BYTES_PART, min_size=1, max_size=4).map("/".join)
TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=40)
ID = st.integers(0, 2**32 - 2)
XATTRS = st.dictionaries(
    st.text(st.characters(blacklist_characters="=\0", blacklist_categories=["Cs"]), min_size=1),
    st.binary(max_size=600),
    max_size=2,
)


@st.composite
def entry_and_content(draw: st.DrawFn) -> tuple[Entry, bytes]:
    type_ = draw(st.sampled_from(EntryType))
    content = draw(st.binary(max_size=1500)) if type_ is EntryType.FILE else b""
    linkname = ""
    if type_ in {EntryType.SYMLINK, EntryType.HARDLINK}:
        linkname = draw(NAME)
    device = type_ in {EntryType.CHAR, EntryType.BLOCK}
    entry = Entry(
        name=draw(NAME),
        type=type_,
        mode=draw(st.integers(0, 0o7777)),
        uid=draw(ID),
        gid=draw(ID),
        size=len(content),
        mtime=draw(st.integers(-(2**40), 2**40)),
        nanoseconds=draw(st.just(0) | st.integers(0, 999_999_999)),
        linkname=linkname,
        uname=draw(TEXT),
        gname=draw(TEXT),
        xattrs=draw(XATTRS),
        devmajor=draw(st.integers(0, 4095)) if device else 0,
        devminor=draw(st.integers(0, 2**20)) if device else 0,
    )
    return entry, content


ITEMS = st.lists(entry_and_content(), max_size=4, unique_by=lambda item: item[0].name)


def archive_of(items: list[tuple[Entry, bytes]]) -> bytes:
    sink = io.BytesIO()
    writer = TarWriter(sink)
    for entry, content in items:
        writer.add(entry, content)
    writer.close()
    return sink.getvalue()


@settings(deadline=None)
@given(ITEMS)
def test_what_is_written_is_read_back(items: list[tuple[Entry, bytes]]) -> None:
    tar = archive_of(items)
    read = [(entry, content.read(2000)) for entry, content in read_entries(io.BytesIO(tar))]
    assert read == items
    scanned = [(entry, tar[at : at + entry.size]) for entry, at in scan(io.BytesIO(tar))]
    assert scanned == items


@settings(deadline=None)
@given(ITEMS)
def test_python_reads_the_same(items: list[tuple[Entry, bytes]]) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive_of(items))) as archive:
        members = archive.getmembers()
    expected = [
        (e.name, e.mode, e.uid, e.gid, e.size, e.linkname, e.uname, e.gname) for e, _ in items
    ]
    assert [
        (m.name, m.mode, m.uid, m.gid, m.size, m.linkname, m.uname, m.gname) for m in members
    ] == expected


@settings(deadline=None)
@given(st.binary(max_size=4096))
def test_any_bytes_are_an_archive_or_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidArchive):
        list(read_entries(io.BytesIO(data)))


@settings(deadline=None)
@given(ITEMS, st.data())
def test_a_damaged_archive_is_read_or_refused(
    items: list[tuple[Entry, bytes]], data: st.DataObject
) -> None:
    tar = bytearray(archive_of(items))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(tar) - 1))
        tar[at] = data.draw(st.integers(0, 255))
        start = at // 512 * 512
        block = tar[start : start + 512]
        block[148:156] = b" " * 8
        # With its sum made right again the damage gets past the checksum, to the fields.
        tar[start + 148 : start + 156] = b"%06o\0 " % sum(block)
    with contextlib.suppress(InvalidArchive):
        for _, content in read_entries(io.BytesIO(bytes(tar))):
            content.read(100)


@settings(deadline=None)
@given(ITEMS, st.data())
def test_a_shortened_archive_is_truncated(
    items: list[tuple[Entry, bytes]], data: st.DataObject
) -> None:
    tar = archive_of(items)
    cut = tar[: data.draw(st.integers(0, len(tar) - 1))]
    try:
        list(read_entries(io.BytesIO(cut)))
    except InvalidArchive as error:
        assert "is truncated" in str(error)  # noqa: PT017  the other outcome is the failure
    else:
        raise AssertionError("a cut archive was read as whole")
