from __future__ import annotations

import io
import os
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from manyfest.copy import copy, copy_graph, missing, point
from manyfest.errors import (
    AccessDenied,
    ConnectionFailed,
    InvalidManifest,
    ManyfestError,
    NotFound,
)
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.stores.archives.writer import ArchiveWriter
from manyfest.stores.base import Content, Reader, Source, pass_over
from manyfest.stores.memory import MemoryStore
from tests.images import KINDS, image, make
from tests.places import KINDS as PLACES
from tests.places import place
from tests.recorders import Recorded, Recorder, graph_of


@pytest.fixture(autouse=True)
def _no_waiting_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("to", PLACES)
@pytest.mark.parametrize("from_", PLACES)
def test_every_kind_goes_from_every_store_to_every_store(
    tmp_path: Path, from_: str, to: str, kind: str
) -> None:
    here, there = place(from_, tmp_path / "from"), place(to, tmp_path / "to")
    with here.target() as target:
        root = make(target, kind)
    with here.source() as source, there.target() as target:
        graph = graph_of(source)
        copied = copy_graph(source, graph, target, ["2.6", "latest"])
    assert copied.root.digest == root.descriptor.digest
    with there.source() as source:
        for name in ("2.6", "latest", str(root.descriptor.digest)):
            assert source.resolve(name).digest == root.descriptor.digest
        again = graph_of(source, "2.6")
        assert [part.digest for part in again.descriptors] == [
            part.digest for part in graph.descriptors
        ]
        assert again.root.raw == root.raw
        assert missing(source, graph) == []


def test_each_digest_is_opened_once_at_its_source() -> None:
    source = Recorder()
    make(source, "nested index")
    source.calls.clear()
    copy(source, "v1", MemoryStore(), ["v1"])
    assert Counter(source.asked("open")) == dict.fromkeys(map(str, source.blobs), 1)


def test_children_come_before_parents_and_the_tag_last() -> None:
    source, target = MemoryStore(), Recorder()
    root = make(source, "nested index")
    graph = graph_of(source)
    copy_graph(source, graph, target, ["v1", "latest"])
    order = target.asked("put")
    for manifest in graph.manifests:
        for child in manifest.children:
            if manifest != graph.root:
                assert order.index(str(child.digest)) < order.index(str(manifest.descriptor.digest))
    assert str(root.descriptor.digest) not in order
    assert [call for call in target.calls if call[0] in ("put", "tag")][-2:] == [
        ("tag", "v1"),
        ("tag", "latest"),
    ]


def test_without_a_tag_the_root_is_put_last() -> None:
    source, target = MemoryStore(), Recorder()
    root = make(source, "index")
    copied = copy(source, "v1", target)
    assert target.asked("put")[-1] == str(root.descriptor.digest)
    assert target.asked("tag") == []
    assert copied.sent == sum(len(data) for data in source.blobs.values())


def test_largest_blobs_are_begun_first() -> None:
    source, target = MemoryStore(), Recorder()
    make(source, "index")
    graph = graph_of(source)
    copy_graph(source, graph, target, ["v1"])
    sizes = {str(blob.digest): blob.size for blob in graph.blobs}
    begun = [sizes[which] for which in target.asked("has") if which in sizes][:4]
    assert max(begun) == max(sizes.values())


def test_nobody_asks_for_a_manifest_below_which_something_was_new() -> None:
    source, target = MemoryStore(), Recorder()
    make(source, "index")
    graph = graph_of(source)
    copy_graph(source, graph, target)
    assert sorted(target.asked("has")) == sorted(str(blob.digest) for blob in graph.blobs)
    assert sorted(target.asked("put")) == sorted(str(part.digest) for part in graph.descriptors)


def test_a_second_copy_moves_nothing() -> None:
    source, target = Recorder(), Recorder()
    make(source, "nested index")
    copy(source, "v1", target, ["v1"])
    graph = graph_of(source)
    source.calls.clear()
    target.calls.clear()
    copied = copy_graph(source, graph, target, ["v1"])
    assert source.calls == []
    assert target.asked("put") == target.asked("tag") == target.asked("open") == []
    assert sorted(target.asked("has")) == sorted(str(part.digest) for part in graph.descriptors)
    assert (copied.sent, copied.present, copied.mounted) == (0, len(graph.descriptors), 0)


def test_what_is_missing_below_something_that_is_there_is_brought() -> None:
    source, target = MemoryStore(), MemoryStore()
    root = make(source, "index")
    copy(source, "v1", target, ["v1"])
    gone = [root.children[0], graph_of(source).blobs[0]]
    for part in gone:
        del target.blobs[part.digest]
    copied = copy(source, "v1", target, ["v1"])
    assert target.blobs == source.blobs
    assert copied.sent == sum(part.size for part in gone)


def test_a_new_tag_on_what_is_there_sends_the_root_alone() -> None:
    source, target = MemoryStore(), MemoryStore()
    root = make(source, "index")
    copy(source, "v1", target, ["v1"])
    assert copy(source, "v1", target, ["v1", "v2"]).sent == len(root.raw)
    assert target.names["v2"].digest == root.descriptor.digest


@pytest.mark.parametrize("tags", [[], ["v1"], ["v1", "v2"]])
def test_progress_is_told_of_everything_once(tags: list[str]) -> None:
    source, progress = MemoryStore(), Recorded()
    make(source, "index with attestations")
    graph = graph_of(source)
    copied = copy_graph(source, graph, MemoryStore(), tags, progress=progress)
    assert progress.totals == {str(part.digest): part.size for part in graph.descriptors}
    assert set(progress.labels.values()) == {
        "index", "linux/amd64", "linux/arm64", "attestations"
    }  # fmt: skip
    assert progress.outcomes == {str(part.digest): ["done"] for part in graph.descriptors}
    for blob in graph.blobs:
        assert progress.moved[str(blob.digest)] == blob.size
    assert copied.sent == graph.size


def test_progress_tells_what_was_there() -> None:
    source, target, progress = MemoryStore(), MemoryStore(), Recorded()
    make(source, "index")
    copy(source, "v1", target, ["v1"])
    copy(source, "v1", target, ["v1"], progress=progress)
    assert set(map(tuple, progress.outcomes.values())) == {("present",)}
    assert sum(progress.moved.values()) == 0


class Mounting(Recorder):
    """A target that can take the blobs it is told of from a neighbour."""

    def __init__(self, neighbours: set[Digest]) -> None:
        super().__init__()
        self.neighbours = neighbours

    def mount(self, descriptor: Descriptor, source: Source) -> bool:
        self.log("mount", descriptor.digest)
        if descriptor.digest not in self.neighbours:
            return False
        assert isinstance(source, MemoryStore)
        self.blobs[descriptor.digest] = source.blobs[descriptor.digest]
        return True


def test_what_can_be_mounted_is_not_sent() -> None:
    source = Recorder()
    make(source, "index")
    graph = graph_of(source)
    mounted = {blob.digest for blob in graph.blobs[:3]}
    target, progress = Mounting(mounted), Recorded()
    source.calls.clear()
    copied = copy_graph(source, graph, target, ["v1"], progress=progress)
    assert copied.mounted == 3
    assert sorted(target.asked("mount")) == sorted(str(blob.digest) for blob in graph.blobs)
    assert mounted.isdisjoint(Digest.parse(which) for which in source.asked("open"))
    assert {progress.outcomes[str(digest)][0] for digest in mounted} == {"mounted"}
    assert target.blobs == source.blobs


def test_what_is_there_is_not_mounted() -> None:
    source = MemoryStore()
    make(source, "image")
    target = Mounting(set(source.blobs))
    target.blobs.update(source.blobs)
    copy(source, "v1", target, ["v1"])
    assert target.asked("mount") == []


def test_an_archive_is_planned_blobs_first_and_manifests_with_the_root_first(
    tmp_path: Path,
) -> None:
    source = MemoryStore()
    make(source, "index")
    graph = graph_of(source)
    with ArchiveWriter(tmp_path / "a.tar") as target:
        copy(source, "v1", target, ["v1"])
    with tarfile.open(tmp_path / "a.tar") as archive:
        found = [name.rpartition("/")[2] for name in archive.getnames() if "blobs/sha256/" in name]
    manifests = [manifest.descriptor for manifest in graph.manifests]
    assert found == [each.digest.hex for each in (*graph.blobs, *manifests)]


def test_a_name_that_is_not_there_is_not_found() -> None:
    target = Recorder()
    with pytest.raises(NotFound):
        copy(MemoryStore(), "v1", target, ["v1"])
    assert target.calls == []


def test_a_tag_that_points_there_already_is_not_set_again() -> None:
    source, target = MemoryStore(), Recorder()
    root = make(source, "image")
    copy(source, "v1", target, ["v1"])
    target.calls.clear()
    assert point(target, "v1", root) is False
    assert target.asked("tag") == []


@pytest.mark.parametrize(
    "error",
    [
        NotFound("no such tag"),
        AccessDenied("what is not there is denied", status=403),
        InvalidManifest("what is there is damaged"),
    ],
)
def test_a_tag_that_cannot_be_looked_up_is_set(error: ManyfestError) -> None:
    class Odd(Recorder):
        def resolve(self, name: str) -> Descriptor:
            raise error

    target = Odd()
    assert point(target, "v1", image(target)) is True
    assert target.asked("tag") == ["v1"]


def test_a_registry_that_does_not_answer_is_not_written_to() -> None:
    class Down(Recorder):
        def resolve(self, name: str) -> Descriptor:
            raise ConnectionFailed("no answer")

    target = Down()
    root = image(target)
    with pytest.raises(ConnectionFailed):
        point(target, "v1", root)
    assert target.asked("tag") == []


class Slices(MemoryStore):
    """Gives out readers that can skip, as an archive does, and knows how much was read of them."""

    def __init__(self) -> None:
        super().__init__()
        self.read: Counter[Digest] = Counter()

    def open(self, descriptor: Descriptor) -> Reader:
        data, read = self.blobs[descriptor.digest], self.read

        class Skipping(io.BytesIO):
            def skip(self, count: int, /) -> None:
                self.seek(count, io.SEEK_CUR)

            def read(self, size: int | None = -1, /) -> bytes:
                chunk = super().read(size)
                read[descriptor.digest] += len(chunk)
                return chunk

        return Skipping(data)


class GoingOn(MemoryStore):
    """Has the first ten bytes of each blob from an upload that broke off."""

    def put(self, content: Content) -> None:
        reader = content.open()
        pass_over(reader, 10)
        self.blobs[content.descriptor.digest] = reader.read(content.descriptor.size)


def test_an_upload_that_goes_on_does_not_read_again_what_can_be_skipped() -> None:
    source, target, progress = Slices(), GoingOn(), Recorded()
    blob = make(source, "image").children[1]
    copy(source, "v1", target, ["v1"], progress=progress)
    assert target.blobs[blob.digest] == source.blobs[blob.digest][10:]
    assert source.read[blob.digest] == blob.size - 10
    assert progress.moved[str(blob.digest)] == blob.size


def test_what_is_missing_is_named_in_order() -> None:
    source = MemoryStore()
    make(source, "index")
    graph = graph_of(source)
    gone = [graph.manifests[2].descriptor, graph.blobs[0], graph.blobs[4]]
    for part in gone:
        del source.blobs[part.digest]
    assert missing(source, graph) == gone
