from __future__ import annotations

import io
import multiprocessing
import os
from pathlib import Path

import msgspec
import pytest

from manyfest.errors import (
    DigestMismatch,
    InvalidArchive,
    InvalidDigest,
    NotFound,
    StoreError,
)
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index, Manifest
from manyfest.stores.base import Content, read_all
from manyfest.stores.layout import LayoutStore
from tests.images import OCI_INDEX, content, content_of, image, make, platforms, put


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_files_are_those_of_the_specification(tmp_path: Path) -> None:
    with LayoutStore(tmp_path) as store:
        blob = put(store, b"content")
    assert (tmp_path / "oci-layout").read_bytes() == b'{"imageLayoutVersion":"1.0.0"}'
    assert (tmp_path / "index.json").read_bytes() == (
        b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
    )
    assert (tmp_path / "blobs" / "sha256" / blob.digest.hex).read_bytes() == b"content"
    assert len(files_in(tmp_path)) == 3


def test_missing_folders_are_made(tmp_path: Path) -> None:
    with LayoutStore(tmp_path / "a" / "b") as store:
        make(store, "image")
    assert list(LayoutStore(tmp_path / "a" / "b").tags()) == ["v1"]


@pytest.mark.parametrize("name", ["", "v1"])
def test_an_image_without_a_name_is_the_one_that_is_there(tmp_path: Path, name: str) -> None:
    with LayoutStore(tmp_path) as store:
        root = image(store)
        store.tag(name, content_of(root))
    assert LayoutStore(tmp_path).resolve("").digest == root.descriptor.digest


def test_platforms_straight_in_index_json_are_read_as_one_index(tmp_path: Path) -> None:
    with LayoutStore(tmp_path) as store:
        root = platforms(store)
        (tmp_path / "index.json").write_bytes(root.raw)
        found = store.resolve("")
        assert found == root.descriptor
        assert read_all(store, found) == root.raw
        # It need not lie among the blobs as well.
        store.blobs.path(root.descriptor.digest).unlink()
        assert read_all(store, found) == root.raw


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (None, NotFound),
        (b"", InvalidArchive),
        (b'{"schemaVersion":2,"manifests":[],"manifests":[]}', InvalidArchive),
        (b'{"schemaVersion":2,"manifests":"none"}', InvalidArchive),
        (b" " * (4 * 1024 * 1024 + 1), InvalidArchive),
    ],
    ids=["missing", "empty", "duplicate key", "wrong type", "too large"],
)
def test_a_damaged_index_json_stops_everything_and_stays(
    tmp_path: Path, raw: bytes | None, error: type[Exception]
) -> None:
    path = tmp_path / "index.json"
    if raw is not None:
        path.write_bytes(raw)
    store = LayoutStore(tmp_path)
    with pytest.raises(error, match=str(tmp_path)):
        store.resolve("v1")
    with pytest.raises(error):
        list(store.tags())
    if raw is not None:
        with pytest.raises(error):
            make(store, "image")
        assert path.read_bytes() == raw


def test_a_folder_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no OCI layout here"):
        LayoutStore(tmp_path / "none").resolve("v1")


def test_a_look_makes_no_folder(tmp_path: Path) -> None:
    with LayoutStore(tmp_path / "none") as store:
        assert not store.has(Descriptor.of(b"content", "text/plain"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = LayoutStore(tmp_path / "file")
    with pytest.raises(NotFound, match="there is no OCI layout here"):
        store.resolve("v1")
    with pytest.raises(StoreError, match="there is a file where the layout would be"):
        put(store, b"content")


def test_what_the_system_refuses_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("in the way")
    with pytest.raises(StoreError, match=r"^oci:.*: cannot be written: "):
        put(LayoutStore(tmp_path), b"content")


@pytest.mark.parametrize("torn", [b"", b"cont", b"content and more"])
def test_a_torn_blob_does_not_count_and_is_replaced(tmp_path: Path, torn: bytes) -> None:
    store = LayoutStore(tmp_path)
    blob = put(store, b"content")
    path = store.blobs.path(blob.digest)
    path.write_bytes(torn)
    assert not store.has(blob)
    store.put(content(b"content"))
    assert path.read_bytes() == b"content"


@pytest.mark.parametrize("wrong", [b"", b"conten", b"Content", b"content!"])
def test_a_put_that_fails_leaves_nothing(tmp_path: Path, wrong: bytes) -> None:
    store = LayoutStore(tmp_path)
    promised = Descriptor.of(b"content", "text/plain")
    with pytest.raises(DigestMismatch):
        store.put(Content(promised, lambda: io.BytesIO(wrong)))
    assert files_in(tmp_path) == ["index.json", "oci-layout"]


def test_a_put_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    class Interrupted(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise KeyboardInterrupt

    store = LayoutStore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        store.put(Content(Descriptor.of(b"content", "text/plain"), Interrupted))
    assert files_in(tmp_path) == ["index.json", "oci-layout"]


def test_what_is_there_is_not_opened_at_its_source(tmp_path: Path) -> None:
    def refuse() -> io.BytesIO:
        raise AssertionError("it was opened")

    store = LayoutStore(tmp_path)
    blob = put(store, b"content")
    store.put(Content(blob, refuse))


def test_a_pipe_in_the_place_of_a_blob_does_not_hang(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    blob = put(store, b"content")
    path = store.blobs.path(blob.digest)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InvalidArchive, match="it is not a regular file"):
        store.open(blob)


def test_a_pipe_in_the_place_of_index_json_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "index.json")
    with pytest.raises(InvalidArchive, match="it is not a regular file"):
        LayoutStore(tmp_path).resolve("")


def test_a_digest_never_stands_for_other_content(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    good, evil = image(store, text="good"), image(store, text="evil")
    store.blobs.path(good.descriptor.digest).write_bytes(evil.raw)
    with pytest.raises(DigestMismatch, match=str(good.descriptor.digest)):
        store.resolve(str(good.descriptor.digest))


def test_a_layer_is_not_read_as_if_it_were_a_manifest(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    large = put(store, b" " * (4 * 1024 * 1024 + 1))
    with pytest.raises(InvalidArchive, match="4194305 bytes, more than the 4194304 allowed"):
        store.resolve(str(large.digest))


@pytest.mark.parametrize(
    ("name", "error"),
    [("sha256:abc", InvalidDigest), ("docker.io/library/app:v1", NotFound), ("md5:1", NotFound)],
)
def test_a_name_with_a_colon_is_a_digest_only_if_it_begins_like_one(
    tmp_path: Path, name: str, error: type[Exception]
) -> None:
    store = LayoutStore(tmp_path)
    make(store, "image")
    with pytest.raises(error):
        store.resolve(name)


def _tag_many(folder: Path, mine: str, root: Manifest) -> None:
    store = LayoutStore(folder)
    for number in range(20):
        store.tag(f"{mine}-{number}", content_of(root))


def test_processes_that_tag_at_once_lose_nothing(tmp_path: Path) -> None:
    root = image(LayoutStore(tmp_path))
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_tag_many, args=(tmp_path, mine, root)) for mine in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(LayoutStore(tmp_path).tags()) == sorted(
        f"{mine}-{number}" for mine in "ab" for number in range(20)
    )


def test_an_update_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    root = make(store, "image")
    before = (tmp_path / "index.json").stat().st_ino
    store.tag("v1", content_of(root))
    assert (tmp_path / "index.json").stat().st_ino == before


def test_annotations_of_index_json_stay(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    root = image(store)
    body = Index(schema_version=2, media_type=OCI_INDEX, manifests=(), annotations={"a": "b"})
    (tmp_path / "index.json").write_bytes(Manifest.of_index(body).raw)
    store.tag("v1", content_of(root))
    assert b'"annotations":{"a":"b"}' in (tmp_path / "index.json").read_bytes()


def test_two_blobs_of_one_size_are_told_apart(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    one, two = put(store, b"1"), put(store, b"2")
    assert read_all(store, one) == b"1"
    assert read_all(store, two) == b"2"
    assert one.digest == Digest.of(b"1")


def names(of: Manifest, count: int) -> Index:
    """An ``index.json`` with so many names of one image."""
    entries = (
        msgspec.structs.replace(
            of.descriptor, annotations={"org.opencontainers.image.ref.name": f"v{number}"}
        )
        for number in range(count)
    )
    return Index(schema_version=2, manifests=tuple(entries))


def test_a_layout_may_have_more_names_than_a_manifest_has_entries(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    root = make(store, "image")
    store.update(lambda _: names(root, 20_000))
    store.tag("another", content_of(root))
    assert (tmp_path / "index.json").stat().st_size > 4 * 1024 * 1024
    read = LayoutStore(tmp_path)
    assert len(list(read.tags())) == 20_001
    assert read.resolve("v19999").digest == root.descriptor.digest


def test_a_layout_takes_no_more_names_than_can_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyfest.stores.layout.MAX_LAYOUT_ENTRIES", 3)
    store = LayoutStore(tmp_path)
    root = make(store, "image")
    store.update(lambda _: names(root, 3))
    with pytest.raises(StoreError, match="it has 3 names and can have no more"):
        store.tag("another", content_of(root))
    assert store.resolve("v2").digest == root.descriptor.digest


def test_a_layout_takes_no_more_bytes_of_names_than_can_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyfest.stores.layout.MAX_LAYOUT_INDEX_SIZE", 1000)
    store = LayoutStore(tmp_path)
    root = make(store, "image")
    store.update(lambda _: names(root, 3))
    with pytest.raises(StoreError, match="more than the 1000 that are read"):
        store.update(lambda _: names(root, 10))
    assert store.resolve("v2").digest == root.descriptor.digest


def test_an_index_json_of_too_many_bytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(LayoutStore(tmp_path), "image")
    monkeypatch.setattr("manyfest.stores.top_file.MAX_LAYOUT_INDEX_SIZE", 100)
    with pytest.raises(InvalidArchive, match="it is more than the 100 bytes allowed"):
        list(LayoutStore(tmp_path).tags())


def test_what_another_writer_put_between_two_names_is_kept(tmp_path: Path) -> None:
    one, other = LayoutStore(tmp_path), LayoutStore(tmp_path)
    root = make(one, "image")
    for number in range(3):
        one.tag(f"one{number}", content_of(root))
        other.tag(f"other{number}", content_of(root))
    wanted = {f"{who}{number}" for who in ("one", "other") for number in range(3)}
    assert wanted <= set(LayoutStore(tmp_path).tags())


def test_ctrl_c_leaves_nothing_of_what_a_thread_is_still_writing(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    left: list[str] = []

    class Interrupted(io.BytesIO):
        """The store is left by Ctrl-C in another thread when half of it was written."""

        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                store.__exit__(KeyboardInterrupt)
                left[:] = files_in(tmp_path)
            return super().read(4)

    blob = Descriptor.of(b"content!", "application/octet-stream")
    with pytest.raises(StoreError, match="cannot be written: No such file"):
        store.put(Content(blob, lambda: Interrupted(b"content!")))
    assert left == files_in(tmp_path) == ["index.json", "oci-layout"]
