"""What a target lost, or cannot take all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyfest.copy import Item, copy_graph, copy_graphs, point
from manyfest.errors import PartsMissing, StoreError, Unsupported
from manyfest.images.selection import narrowed_graph
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.platform import Platform
from manyfest.stores.base import Content
from manyfest.stores.layout import LayoutStore
from manyfest.stores.memory import MemoryStore
from tests.images import make
from tests.recorders import Recorder, graph_of


class Forgetful(Recorder):
    """Says that it has what it lost, until a manifest needs it."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: set[Digest] = set()

    def has(self, descriptor: Descriptor) -> bool:
        return descriptor.digest in self.lost or super().has(descriptor)

    def put(self, content: Content) -> None:
        self._require_parts(content)
        super().put(content)
        self.lost.discard(content.descriptor.digest)

    def tag(self, name: str, manifest: Content) -> None:
        self._require_parts(manifest)
        super().tag(name, manifest)

    def _require_parts(self, content: Content) -> None:
        raw = content.open().read(1 << 20) if content.descriptor.is_manifest else b""
        gone = [str(digest) for digest in self.lost if str(digest).encode() in raw]
        if gone:
            raise PartsMissing("blob unknown", where=self.label, digests=tuple(gone))


@pytest.mark.parametrize("which", ["config", "layer", "manifest"])
def test_what_the_target_lost_is_sent_again(which: str) -> None:
    source, target = MemoryStore(), Forgetful()
    root = make(source, "index")
    graph = graph_of(source)
    image = graph.manifests[1]
    lost = {
        "config": image.image.config.digest,
        "layer": image.image.layers[0].digest,
        "manifest": image.descriptor.digest,
    }
    target.lost.add(lost[which])

    copy_graph(source, graph, target, ["v1"])

    assert target.resolve("v1").digest == root.descriptor.digest
    assert all(MemoryStore.has(target, part) for part in graph.descriptors)


def test_a_manifest_that_a_layout_names_and_lost_is_brought(tmp_path: Path) -> None:
    source, target = MemoryStore(), LayoutStore(tmp_path)
    root = make(source, "index")
    graph = graph_of(source)
    copy_graph(source, graph, target, ["v1"])
    target.blobs.path(root.descriptor.digest).unlink()

    copied = copy_graph(source, graph, target, ["v1"])

    assert (copied.sent, target.blobs.has(root.descriptor)) == (root.descriptor.size, True)


def test_a_registry_that_takes_no_gaps_is_told_of_with_the_way_out() -> None:
    source, target = MemoryStore(), Forgetful()
    root = make(source, "index")
    _, arm64, _ = root.index.manifests
    graph = narrowed_graph(source, root.descriptor, [Platform.parse("linux/amd64")], sparse=True)
    target.lost.add(arm64.digest)

    with pytest.raises(Unsupported, match="takes no index with a gap") as caught:
        copy_graph(source, graph, target, ["v1"])

    assert "leave out --sparse" in caught.value.mend
    assert target.names == {}


class Lagging(MemoryStore):
    """Shows what was written only when it is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.settled: list[tuple[str, Digest]] = []

    def settle(self, name: str, digest: Digest) -> None:
        self.settled.append((name, digest))


def test_a_tag_is_waited_for_until_it_shows() -> None:
    source, target = MemoryStore(), Lagging()
    root = make(source, "image")

    copy_graph(source, graph_of(source), target, ["v1"])

    assert target.settled == [("v1", root.descriptor.digest)]


def test_a_tag_that_was_right_is_not_waited_for() -> None:
    target = Lagging()
    root = make(target, "image")

    assert not point(target, "v1", root)
    assert target.settled == []


class OneAtATime(Recorder):
    """Refuses what is put while another put is under way, as a stream must."""

    ordered = True

    def __init__(self) -> None:
        super().__init__()
        self.busy = False
        self.planned: list[Digest] = []

    def plan(self, descriptors: tuple[Descriptor, ...]) -> None:
        self.planned = [descriptor.digest for descriptor in descriptors]

    def put(self, content: Content) -> None:
        if self.busy:
            raise StoreError("two at once")
        self.busy = True
        super().put(content)
        self.busy = False


def test_a_stream_is_given_one_thing_at_a_time_in_the_order_of_the_plan() -> None:
    source, target = MemoryStore(), OneAtATime()
    make(source, "index")
    graph = graph_of(source)

    copy_graph(source, graph, target, ["v1"])

    blobs = [str(blob.digest) for blob in graph.blobs]
    assert target.asked("put")[: len(blobs)] == blobs
    assert target.planned == [part.digest for part in graph.descriptors]


def test_what_several_images_share_is_moved_once() -> None:
    source, target = MemoryStore(), Recorder()
    make(source, "index", "v1")
    make(source, "nested index", "v2")
    items = [Item(graph=graph_of(source, tag), tags=(tag,)) for tag in ("v1", "v2")]

    copied = copy_graphs(source, items, target)

    puts = target.asked("put")
    assert len(puts) == len(set(puts))
    assert target.resolve("v1").digest == items[0].graph.root.descriptor.digest
    assert target.resolve("v2").digest == items[1].graph.root.descriptor.digest
    assert copied.sent == sum(len(data) for data in target.blobs.values())


def test_what_accompanies_an_image_is_in_place_before_the_image_has_its_name() -> None:
    source, target = MemoryStore(), Recorder()
    make(source, "image", "v1")
    make(source, "artifact", "signature")
    items = [
        Item(graph=graph_of(source, "v1"), tags=("v1",)),
        Item(graph=graph_of(source, "signature"), tags=("signature",), accompanies=True),
    ]

    copy_graphs(source, items, target)

    assert target.asked("tag") == ["signature", "v1"]
