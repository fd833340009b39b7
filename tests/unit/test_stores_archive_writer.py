from __future__ import annotations

import io
import os
import tarfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfest.copy import copy_graph
from manyfest.errors import DigestMismatch, InvalidArchive, StoreError
from manyfest.graph import Graph, read_graph
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.archives.names import Naming
from manyfest.stores.archives.spool import open_archive
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.archives.writer import ArchiveWriter
from manyfest.stores.base import Content, read_all
from manyfest.stores.memory import MemoryStore
from tests.images import content, content_of, image, make, nested, put

MEMORY = MemoryStore()
GRAPH: Graph = read_graph(MEMORY, nested(MEMORY).descriptor)
MANIFESTS = tuple(manifest.descriptor for manifest in GRAPH.manifests)
PARTS: tuple[Content, ...] = tuple(content(MEMORY.blobs[part.digest], part.media_type)
                                   for part in (*GRAPH.blobs, *MANIFESTS))  # fmt: skip
NAMING = Naming("ghcr.io/team/app")


def written(path: Path, parts: Sequence[Content], *, plan: bool = True) -> bytes:
    with ArchiveWriter(path, naming=NAMING) as writer:
        if plan:
            writer.plan(GRAPH.descriptors)
        for part in parts:
            writer.put(part)
        writer.tag("v1", content_of(GRAPH.root))
    return path.read_bytes()


def test_the_archive_is_laid_out_as_planned_and_read_by_others(tmp_path: Path) -> None:
    raw = written(tmp_path / "image.tar", PARTS)
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        members = archive.getmembers()
        contents = [archive.extractfile(each) for each in members if each.isfile()]
        data = [each.read() for each in contents if each]
    names = [f"blobs/sha256/{part.digest.hex}" for part in (*GRAPH.blobs, *MANIFESTS)]
    assert [member.name for member in members] == [
        "oci-layout",
        "blobs",
        "blobs/sha256",
        *names,
        "index.json",
        "manifest.json",
    ]
    assert data[1:-2] == [MEMORY.blobs[part.descriptor.digest] for part in PARTS]
    assert data[0] == b'{"imageLayoutVersion":"1.0.0"}'
    assert data[-2] == (
        b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":'
        b'[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"'
        + str(GRAPH.root.descriptor.digest).encode()
        + b'","size":'
        + str(len(GRAPH.root.raw)).encode()
        + b',"annotations":{"io.containerd.image.name":"ghcr.io/team/app:v1",'
        b'"org.opencontainers.image.ref.name":"v1"}}]}'
    )
    assert len(raw) % 512 == 0
    assert raw.endswith(bytes(1024))


def test_nothing_in_it_tells_when_or_by_whom_it_was_made(tmp_path: Path) -> None:
    raw = written(tmp_path / "image.tar", PARTS)
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        for member in archive.getmembers():
            assert (member.mtime, member.uid, member.gid) == (0, 0, 0)
            assert (member.uname, member.gname) == ("", "")
            assert member.mode == (0o755 if member.isdir() else 0o644)


@settings(deadline=None)
@given(parts=st.permutations(PARTS))
def test_the_bytes_do_not_depend_on_what_comes_first(parts: list[Content]) -> None:
    with TemporaryDirectory() as folder:
        here = Path(folder)
        assert written(here / "a.tar", parts) == written(here / "b.tar", PARTS)


def test_the_bytes_do_not_depend_on_the_threads(tmp_path: Path) -> None:
    expected = written(tmp_path / "one.tar", PARTS)
    for _ in range(5):
        start = threading.Barrier(len(PARTS))

        def put_one(writer: ArchiveWriter, part: Content, at: threading.Barrier = start) -> None:
            at.wait()
            writer.put(part)

        path = tmp_path / "many.tar"
        with (
            ArchiveWriter(path, naming=NAMING) as writer,
            ThreadPoolExecutor(len(PARTS)) as pool,
        ):
            writer.plan(GRAPH.descriptors)
            list(pool.map(lambda part, w=writer: put_one(w, part), PARTS))
            writer.tag("v1", content_of(GRAPH.root))
        assert path.read_bytes() == expected


def test_without_a_plan_the_order_is_that_of_arrival(tmp_path: Path) -> None:
    planned = written(tmp_path / "a.tar", PARTS)
    assert written(tmp_path / "b.tar", PARTS, plan=False) == planned
    reversed_ = written(tmp_path / "c.tar", PARTS[::-1], plan=False)
    assert reversed_ != planned
    assert len(reversed_) == len(planned)
    with ArchiveStore(tmp_path / "c.tar") as store:
        assert all(store.has(part) for part in GRAPH.descriptors)


def test_it_holds_several_images_under_several_tags(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "image.tar") as writer:
        old, new = image(writer, text="old"), image(writer, text="new")
        for tag, root in (("1", old), ("2", new), ("latest", new)):
            writer.tag(tag, content_of(root))
    with ArchiveStore(tmp_path / "image.tar") as store:
        assert list(store.tags()) == ["1", "2", "latest"]
        assert store.resolve("1").digest == old.descriptor.digest
        assert store.resolve("latest").digest == new.descriptor.digest


def test_an_image_without_a_name_is_the_one_in_it(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "image.tar") as writer:
        root = make(writer, "image", "")
    with ArchiveStore(tmp_path / "image.tar") as store:
        assert store.resolve("").digest == root.descriptor.digest
        assert list(store.tags()) == []


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1024])
def test_contents_are_padded_to_whole_blocks(tmp_path: Path, size: int) -> None:
    data = b"x" * size
    with ArchiveWriter(tmp_path / "image.tar") as writer:
        blob, after = put(writer, data), put(writer, b"after")
        make(writer, "image")
    with ArchiveStore(tmp_path / "image.tar") as store:
        assert store.has(blob)
        assert store.has(after)
    with tarfile.open(tmp_path / "image.tar") as archive:
        assert archive.getmember(f"blobs/sha256/{blob.digest.hex}").size == size


def test_what_was_planned_and_never_came_is_named(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(b"old")
    with (
        pytest.raises(InvalidArchive, match=f"{min(p.digest for p in GRAPH.blobs)} never came"),
        ArchiveWriter(path) as writer,
    ):
        writer.plan(GRAPH.blobs)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["image.tar"]


def begin_and_fail(path: Path, error: BaseException) -> None:
    with ArchiveWriter(path) as writer:
        make(writer, "image")
        assert len(list(path.parent.iterdir())) == 2
        raise error


@pytest.mark.parametrize("error", [DigestMismatch("no"), KeyboardInterrupt(), SystemExit(1)])
def test_an_error_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(b"old")
    with pytest.raises(type(error)):
        begin_and_fail(path, error)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["image.tar"]


def test_a_put_that_fails_can_be_made_good(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    blob = Descriptor.of(b"content", "text/plain")
    with ArchiveWriter(path) as writer:
        for wrong in (b"con", b"Content", b"content and far more of it"):
            with pytest.raises(DigestMismatch):
                writer.put(Content(blob, lambda wrong=wrong: io.BytesIO(wrong)))  # type: ignore[misc]
            assert not writer.has(blob)
        after = make(writer, "image").descriptor
        writer.put(content(b"content", "text/plain"))
    with ArchiveStore(path) as store:
        assert read_all(store, blob) == b"content"
        assert store.resolve("v1") == after
        assert len(read_all(store, after)) == after.size


def test_one_digest_with_two_sizes_overwrites_nothing(tmp_path: Path) -> None:
    true = content(b"x" * 2000)
    lie = Descriptor(media_type="text/plain", digest=true.descriptor.digest, size=10)
    with ArchiveWriter(tmp_path / "image.tar") as writer:
        root = make(writer, "image")
        writer.plan([root.descriptor])
        put(writer, b"x" * 2000)
        with pytest.raises(DigestMismatch, match="has 2000 bytes in one place and 10 in another"):
            writer.put(Content(lie, true.open))
    with ArchiveStore(tmp_path / "image.tar") as store:
        assert read_all(store, true.descriptor) == b"x" * 2000


def test_what_the_system_refuses_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    writer = ArchiveWriter(tmp_path / "file" / "image.tar")
    with pytest.raises(StoreError, match="cannot be written: "), writer:
        put(writer, b"content")
    (tmp_path / "folder").mkdir()
    writer = ArchiveWriter(tmp_path / "folder")
    with pytest.raises(StoreError, match="cannot be written: Is a directory"), writer:
        put(writer, b"content")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]


def test_what_is_no_file_is_left_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(StoreError) as caught, ArchiveWriter(pipe) as writer:
        writer.put(PARTS[0])
    assert str(caught.value) == (
        f"oci-archive:{pipe}: it is no file, but a device or a pipe; standard output is called -"
    )
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_link_leads_to_the_new_archive_as_it_did_to_the_old_one(tmp_path: Path) -> None:
    link, file = tmp_path / "latest.tar", tmp_path / "images" / "1.2.tar"
    file.parent.mkdir()
    link.symlink_to(file)
    written(link, PARTS)
    assert link.readlink() == file
    assert file.read_bytes() == written(tmp_path / "image.tar", PARTS)


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "image.tar") as writer:
        make(writer, "image")
        writer.close()
        raw = (tmp_path / "image.tar").read_bytes()
    assert (tmp_path / "image.tar").read_bytes() == raw


def test_an_archive_can_be_written_over_itself(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    before = written(path, PARTS)
    with ArchiveStore(path) as source, ArchiveWriter(path, naming=NAMING) as target:
        target.plan(GRAPH.descriptors)
        for part in GRAPH.descriptors:
            target.put(Content(part, lambda part=part: source.open(part)))  # type: ignore[misc]
        target.tag("v1", content_of(GRAPH.root))
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["image.tar.gz", "image.tgz", "image.tar.zst"])
def test_a_compressed_file_holds_the_same_archive(tmp_path: Path, name: str) -> None:
    for path in (tmp_path / name, tmp_path / "again" / name, tmp_path / "image.tar"):
        with ArchiveWriter(path) as writer:
            copy_graph(MEMORY, GRAPH, writer, ["v1"])
    compressed = (tmp_path / name).read_bytes()
    with open_archive(tmp_path / name, "a test") as unpacked:
        assert unpacked.read() == (tmp_path / "image.tar").read_bytes()
    assert len(compressed) < (tmp_path / "image.tar").stat().st_size
    assert compressed == (tmp_path / "again" / name).read_bytes()


def test_a_compressed_file_takes_one_thing_at_a_time(tmp_path: Path) -> None:
    assert ArchiveWriter(tmp_path / "image.tar.gz").ordered
    assert not ArchiveWriter(tmp_path / "image.tar").ordered


@pytest.mark.parametrize("name", ["image.tar", "image.tar.gz"])
def test_an_interrupted_compressed_file_leaves_the_old_one(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        begin_and_fail(path, KeyboardInterrupt())
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == [name]
