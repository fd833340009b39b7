from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from manyfest.errors import BuildError
from manyfest.layers.entry import Entry, EntryType
from manyfest.layers.write import Content, TarWriter, headers, write_layer


def layer(*items: tuple[Entry, Content | None], mtime: int = 0) -> bytes:
    sink = io.BytesIO()
    write_layer(items, sink, mtime=mtime)
    return sink.getvalue()


def names(tar: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return archive.getnames()


def read_by_python(entry: Entry, content: Content | None = None) -> tarfile.TarInfo:
    sink = io.BytesIO()
    writer = TarWriter(sink)
    writer.add(entry, content)
    writer.close()
    sink.seek(0)
    with tarfile.open(fileobj=sink) as archive:
        (member,) = archive.getmembers()
    return member


def test_a_layer_has_these_bytes_for_ever() -> None:
    tar = layer(
        (Entry(name="usr/bin/tool", mode=0o755, size=3, mtime=1700000000), b"abc"),
        (Entry(name="tool", type=EntryType.SYMLINK, mode=0o777, linkname="usr/bin/tool"), None),
        (Entry(name="größe", size=0, mtime=-1, nanoseconds=500_000_000, xattrs={"a": b"\0"}), None),
    )
    assert len(tar) == 5120
    assert (
        hashlib.sha256(tar).hexdigest()
        == "9d7fbd02e02d5c389c6a0ea23898bf6e3398e0c03334a7527d39acdfb325fbb3"
    )


def test_a_plain_file_takes_one_header_block() -> None:
    block = headers(Entry(name="bin/tool", mode=0o755, size=5, mtime=8))
    assert len(block) == 512
    assert block[:9] == b"bin/tool\0"
    assert block[100:148] == b"0000755\x000000000\x000000000\x0000000000005\x0000000000010\0"
    assert block[156:157] == b"0"
    assert block[257:265] == b"ustar\x0000"
    assert block[265:329] == bytes(64)


def test_the_end_is_two_blocks_of_zeros_and_no_more() -> None:
    assert layer() == bytes(1024)


def test_entries_are_sorted_by_the_bytes_of_their_names() -> None:
    tar = layer(*((Entry(name=name), None) for name in ["b", "a/z", "é", "a-b", "B"]))
    assert names(tar) == ["B", "a", "a-b", "a/z", "b", "é"]


def test_missing_parents_are_added() -> None:
    tar = layer((Entry(name="a/b/c"), None), mtime=42)
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        parent = archive.getmember("a/b")
    assert parent.isdir()
    assert (parent.mode, parent.uid, parent.gid, parent.mtime) == (0o755, 0, 0, 42)


def test_a_parent_that_is_given_is_kept() -> None:
    tar = layer((Entry(name="a/b"), None), (Entry(name="a", type=EntryType.DIR, mode=0o700), None))
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        assert archive.getmember("a").mode == 0o700


def test_a_hard_link_comes_after_its_target() -> None:
    link = Entry(name="a", type=EntryType.HARDLINK, linkname="z")
    assert names(layer((link, None), (Entry(name="z"), None))) == ["z", "a"]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([Entry(name="a"), Entry(name="a")], "'a': is in the layer twice"),
        ([Entry(name="/a")], "'/a': is not a clean relative name, as 'a' is"),
        ([Entry(name="a/")], "'a/': is not a clean relative name, as 'a' is"),
        ([Entry(name="a/../b")], "'a/../b': the name 'a/../b' climbs out with '..'"),
        ([Entry(name="")], "'': an entry has no name"),
        ([Entry(name="a\0b")], "'a\\x00b': the name 'a\\x00b' holds a NUL"),
        ([Entry(name="a"), Entry(name="a/b")], "'a/b': lies below 'a', a file, not a directory"),
        (
            [Entry(name="a/.wh.b")],
            "'a/.wh.b': would delete another file: names beginning with '.wh.' are whiteouts;"
            " rename it or leave it out",
        ),
        (
            [Entry(name="a", type=EntryType.HARDLINK, linkname="elsewhere")],
            "'a': is a hard link to 'elsewhere', which is not a file of the same layer",
        ),
    ],
)
def test_a_layer_that_would_not_unpack_as_meant_is_refused(
    entries: list[Entry], message: str
) -> None:
    with pytest.raises(BuildError) as caught:
        layer(*((entry, None) for entry in entries))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "entry",
    [
        Entry(name="a", size=-1),
        Entry(name="a", type=EntryType.DIR, size=1),
        Entry(name="a", mode=0o100644),
        Entry(name="a", uid=-1),
        Entry(name="a", type=EntryType.CHAR, devmajor=1 << 24),
        Entry(name="a", type=EntryType.SYMLINK),
        Entry(name="a", type=EntryType.SYMLINK, linkname="b\0c"),
        Entry(name="a", xattrs={"user.a=b": b""}),
    ],
)
def test_what_tar_cannot_hold_is_refused(entry: Entry) -> None:
    with pytest.raises(BuildError, match=r"^'a': cannot be put into a layer: "):
        headers(entry)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 300_000])
def test_content_comes_from_bytes_a_path_or_an_opener(size: int, tmp_path: Path) -> None:
    data = b"x" * size
    path = tmp_path / "file"
    path.write_bytes(data)
    entry = Entry(name="a", size=size)
    expected = layer((entry, data))
    assert layer((entry, path)) == expected
    assert layer((entry, lambda: io.BytesIO(data))) == expected
    assert len(expected) == 1536 + -(-size // 512) * 512


@pytest.mark.parametrize(("size", "now"), [(4, "fewer"), (2, "more")])
def test_a_file_that_changed_since_it_was_listed_is_refused(
    size: int, now: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    for content in (b"abc", path):
        with pytest.raises(BuildError) as caught:
            layer((Entry(name="a", size=size), content))
        assert str(caught.value) == (
            f"'a': changed while it was read: it had {size} bytes, and now has {now}"
        )


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"^'bin/a': cannot be read: No such file or directory$"):
        layer((Entry(name="bin/a", size=1), tmp_path / "gone"))


@pytest.mark.parametrize(
    "name",
    [
        "a" * 100,
        "d" * 155 + "/" + "f" * 100,
        "/".join(["d" * 60] * 3) + "/" + "f" * 30,
    ],
)
def test_names_that_fit_the_header_need_no_pax(name: str) -> None:
    assert len(headers(Entry(name=name))) == 512
    assert read_by_python(Entry(name=name)).name == name


@pytest.mark.parametrize(
    ("entry", "field", "value"),
    [
        (Entry(name="a" * 101), "name", "a" * 101),
        (Entry(name="d" * 156 + "/f"), "name", "d" * 156 + "/f"),
        (Entry(name="größe"), "name", "größe"),
        (Entry(name="a\udcff"), "name", "a\udcff"),
        (Entry(name="a", type=EntryType.SYMLINK, linkname="b" * 101), "linkname", "b" * 101),
        (Entry(name="a", uid=2**31), "uid", 2**31),
        (Entry(name="a", gid=2**32 - 2), "gid", 2**32 - 2),
        (Entry(name="a", mtime=-1), "mtime", -1.0),
        (Entry(name="a", mtime=1, nanoseconds=250_000_000), "mtime", 1.25),
        (Entry(name="a", mtime=-2, nanoseconds=500_000_000), "mtime", -1.5),
        (Entry(name="a", uname="ü"), "uname", "ü"),
    ],
)
def test_what_does_not_fit_the_header_is_in_a_pax_record(
    entry: Entry, field: str, value: object
) -> None:
    assert headers(entry)[156:157] == b"x"
    assert getattr(read_by_python(entry), field) == value


def test_a_size_of_8_gib_is_in_a_pax_record() -> None:
    last_that_fits = headers(Entry(name="a", size=2**33 - 1))
    assert last_that_fits[124:136] == b"77777777777\0"
    too_large = headers(Entry(name="a", size=2**33))
    assert too_large[512:532] == b"19 size=8589934592\n\0"
    assert too_large[1024 + 124 : 1024 + 136] == b"00000000000\0"


def test_extended_attributes_are_sorted_and_keep_their_bytes() -> None:
    entry = Entry(name="a", xattrs={"user.b": b"1\n2", "security.capability": b"\1\0\0\2"})
    body = headers(entry)[512:1024].rstrip(b"\0")
    assert body == (b"41 SCHILY.xattr.security.capability=\1\0\0\2\n27 SCHILY.xattr.user.b=1\n2\n")


def test_access_and_change_times_are_never_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    once = layer((Entry(name="a", size=3), path))
    os.utime(path, (1, 2))
    assert layer((Entry(name="a", size=3), path)) == once
