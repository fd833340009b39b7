from __future__ import annotations

import io
from collections import Counter

import msgspec
import pytest

import manyfest.graph
from manyfest.errors import DigestMismatch, InvalidManifest, NotFound
from manyfest.graph import read_config, read_graph, read_manifest
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.base import Reader
from manyfest.stores.memory import MemoryStore
from tests.images import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    attested,
    docker_list,
    entry,
    image,
    index,
    nested,
    platforms,
    put,
    put_manifest,
    single,
)


class Counting(MemoryStore):
    """A store that counts what is opened in it."""

    def __init__(self) -> None:
        super().__init__("counting")
        self.opened: Counter[Digest] = Counter()

    def open(self, descriptor: Descriptor) -> Reader:
        self.opened[descriptor.digest] += 1
        return super().open(descriptor)


def chain(store: MemoryStore, length: int) -> Manifest:
    """An image in an index in an index, and so on: ``length`` indexes."""
    root = image(store)
    for _ in range(length):
        root = index(store, [entry(root)])
    return root


def test_a_single_image_is_a_graph_of_one_manifest() -> None:
    store = MemoryStore()
    root = single(store)
    graph = read_graph(store, root.descriptor)
    assert graph.root == root
    assert graph.manifests == (root,)
    assert graph.blobs == root.children
    assert graph.descriptors == (root.descriptor, *root.children)
    assert graph.size == sum(len(data) for data in store.blobs.values())


def test_what_images_share_is_in_the_graph_once() -> None:
    store = MemoryStore()
    graph = read_graph(store, platforms(store).descriptor)
    assert len(graph.manifests) == 4
    assert len(graph.blobs) == 3 * 2 + 1
    assert {part.digest for part in graph.descriptors} == store.blobs.keys()
    assert len(graph.descriptors) == len(store.blobs)


def test_each_manifest_is_read_once_however_many_point_at_it() -> None:
    store = Counting()
    graph = read_graph(store, nested(store).descriptor)
    assert len(graph.manifests) == 6
    assert set(store.opened.values()) == {1}
    assert len(store.opened) == 6


def test_parents_come_before_children_in_a_diamond() -> None:
    store = MemoryStore()
    graph = read_graph(store, nested(store).descriptor)
    order = [manifest.descriptor.digest for manifest in graph.manifests]
    for manifest in graph.manifests:
        for child in manifest.children:
            if child.is_manifest:
                assert order.index(manifest.descriptor.digest) < order.index(child.digest)
    assert order[0] == graph.root.descriptor.digest


def test_groups_go_from_the_leaves_to_the_root() -> None:
    store = MemoryStore()
    graph = read_graph(store, nested(store).descriptor)
    groups = graph.bottom_up()
    assert [len(group) for group in groups] == [3, 2, 1]
    seen: set[Digest] = {blob.digest for blob in graph.blobs}
    for group in groups:
        assert all(child.digest in seen for manifest in group for child in manifest.children)
        seen |= {manifest.descriptor.digest for manifest in group}
    assert groups[-1] == [graph.root]


def test_indexes_may_be_eight_deep_and_no_deeper() -> None:
    store = MemoryStore()
    assert len(read_graph(store, chain(store, 8).descriptor).manifests) == 9
    with pytest.raises(InvalidManifest, match="has indexes more than 8 deep"):
        read_graph(store, chain(store, 9).descriptor)


def test_a_graph_of_too_many_parts_is_refused_before_all_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(manyfest.graph, "MAX_GRAPH_NODES", 10)
    store = Counting()
    wide = index(store, [entry(image(store, text=str(n))) for n in range(11)])
    with pytest.raises(InvalidManifest, match="has more than 10 parts"):
        read_graph(store, wide.descriptor)
    assert list(store.opened) == [wide.descriptor.digest]


def test_manifests_that_would_fill_the_memory_are_refused_before_they_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(manyfest.graph, "MAX_MANIFEST_BYTES", 2000)
    store = Counting()
    root = platforms(store, [f"linux/{cpu}" for cpu in ("amd64", "arm64", "386", "riscv64")])
    with pytest.raises(InvalidManifest, match="has manifests of more than 2000 bytes together"):
        read_graph(store, root.descriptor)
    assert list(store.opened) == [root.descriptor.digest]


def test_a_digest_that_is_said_to_have_two_sizes_is_refused() -> None:
    store = MemoryStore()
    one, two = image(store, text="1"), image(store, text="2")
    shared = one.image.layers[0]
    lie = msgspec.structs.replace(shared, size=shared.size + 1)
    wrong = msgspec.structs.replace(two.image, layers=(lie,))
    root = index(store, [entry(one), entry(put_manifest(store, Manifest.of_image(wrong)))])
    size = shared.size
    with pytest.raises(
        InvalidManifest, match=f"{shared.digest} has {size + 1} bytes, and elsewhere {size}"
    ):
        read_graph(store, root.descriptor)


def test_a_missing_manifest_is_not_found() -> None:
    store = MemoryStore()
    root = platforms(store)
    del store.blobs[root.children[1].digest]
    with pytest.raises(NotFound, match=str(root.children[1].digest)):
        read_graph(store, root.descriptor)


def test_a_manifest_of_other_bytes_is_refused() -> None:
    store = MemoryStore()
    root = platforms(store)
    child = root.children[1].digest
    store.blobs[child] = b" " + store.blobs[child][1:]
    with pytest.raises(DigestMismatch, match=f"memory: {child} has the digest"):
        read_graph(store, root.descriptor)


@pytest.mark.parametrize(
    ("raw", "media_type", "message"),
    [
        (b"not json", OCI_MANIFEST, "the manifest is not JSON"),
        (b'{"schemaVersion":2,"manifests":[]}', OCI_MANIFEST, "has the form of an index"),
        (b'{"schemaVersion":2,"manifests":[],"layers":[]}', OCI_INDEX, "an index and an image"),
        (b'{"manifests":[],"mediaType":"text/plain"}', OCI_INDEX, "text/plain"),
    ],
)
def test_what_is_no_manifest_is_refused_and_located(
    raw: bytes, media_type: str, message: str
) -> None:
    store = MemoryStore()
    root = put(store, raw, media_type)
    with pytest.raises(InvalidManifest, match=message) as caught:
        read_manifest(store, root)
    assert caught.value.where == f"memory@{root.digest}"


def test_a_manifest_that_index_json_calls_something_else_is_what_its_body_says() -> None:
    store = MemoryStore()
    root = single(store)
    called = msgspec.structs.replace(root.descriptor, media_type="application/json")
    assert read_manifest(store, called).descriptor == root.descriptor


def test_a_descriptor_keeps_what_its_index_says_of_it() -> None:
    store = MemoryStore()
    root = platforms(store)
    assert read_manifest(store, root.children[1]).descriptor.platform == Platform.parse("arm64")


def test_entries_may_be_left_out() -> None:
    store = Counting()
    root = platforms(store)
    arm64 = Platform.parse("linux/arm64")
    graph = read_graph(store, root.descriptor, select=lambda entry: entry.platform == arm64)
    assert [manifest.descriptor.digest for manifest in graph.manifests] == [
        root.descriptor.digest,
        root.children[1].digest,
    ]
    assert len(store.opened) == 2
    assert [len(group) for group in graph.bottom_up()] == [1, 1]


def test_foreign_layers_stay_where_they_are() -> None:
    store = MemoryStore()
    foreign = Descriptor(
        media_type="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        digest=Digest.of(b"windows"),
        size=7,
        urls=("https://mcr.example.com/layer",),
    )
    plain = single(store).image
    body = msgspec.structs.replace(plain, layers=(foreign, *plain.layers))
    root = put_manifest(store, Manifest.of_image(body))
    graph = read_graph(store, root.descriptor)
    assert foreign.digest not in {part.digest for part in graph.descriptors}
    assert len(graph.blobs) == 3


def test_a_subject_is_not_part_of_the_graph() -> None:
    store = MemoryStore()
    subject = image(store, text="subject")
    root = image(store, subject=subject.descriptor)
    assert len(read_graph(store, root.descriptor).manifests) == 1


def test_parts_are_labelled_by_the_platform_they_belong_to() -> None:
    store = MemoryStore()
    graph = read_graph(store, attested(store).descriptor)
    labels = graph.labels()
    amd64, attestation = graph.manifests[1], graph.manifests[2]
    assert labels[graph.root.descriptor.digest] == "index"
    assert labels[amd64.descriptor.digest] == "linux/amd64"
    assert [labels[blob.digest] for blob in amd64.children] == ["linux/amd64"] * 3
    assert labels[attestation.descriptor.digest] == "attestations"
    assert set(labels) == {part.digest for part in graph.descriptors}
    assert read_graph(store, amd64.descriptor).labels() == {
        part.digest: "image" for part in (amd64.descriptor, *amd64.children)
    }


def test_dockers_types_make_the_same_graph() -> None:
    store = MemoryStore()
    graph = read_graph(store, docker_list(store).descriptor)
    assert len(graph.manifests) == 4
    assert len(graph.blobs) == 7


def test_a_configuration_is_read_and_located() -> None:
    store = MemoryStore()
    assert read_config(store, single(store).image).platform == Platform.parse("linux/amd64")
    broken = put(store, b"{}", OCI_CONFIG)
    body = Image(schema_version=2, media_type=OCI_MANIFEST, config=broken, layers=())
    with pytest.raises(InvalidManifest, match="missing required field `rootfs`") as caught:
        read_config(store, body)
    assert caught.value.where == f"memory@{broken.digest}"


def test_a_source_that_sends_more_than_promised_is_cut_off() -> None:
    class Endless(MemoryStore):
        def open(self, descriptor: Descriptor) -> Reader:
            return Zeros()

    class Zeros(io.BytesIO):
        given = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.given += size or 0
            assert self.given < 20_000_000
            return bytes(size or 0)

    root = single(MemoryStore()).descriptor
    with pytest.raises(DigestMismatch, match="is longer than the"):
        read_graph(Endless(), root)
