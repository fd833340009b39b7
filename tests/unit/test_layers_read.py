from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Callable
from typing import Literal

import pytest

from manyfest.errors import InvalidArchive
from manyfest.layers.entry import Entry, EntryType
from manyfest.layers.read import Limits, read_entries, scan
from manyfest.layers.write import headers

END = bytes(1024)


class Dribble:
    """A stream that cannot seek, and gives a few bytes at a time."""

    def __init__(self, data: bytes, portion: int = 7) -> None:
        self._file = io.BytesIO(data)
        self._portion = portion

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, self._portion))


def block(
    name: bytes = b"a",
    typeflag: bytes = b"0",
    *,
    size: bytes = b"00000000000",
    mtime: bytes = b"00000000000",
    mode: bytes = b"0000644",
    linkname: bytes = b"",
    magic: bytes = b"ustar\x0000",
    tail: bytes = b"",
) -> bytes:
    fields = struct.pack(
        "100s8s8s8s12s12s8sc100s8s80s167s",
        name, mode, b"0000000", b"0000000", size, mtime, b" " * 8, typeflag, linkname, magic,
        b"", tail,
    )  # fmt: skip
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def extension(typeflag: bytes, body: bytes) -> bytes:
    padding = bytes(-len(body) % 512)
    return block(b"x", typeflag, size=b"%011o" % len(body)) + body + padding


def record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = next(n for n in range(5000) if n == len(rest) + len(str(n)))
    return str(length).encode() + rest


def pax(**records: bytes) -> bytes:
    return extension(b"x", b"".join(record(k.encode(), v) for k, v in records.items()))


def entries(tar: bytes) -> list[Entry]:
    return [entry for entry, _ in read_entries(io.BytesIO(tar))]


def only(tar: bytes) -> Entry:
    (entry,) = entries(tar + END)
    return entry


def refusal(tar: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(InvalidArchive) as caught:
        list(read_entries(io.BytesIO(tar), where="layer", limits=limits or Limits()))
    return str(caught.value)


def test_contents_are_read_from_a_stream_that_cannot_seek() -> None:
    tar = headers(Entry(name="a", size=3)) + b"abc".ljust(512, b"\0")
    tar += headers(Entry(name="b", size=600)) + (b"x" * 600).ljust(1024, b"\0")
    read = {
        entry.name: b"".join(iter(lambda content=content: content.read(100), b""))  # type: ignore[misc]
        for entry, content in read_entries(Dribble(tar + END))
    }
    assert read == {"a": b"abc", "b": b"x" * 600}


def test_content_that_is_not_read_is_skipped() -> None:
    tar = headers(Entry(name="a", size=700)) + bytes(1024) + headers(Entry(name="b"))
    assert [entry.name for entry, _ in read_entries(Dribble(tar + END))] == ["a", "b"]


def test_content_cannot_be_read_after_the_archive_moved_on() -> None:
    tar = headers(Entry(name="a", size=3)) + bytes(512) + headers(Entry(name="b")) + END
    reader = read_entries(io.BytesIO(tar))
    _, first = next(reader)
    next(reader)
    with pytest.raises(ValueError, match="read past"):
        first.read(1)


def test_scan_gives_the_offset_of_each_content() -> None:
    tar = headers(Entry(name="a", size=700)) + bytes(1024)
    tar += headers(Entry(name="b" * 200, size=3)) + b"abc".ljust(512, b"\0") + END
    found = {entry.name: offset for entry, offset in scan(io.BytesIO(tar))}
    assert found == {"a": 512, "b" * 200: 512 + 1024 + 3 * 512}
    assert tar[found["b" * 200] :][:3] == b"abc"


def test_scan_refuses_a_file_that_is_there_twice() -> None:
    tar = headers(Entry(name="index.json")) * 2 + END
    with pytest.raises(InvalidArchive, match=r"^x\.tar: holds 'index.json' twice$"):
        list(scan(io.BytesIO(tar), where="x.tar"))


@pytest.mark.parametrize("make", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_what_python_writes_is_read(make: Literal[1, 2]) -> None:
    info = tarfile.TarInfo("d/" * 120 + "größe")
    info.type, info.linkname, info.mtime = tarfile.SYMTYPE, "../" * 50 + "ü", 17
    entry = only(info.tobuf(make))
    assert (entry.name, entry.linkname) == ("d/" * 120 + "größe", "../" * 50 + "ü")
    assert (entry.type, entry.mtime) == (EntryType.SYMLINK, 17)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        (b"./a/b", "a/b"),
        (b"/a//b/", "a/b"),
        (b"./", "."),
        (b"a/./b", "a/b"),
        (b"a..b", "a..b"),
        (b"\xff", "\udcff"),
    ],
)
def test_names_are_cleaned(raw: bytes, clean: str) -> None:
    assert only(block(raw, b"5")).name == clean


def test_the_target_of_a_hard_link_is_cleaned_and_that_of_a_symbolic_link_is_kept() -> None:
    assert only(block(b"a", b"1", linkname=b"./x//y")).linkname == "x/y"
    assert only(block(b"a", b"2", linkname=b"./x//../y")).linkname == "./x//../y"


def test_a_name_may_be_parted_into_prefix_and_name() -> None:
    assert only(block(b"file", tail=b"some/prefix")).name == "some/prefix/file"


def test_before_posix_a_slash_made_a_directory() -> None:
    old = block(b"etc/", b"\0", magic=b"")
    assert (only(old).name, only(old).type) == ("etc", EntryType.DIR)


def test_numbers_in_base_256_are_read() -> None:
    year_2554 = b"\x80" + (18446744073).to_bytes(11, "big")
    assert only(block(mtime=year_2554)).mtime == 18446744073
    assert only(block(mtime=b"\xff" * 11 + b"\xfe")).mtime == -2


@pytest.mark.parametrize(
    ("text", "time"),
    [
        (b"12", (12, 0)),
        (b"12.5", (12, 500_000_000)),
        (b"-1.25", (-2, 750_000_000)),
        (b"1.0000000019", (1, 1)),
    ],
)
def test_times_with_fractions_are_read(text: bytes, time: tuple[int, int]) -> None:
    entry = only(pax(mtime=text) + block())
    assert (entry.mtime, entry.nanoseconds) == time


def test_an_empty_record_leaves_the_header_as_it_is() -> None:
    assert only(pax(path=b"") + block(b"a")).name == "a"


def test_the_commit_that_git_archive_writes_is_passed_over() -> None:
    assert only(extension(b"g", record(b"comment", b"0123abc")) + block()).name == "a"


def test_a_layer_may_hold_a_name_twice() -> None:
    assert [entry.mode for entry in entries(block(mode=b"600") + block(mode=b"644") + END)] == [
        0o600,
        0o644,
    ]


def test_zeros_may_follow_the_end_and_are_read() -> None:
    stream = io.BytesIO(block() + bytes(10240))
    list(read_entries(stream))
    assert stream.read() == b""


@pytest.mark.parametrize(
    ("tar", "fault"),
    [
        (b"", "byte 0: is truncated: 512 of 512 bytes are missing at its end"),
        (block(), "byte 512: is truncated: 512 of 512 bytes are missing at its end"),
        (block() + bytes(512), "byte 1024: is truncated"),
        (block()[:100], "byte 0: is truncated: 412 of 512 bytes"),
        (block(size=b"00000001000") + b"abc", "byte 512: is truncated: 509 of 512 bytes"),
        (pax(path=b"b")[:700], "byte 512: is truncated: 324 of 512 bytes"),
        (pax(path=b"b") + END, "belongs to no entry"),
        (block() + bytes(512) + block() + END, "single block of zeros"),
        (block() + END + block(), "has data after its end"),
        (b"{" * 512, "byte 0: a header's checksum"),
        (block()[:-1] + b"!", "checksum is wrong"),
        (block(size=b"0000000000+"), "size is not a number"),
        (block(size=b"0000_000001"), "size is not a number"),
        (block(size=b"00000000009"), "size is not a number"),
        (block(size=b"\xff" * 12), "size is out of range: -1"),
        (block(size=b"\x80" + b"\xff" * 11), "size is out of range"),
        (block(magic=b"ustar\0  "), "format that readers understand differently"),
        (block(magic=b"ustar  \0", tail=b"1"), "readers understand differently"),
        (block(tail=bytes(163) + b"tar\0"), "readers understand differently"),
        (block(b""), "has no name"),
        (block(b"../a"), "'../a' climbs out"),
        (block(b"a/..", b"5"), "'a/..' climbs out"),
        (block(b"a", b"1", linkname=b"../b"), "'../b' climbs out"),
        (block(b"a/", b"0"), "'a/' with a directory's name"),
        (block(b".", b"2", linkname=b"/"), "a symlink in place of the root directory"),
        (block(b"a", b"2"), "link with a wrong target: ''"),
        (block(b"a", b"S"), "has a sparse file"),
        (block(b"a", b"7"), "unknown type b'7'"),
        (block(b"a", b"5", size=b"1"), "a dir with 1 bytes of content"),
        (block(b"a", b"1", size=b"1", linkname=b"b"), "a hardlink with 1 bytes of content"),
        (pax(path=b"a\0b") + block(), "holds a NUL"),
        (pax(path=b"a" * 4097) + block(), "a name of 4097 bytes"),
        (pax(linkpath=b"a" * 4097) + block(typeflag=b"2"), "wrong target"),
        (pax(size=b"1") + block(), "two sizes, 0 and 1"),
        (pax(size=b"0") + block(size=b"1000"), "two sizes, 512 and 0"),
        (pax(size=b"-1") + block(), "size is not a number"),
        (pax(size=b"9" * 19) + block(), "size is not a number"),
        (pax(uid=b"0x1") + block(), "uid is not a number"),
        (pax(mtime=b"1e9") + block(), "time is not a number"),
        (pax(hdrcharset=b"KOI8-R") + block(), "encoding b'KOI8-R', not UTF-8"),
        (extension(b"x", record(b"path", b"a") * 2) + block(), "two records b'path'"),
        (extension(b"x", record(b"GNU.sparse.major", b"1")) + block(), "has a sparse file"),
        (extension(b"x", b"9 path=a\n" + bytes(1)) + block(), "PAX record at 9 has a wrong length"),
        (extension(b"x", b"8 path=a\n") + block(), "PAX record at 0 has a wrong length"),
        (extension(b"x", b"99 path=a\n") + block(), "wrong length"),
        (extension(b"x", b"99999999999999999999 a=b\n") + block(), "wrong length"),
        (extension(b"x", b"7 abcd\n") + block(), "has no key"),
        (extension(b"x", b"6 =bc\n") + block(), "has no key"),
        (pax(path=b"a") + pax(path=b"b") + block(), "two extended headers of one kind"),
        (pax(path=b"a") + extension(b"L", b"b\0") + block(), "both PAX and GNU"),
        (extension(b"L", b"a\0") + extension(b"L", b"b\0") + block(), "two extended headers"),
        (extension(b"g", record(b"path", b"a")) + block(), "global PAX record b'path'"),
        (extension(b"g", record(b"SCHILY.xattr.a", b"")) + block(), "global PAX record"),
    ],
)
def test_what_is_damaged_or_ambiguous_is_refused(tar: bytes, fault: str) -> None:
    message = refusal(tar)
    assert message.startswith("layer, byte ")
    assert fault in message


@pytest.mark.parametrize("read", [read_entries, scan])
def test_a_file_cut_off_in_its_content_is_truncated(read: Callable[[io.BytesIO], object]) -> None:
    tar = headers(Entry(name="a", size=5000)) + bytes(1024)
    with pytest.raises(InvalidArchive, match="is truncated"):
        list(read(io.BytesIO(tar)))  # type: ignore[call-overload]


def test_the_number_of_entries_is_bounded() -> None:
    assert "layer, byte 1024: has over 2 entries" in refusal(block() * 3 + END, Limits(entries=2))


def test_the_size_of_an_extended_header_is_bounded_before_it_is_read() -> None:
    tar = block(b"x", b"x", size=b"77777777777")
    assert "layer, byte 0: has an extended header of 8589934591 bytes" in refusal(tar)
