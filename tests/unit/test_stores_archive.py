from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard

from manyfest.errors import DigestMismatch, InvalidArchive, ManyfestError, NotFound, StoreError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.archives.writer import ArchiveWriter
from manyfest.stores.base import Refers, read_all
from manyfest.stores.memory import MemoryStore
from tests.images import content, content_of, entry, image, index, make, platforms
from tests.tars import blob_name, link, oci_members, tar


def members_of(prefix: str = "") -> tuple[Manifest, list[tuple[str, bytes]]]:
    """An image, and the files of an archive that holds it."""
    store = MemoryStore()
    root = make(store, "image")
    return root, oci_members(store, root, prefix)


def store_of(tmp_path: Path, raw: bytes) -> ArchiveStore:
    path = tmp_path / "image.tar"
    path.write_bytes(raw)
    return ArchiveStore(path)


@pytest.mark.parametrize("prefix", ["", "./", "/"])
def test_archives_of_other_tools_are_read(tmp_path: Path, prefix: str) -> None:
    root, members = members_of(prefix)
    with store_of(tmp_path, tar(*members)) as store:
        assert store.resolve("") == root.descriptor
        for part in (root.descriptor, *root.children):
            assert store.has(part)
            assert Digest.of(read_all(store, part)) == part.digest


def test_a_blob_is_read_where_it_lies(tmp_path: Path) -> None:
    root, members = members_of()
    raw = tar(*members)
    with store_of(tmp_path, raw) as store:
        for part in root.children:
            reader = store.open(part)
            got = reader.read(part.size)
            start = raw.index(got)
            assert raw[start : start + part.size] == got
            assert start % 512 == 0
        assert [path.name for path in tmp_path.iterdir()] == ["image.tar"]


def test_only_what_is_asked_for_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    pread = os.pread

    def counted(descriptor: int, size: int, offset: int) -> bytes:
        read.append(size)
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", counted)
    large = Descriptor.of(bytes(3_000_000), "text/plain")
    path = tmp_path / "image.tar"
    with ArchiveWriter(path) as writer:
        root = make(writer, "image")
        writer.put(content(bytes(3_000_000)))
    with ArchiveStore(path) as store:
        assert store.has(large)
        assert read_all(store, store.resolve("v1")) == root.raw
    assert sum(read) < 10_000


def test_many_threads_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    with ArchiveWriter(path) as writer:
        root = platforms(writer)
        writer.tag("v1", content_of(root))
    with ArchiveStore(path) as store, ThreadPoolExecutor(8) as pool:
        parts = [*root.children, root.descriptor] * 20
        digests = pool.map(lambda part: Digest.of(read_all(store, part)), parts)
        assert list(digests) == [part.digest for part in parts]


def test_an_archive_can_be_opened_again_after_it_was_closed(tmp_path: Path) -> None:
    root, members = members_of()
    store = store_of(tmp_path, tar(*members))
    for _ in range(2):
        with store:
            assert store.resolve("") == root.descriptor


def _cut_at() -> dict[str, Callable[[bytes], int]]:
    return {
        "nothing left": lambda raw: 0,
        "in the first header": lambda raw: 100,
        "after the first header": lambda raw: 512,
        "in the middle": lambda raw: len(raw) // 2,
        "between two blocks": lambda raw: len(raw) // 1024 * 512,
        "in the last content": lambda raw: len(raw.rstrip(b"\0")) - 3,
        "before the end's zeros": lambda raw: -(-len(raw.rstrip(b"\0")) // 512) * 512,
        "in the end's zeros": lambda raw: -(-len(raw.rstrip(b"\0")) // 512) * 512 + 512,
    }


@pytest.mark.parametrize("where", _cut_at())
def test_a_truncated_archive_is_told_at_once(tmp_path: Path, where: str) -> None:
    _, members = members_of()
    raw = tar(*members)
    with (
        store_of(tmp_path, raw[: _cut_at()[where](raw)]) as store,
        pytest.raises(InvalidArchive, match=r"^oci-archive:.*image\.tar"),
    ):
        store.resolve("")


def test_every_truncation_is_an_error_of_ours(tmp_path: Path) -> None:
    _, members = members_of()
    raw = tar(*members)
    end = -(-len(raw.rstrip(b"\0")) // 512) * 512 + 1024
    for size in range(0, end, 97):
        with store_of(tmp_path, raw[:size]) as store, pytest.raises(ManyfestError):
            store.resolve("")


def test_a_missing_blob_is_named(tmp_path: Path) -> None:
    root, members = members_of()
    gone = root.children[0]
    rest = [member for member in members if member[0] != blob_name(gone.digest)]
    with store_of(tmp_path, tar(*rest)) as store:
        assert not store.has(gone)
        with pytest.raises(NotFound, match=f"blobs/sha256/{gone.digest.hex} is missing"):
            store.open(gone)


def test_a_blob_of_another_size_does_not_count(tmp_path: Path) -> None:
    root, members = members_of()
    torn = root.children[0]
    changed = [
        (name, data[:-1] if name == blob_name(torn.digest) else data) for name, data in members
    ]
    with store_of(tmp_path, tar(*changed)) as store:
        assert not store.has(torn)
        with pytest.raises(DigestMismatch, match=f"{torn.digest} ends after"):
            read_all(store, torn)


def test_a_blob_of_another_digest_is_told_when_it_is_read(tmp_path: Path) -> None:
    root, members = members_of()
    flipped = root.children[0]
    changed = [
        (name, b"?" + data[1:] if name == blob_name(flipped.digest) else data)
        for name, data in members
    ]
    with (
        store_of(tmp_path, tar(*changed)) as store,
        pytest.raises(DigestMismatch, match=f"{flipped.digest} has the digest sha256:"),
    ):
        read_all(store, flipped)


def test_a_digest_never_stands_for_another_manifest(tmp_path: Path) -> None:
    root, members = members_of()
    evil = image(MemoryStore(), text="evil")
    name = blob_name(root.descriptor.digest)
    changed = [(each, evil.raw if each == name else data) for each, data in members]
    index = next(data for each, data in changed if each == "index.json")
    nameless = [(each, b'{"schemaVersion":2}' if data == index else data) for each, data in changed]
    with store_of(tmp_path, tar(*nameless)) as store, pytest.raises(DigestMismatch):
        store.resolve(str(root.descriptor.digest))


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    _, members = members_of()
    with (
        store_of(tmp_path, tar(*members, members[-1])) as store,
        pytest.raises(InvalidArchive, match=r"holds 'blobs/sha256/[0-9a-f]+' twice"),
    ):
        store.resolve("")


def test_a_hard_link_is_the_file_it_names(tmp_path: Path) -> None:
    root, members = members_of()
    first = blob_name(root.children[0].digest)
    moved = [("copy" if name == first else name, data) for name, data in members]
    with store_of(tmp_path, tar(*moved, link(first, "copy"))) as store:
        assert Digest.of(read_all(store, root.children[0])) == root.children[0].digest


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("target", ["/etc/passwd", "none", "../../etc/passwd"])
def test_a_link_leads_nowhere_outside(tmp_path: Path, target: str, symbolic: bool) -> None:
    root, members = members_of()
    first = blob_name(root.children[0].digest)
    rest = [member for member in members if member[0] != first]
    with (
        store_of(tmp_path, tar(*rest, link(first, target, symbolic=symbolic))) as store,
        pytest.raises(ManyfestError),
    ):
        store.open(root.children[0])


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, bz2.compress, lzma.compress])
def test_a_compressed_archive_is_read(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    root, members = members_of()
    with store_of(tmp_path, pack(tar(*members))) as store:
        assert store.resolve("") == root.descriptor
        for part in (root.descriptor, *root.children):
            assert Digest.of(read_all(store, part)) == part.digest
    assert [path.name for path in tmp_path.iterdir()] == ["image.tar"]


def test_an_archive_of_something_else_is_told_apart(tmp_path: Path) -> None:
    with (
        store_of(tmp_path, tar(("README", b"hello"))) as store,
        pytest.raises(InvalidArchive, match=r"it has neither index\.json nor manifest\.json"),
    ):
        store.resolve("v1")


def test_a_large_index_json_is_refused_before_it_is_read(tmp_path: Path) -> None:
    raw = tar(("index.json", b" " * (4 * 1024 * 1024 + 1)))
    with (
        store_of(tmp_path, raw) as store,
        pytest.raises(InvalidArchive, match=r"index\.json is 4194305 bytes, more than"),
    ):
        store.resolve("v1")


def test_an_archive_with_platforms_straight_in_its_index_is_read(tmp_path: Path) -> None:
    memory = MemoryStore()
    root = platforms(memory)
    files = [(blob_name(digest), data) for digest, data in memory.blobs.items()]
    rest = [file for file in files if file[0] != blob_name(root.descriptor.digest)]
    with store_of(tmp_path, tar(("index.json", root.raw), *rest)) as store:
        for name in ("", str(root.descriptor.digest)):
            assert store.resolve(name) == root.descriptor
        assert store.has(root.descriptor)
        assert read_all(store, root.descriptor) == root.raw


def test_referrers_are_found_under_the_fallback_tag(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    with ArchiveWriter(path) as writer:
        root = make(writer, "image", "v1")
        bill = image(writer, text="bill of materials", subject=root.descriptor)
        listed = index(writer, [entry(bill)])
        writer.tag(f"sha256-{root.descriptor.digest.hex}", content_of(listed))
    with ArchiveStore(path) as store:
        assert isinstance(store, Refers)
        assert [each.digest for each in store.referrers(root.descriptor.digest)] == [
            bill.descriptor.digest
        ]
        assert store.referrers(bill.descriptor.digest) == ()
        assert store.resolve("") == root.descriptor


def test_referrers_are_found_where_oras_puts_them(tmp_path: Path) -> None:
    memory = MemoryStore()
    root = image(memory)
    bill = image(memory, text="bill of materials", subject=root.descriptor)
    name = {"org.opencontainers.image.ref.name": "v1"}
    top = index(MemoryStore(), [entry(root, **name), entry(bill)])
    blobs = [(blob_name(digest), data) for digest, data in memory.blobs.items()]
    with store_of(tmp_path, tar(("index.json", top.raw), *blobs)) as store:
        assert [each.digest for each in store.referrers(root.descriptor.digest)] == [
            bill.descriptor.digest
        ]
        assert store.resolve("v1") == root.descriptor


def test_an_archive_on_standard_input_is_read(tmp_path: Path) -> None:
    root, members = members_of()
    path = tmp_path / "image.tar"
    path.write_bytes(tar(*members))
    with (
        path.open("rb") as file,
        ArchiveStore.standard_input(label="oci-archive:-", descriptor=file.fileno()) as store,
    ):
        assert store.resolve("") == root.descriptor
        assert read_all(store, root.descriptor) == root.raw
        with pytest.raises(NotFound, match=r"^oci-archive:-: 'v2' is not in it"):
            store.resolve("v2")


def test_an_archive_in_a_stream_is_read_when_it_is_needed() -> None:
    root, members = members_of()
    opened = []

    def stream() -> io.BytesIO:
        opened.append(io.BytesIO(tar(*members)))
        return opened[-1]

    store = ArchiveStore.streamed(stream, label="docker-daemon:app")
    assert not opened
    with store:
        for part in (store.resolve(""), *root.children):
            assert Digest.of(read_all(store, part)) == part.digest
    assert [each.closed for each in opened] == [True]


def test_an_archive_that_is_refused_is_not_held_open(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    store = store_of(tmp_path, tar(("README", b"hello")))
    with pytest.raises(InvalidArchive):
        store.resolve("v1")
    assert os.listdir("/proc/self/fd") == before


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no such file"):
        ArchiveStore(tmp_path / "none").resolve("")
    for make_other in (os.mkdir, os.mkfifo):
        path = tmp_path / make_other.__name__
        make_other(path)
        with pytest.raises(StoreError, match="cannot be read: "):
            ArchiveStore(path).resolve("")
