"""Where the files of an archive lie, and archives in which that is not clear."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from manyfest.errors import InvalidArchive, ManyfestError, NotFound
from manyfest.stores.archives.tar_files import TarFiles
from tests.tars import Form, Member, header, link, other, tar

Scan = Callable[[bytes], TarFiles]
SYMLINK = tarfile.SYMTYPE
END = bytes(1024)


@pytest.fixture
def scan(tmp_path: Path) -> Iterator[Scan]:
    """Looks at an archive on disk."""
    path = tmp_path / "a.tar"
    with ExitStack() as opened:

        def scanned(raw: bytes) -> TarFiles:
            path.write_bytes(raw)
            return TarFiles.scanned(opened.enter_context(path.open("rb")), "a.tar")

        yield scanned


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_files_are_found_and_read(scan: Scan, form: Form) -> None:
    files = scan(tar(("a", b"one"), ("b/c", b"two"), ("empty", b""), form=form))
    assert files.stretches == {"a": (512, 3), "b/c": (1536, 3), "empty": (2560, 0)}
    assert [files.small(name) for name in ("a", "b/c", "empty")] == [b"one", b"two", b""]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_whole(scan: Scan, form: Form) -> None:
    name = "/".join(["folder"] * 60)
    assert scan(tar((name, b"one"), form=form)).small(name) == b"one"


@pytest.mark.parametrize("written", ["b/c", "./b/c", "/b/c", "b//./c"])
def test_a_name_is_found_however_it_is_written(scan: Scan, written: str) -> None:
    assert scan(tar((written, b"one"))).small("b/c") == b"one"


def test_a_missing_file_is_named(scan: Scan) -> None:
    files = scan(tar(("a", b"one")))
    assert files.stretch("b") is None
    with pytest.raises(NotFound, match=r"^a\.tar: b is missing$"):
        files.open("b")


def test_a_file_is_read_in_any_portions_and_from_anywhere(scan: Scan) -> None:
    files = scan(tar(("a", b"0123456789"), ("b", b"next")))
    reader, beside = files.open("a"), files.open("a")
    assert (reader.read(3), beside.read(2), reader.read(3), reader.left) == (
        b"012", b"01", b"345", 4
    )  # fmt: skip
    reader.skip(2)
    assert (reader.read(100), reader.read(100)) == (b"89", b"")
    beside.skip(100)
    assert beside.read(100) == b""


def test_a_small_file_is_read_whole_or_not_at_all(scan: Scan, tmp_path: Path) -> None:
    files = scan(tar(("a", b"0123456789")))
    os.truncate(tmp_path / "a.tar", 515)
    with pytest.raises(InvalidArchive, match=r"^a\.tar: a is truncated: 7 of 10 bytes"):
        files.small("a")


def test_a_file_that_should_be_small_is_not_read_if_it_is_not(scan: Scan) -> None:
    files = scan(tar(("a", bytes(4 * 1024 * 1024)), ("b", bytes(4 * 1024 * 1024 + 1))))
    assert len(files.small("a")) == 4194304
    with pytest.raises(InvalidArchive, match="b is 4194305 bytes, more than the 4194304 allowed"):
        files.small("b")


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ([("d/a", b"found"), link("b", "d/a")], "b"),
        ([("d/a", b"found"), link("b", "/d/a")], "b"),
        ([("d/a", b"found"), link("b", "d/a"), link("c", "b")], "c"),
        ([link("b", "a", symbolic=True), ("a", b"found")], "b"),
        ([link("d/b", "../e/a", symbolic=True), ("e/a", b"found")], "d/b"),
        ([link("d/e/b", "../../a", symbolic=True), ("a", b"found")], "d/e/b"),
        ([link("d/b", "./a", symbolic=True), ("d/a", b"found")], "d/b"),
        (
            [link("b", "c", symbolic=True), link("c", "d", symbolic=True), ("d", b"found")],
            "b",
        ),
        ([("a", b"found"), link("b", "a", symbolic=True), link("c", "a")], "c"),
        (
            [("0", b"found"), *(link(f"{n + 1}", f"{n}", symbolic=True) for n in range(8))],
            "8",
        ),
    ],
)
def test_a_link_is_the_file_it_leads_to(scan: Scan, members: list[Member], name: str) -> None:
    assert scan(tar(*members)).small(name) == b"found"


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "/a", "../a", "../../../etc/passwd", "none", "d", "d/..", "d/../a", "b", ".",
     "./../d/a"],
)  # fmt: skip
def test_a_symbolic_link_that_leads_to_no_file_is_refused(scan: Scan, target: str) -> None:
    members: list[Member] = [
        ("a", b"one"),
        ("d/a", b"two"),
        link("b", target, symbolic=True),
    ]
    with pytest.raises(InvalidArchive, match=r"^a\.tar: b is a link to '.*', which is no file"):
        scan(tar(*members)).open("b")


def test_links_in_a_circle_lead_nowhere(scan: Scan) -> None:
    members = [
        link("a", "b", symbolic=True),
        link("b", "c", symbolic=True),
        link("c", "a", symbolic=True),
    ]
    files = scan(tar(*members))
    for name in "abc":
        with pytest.raises(InvalidArchive, match="which is no file in it"):
            files.stretch(name)


def test_a_long_chain_of_links_is_not_followed(scan: Scan) -> None:
    chain = [link(f"{n + 1}", f"{n}", symbolic=True) for n in range(9)]
    with pytest.raises(InvalidArchive, match="9 is a link to '8', which is no file in it"):
        scan(tar(("0", b"far"), *chain)).open("9")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a", b"1"), ("a", b"1")], "holds 'a' twice"),
        ([("a", b"1"), ("./a", b"2")], "holds 'a' twice"),
        ([("a", b"1"), link("a", "a")], "holds 'a' twice"),
        ([("a", b"1"), ("b", b"2"), link("b", "a")], "holds 'b' twice"),
        ([("a", b"1"), link("a", "b", symbolic=True)], "holds 'a' twice"),
        ([("a", b"1"), ("a/b", b"2")], "holds 'a' as a file and as a folder"),
        ([("a/b", b"2"), ("a", b"1")], "holds 'a' as a file and as a folder"),
        ([("a", b"1"), ("a-b", b""), ("a/b", b"2")], "holds 'a' as a file and as a folder"),
        ([("a", b"1"), other("a", tarfile.DIRTYPE)], "holds 'a' as a file and as a folder"),
        ([("b/c", b""), link("a", "b", symbolic=True), ("a/c", b"2")], "'a' as a file and as a"),
        ([link("a", "b", symbolic=True), other("a/c/d", tarfile.DIRTYPE)], "'a' as a file and as"),
        ([link("b", "a"), ("a", b"1")], "holds 'b', a hard link to 'a', which is no file before"),
        ([link("b", "b")], "holds 'b', a hard link to 'b', which is no file before it"),
        ([link("b", "../etc/passwd")], r"the name '\.\./etc/passwd' climbs out with '\.\.'"),
        ([link("b", "/etc/passwd")], "a hard link to 'etc/passwd', which is no file before it"),
        (
            [("a", b"1"), link("b", "a", symbolic=True), link("c", "b")],
            "holds 'c', a hard link to 'b', which is no file before it",
        ),
        ([("../a", b"1")], r"the name '\.\./a' climbs out with '\.\.'"),
        ([("a/../b", b"1")], r"the name 'a/\.\./b' climbs out with '\.\.'"),
    ],
)
def test_an_archive_that_could_be_unpacked_in_two_ways_is_refused(
    scan: Scan, members: list[Member], message: str
) -> None:
    with pytest.raises(InvalidArchive, match=rf"^a\.tar.*{message}"):
        scan(tar(*members))


@pytest.mark.parametrize("size", [1025, 8 * 2**30, 2**50, 2**62, 2**63 - 1])
@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_size_beyond_the_archives_end_is_told(scan: Scan, size: int, form: Form) -> None:
    with pytest.raises(InvalidArchive, match=r"^a\.tar, byte .*is truncated: [0-9]+ bytes are mi"):
        scan(header("a", size, form) + END)


def test_a_size_that_no_number_holds_is_told(scan: Scan) -> None:
    with pytest.raises(InvalidArchive, match=r"^a\.tar, byte 0: .*size"):
        scan(header("a", 2**63, tarfile.GNU_FORMAT) + END)


def test_devices_and_folders_are_no_files(scan: Scan) -> None:
    kinds = [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
    files = scan(tar(*(other(f"x{n}", kind) for n, kind in enumerate(kinds))))
    assert [files.stretch(f"x{n}") for n in range(4)] == [None, None, None, None]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", r"a\.tar, byte 0: is truncated"),
        (b"{}", r"a\.tar, byte 0: is truncated: 510 of 512 bytes"),
        (b"\x7fELF" + bytes(1000), r"a\.tar, byte 0: a header's checksum is wrong"),
        (tar(("a", b"1"))[:1024] + bytes(512), r"a\.tar, byte 1536: is truncated"),
        (tar(("a", b"1")) + b"more", r"a\.tar, byte 1024: has data after its end"),
    ],
)  # fmt: skip
def test_what_is_no_whole_archive_is_refused(scan: Scan, raw: bytes, message: str) -> None:
    with pytest.raises(ManyfestError, match=message):
        scan(raw)


def test_many_entries_are_refused(scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyfest.stores.archives.tar_files.MAX_ENTRIES", 3)
    scan(tar(("a", b""), ("b", b""), ("c", b"")))
    with pytest.raises(InvalidArchive, match="has over 3 entries"):
        scan(tar(("a", b""), ("b", b""), ("c", b""), ("d", b"")))


def test_long_names_are_refused_together(scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manyfest.stores.archives.tar_files.MAX_NAMES", 4)
    scan(tar(("ab", b""), link("c", "d", symbolic=True)))
    for more in (("e", b""), other("e", tarfile.DIRTYPE)):
        with pytest.raises(InvalidArchive, match=r"^a\.tar: has names of more than 4 bytes"):
            scan(tar(("ab", b""), link("c", "d", symbolic=True), more))
