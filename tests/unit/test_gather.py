from __future__ import annotations

import msgspec
import pytest

from manyfest.copy import Item, copy_graphs
from manyfest.errors import (
    DigestMismatch,
    NotFound,
    StoreError,
    Unsupported,
    UsageError,
)
from manyfest.images.gather import Gathered, move, read_held, read_part
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.memory import MemoryStore
from tests import images
from tests.images import content_of, entry, image, index, make, put
from tests.recorders import Recorder, graph_of


def platforms_in(store: MemoryStore, *wanted: str) -> list[str]:
    part = read_part(store, "v1", [Platform.parse(each) for each in wanted], "host/app:v1")
    return [str(offer.entry.platform) for offer in part.offers]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("image", ["linux/amd64"]),
        ("index", ["linux/amd64", "linux/arm64", "linux/arm/v7"]),
        ("docker list", ["linux/amd64", "linux/arm64", "linux/arm/v7"]),
        ("nested index", ["linux/amd64", "linux/arm64", "linux/riscv64"]),
        (
            "index with attestations",
            ["linux/amd64", "unknown/unknown", "linux/arm64", "unknown/unknown"],
        ),
    ],
)
def test_everything_is_offered_of_each_kind(kind: str, names: list[str]) -> None:
    store = MemoryStore()
    make(store, kind)

    assert platforms_in(store) == names


def test_platforms_that_are_named_are_offered_with_what_attests_to_them() -> None:
    store = MemoryStore()
    make(store, "index with attestations")

    assert platforms_in(store, "linux/arm64") == ["linux/arm64", "unknown/unknown"]


def test_an_offer_says_where_it_comes_from() -> None:
    store = MemoryStore()
    make(store, "image")

    (offer,) = read_part(store, "v1", (), "host/app:v1").offers

    assert offer.where == "host/app:v1"


def test_each_image_is_read_once_with_all_that_it_consists_of() -> None:
    store = MemoryStore()
    scripts = image(store)
    listed = [entry(scripts, "linux/amd64"), entry(scripts, "linux/arm64")]
    store.tag("v1", content_of(index(store, listed)))

    part = read_part(store, "v1", (), "host/app:v1")

    assert len(part.offers) == 2
    (graph,) = part.images
    assert (graph.root.raw, graph.blobs) == (scripts.raw, scripts.children)


def test_a_platform_that_is_named_is_the_platform_of_a_single_image() -> None:
    store = MemoryStore()
    store.tag("v1", content_of(image(store, "linux/arm/v7")))

    assert platforms_in(store, "linux/arm/v6") == ["linux/arm/v6"]


def test_an_artifact_is_offered_by_its_type_if_a_platform_is_named() -> None:
    store = MemoryStore()
    make(store, "artifact")

    (offer,) = read_part(store, "v1", [Platform.parse("linux/amd64")], "host/app:v1").offers

    assert offer.entry.artifact_type == "application/vnd.example.sbom"
    with pytest.raises(UsageError, match=r"^host/app:v1: it names no platform; name it: linux/"):
        read_part(store, "v1", (), "host/app:v1")


def test_a_platform_that_an_index_does_not_have_is_told() -> None:
    store = MemoryStore()
    make(store, "index")

    with pytest.raises(NotFound, match="it has no linux/s390x; it has linux/amd64, linux/arm64"):
        read_part(store, "v1", [Platform.parse("linux/s390x")], "host/app:v1")


def test_an_index_with_a_gap_is_not_taken() -> None:
    store = MemoryStore()
    root = make(store, "index")
    del store.blobs[root.children[2].digest]

    with pytest.raises(NotFound, match=f"^memory: {root.children[2].digest} is missing$"):
        read_part(store, "v1", (), "host/app:v1")


def test_what_is_no_manifest_is_not_taken() -> None:
    store = MemoryStore()
    text = put(store, b"text", "text/plain")
    store.tag("v1", content_of(index(store, [text])))

    with pytest.raises(Unsupported, match=f"it names {text.digest}, which is no manifest"):
        read_part(store, "v1", (), "host/app:v1")


def test_an_index_is_held_with_the_platforms_that_it_does_not_say() -> None:
    store = Recorder()
    silent = image(store, "linux/arm64").descriptor
    root = index(store, [silent])

    held = read_held(store, root.descriptor, "host/app:v1")

    assert store.asked("open").count(str(root.descriptor.digest)) == 1

    assert (held.manifest.raw, held.where) == (root.raw, "host/app:v1")
    assert held.images == ((Platform.parse("linux/arm64"), silent),)


def test_an_image_is_no_index() -> None:
    store = MemoryStore()

    with pytest.raises(UsageError) as caught:
        read_held(store, image(store).descriptor, "host/app:v1")

    assert str(caught.value) == (
        "host/app:v1: it is one image, and no index;"
        " make one: manyfest index create host/app:v1 host/app:v1 SOURCE"
    )


def two_indexes(store: MemoryStore) -> tuple[Manifest, Manifest]:
    """Two of them, of which the first is tagged."""
    before, after = images.platforms(store), images.platforms(store, ["linux/amd64"])
    store.tag("v1", content_of(before))
    return before, after


def test_a_tag_moves_to_the_new_index() -> None:
    store = MemoryStore()
    before, after = two_indexes(store)

    assert move(store, "v1", before.descriptor.digest, after) is True
    assert store.resolve("v1") == after.descriptor


def test_a_new_tag_is_set() -> None:
    store = MemoryStore()
    _, after = two_indexes(store)

    assert move(store, "v2", None, after) is True
    assert store.resolve("v2") == after.descriptor


def test_a_tag_that_is_there_already_stays() -> None:
    store = Recorder()
    before, _ = two_indexes(store)
    store.calls.clear()

    assert move(store, "v1", Digest.of(b"older"), before) is False
    assert store.asked("tag") == []


@pytest.mark.parametrize("read_as", [None, Digest.of(b"another")])
def test_a_tag_that_was_moved_by_somebody_else_is_left(read_as: Digest | None) -> None:
    store = MemoryStore()
    before, after = two_indexes(store)

    with pytest.raises(StoreError) as caught:
        move(store, "v1", read_as, after)

    assert str(caught.value) == (
        f"memory: v1 was {read_as or 'not there'} when it was read, and now is"
        f" {before.descriptor.digest}; it was left so; run the same command again to change what"
        " is there now"
    )
    assert store.resolve("v1") == before.descriptor


def test_a_tag_that_somebody_else_took_away_is_not_set_again() -> None:
    store = MemoryStore()
    before, after = two_indexes(store)
    del store.names["v1"]

    with pytest.raises(StoreError, match="and now is gone"):
        move(store, "v1", before.descriptor.digest, after)


def test_what_is_gathered_is_read_where_it_was_found_first() -> None:
    first, second = Recorder("first"), Recorder("second")
    make(first, "image")
    make(second, "index")
    gathered = Gathered([(first, graph_of(first)), (second, graph_of(second))])
    first.calls.clear()
    second.calls.clear()
    target = MemoryStore()

    copy_graphs(gathered, [Item(graph=graph_of(second), tags=("v1",))], target)

    amd64 = graph_of(first)
    assert set(first.asked("open")) >= {str(blob.digest) for blob in amd64.blobs}
    assert not {str(blob.digest) for blob in amd64.blobs} & set(second.asked("open"))
    assert target.resolve("v1") == second.resolve("v1")


def test_what_is_damaged_is_told_with_the_place_where_it_was_found() -> None:
    first, second = MemoryStore("first"), MemoryStore("second")
    make(first, "image")
    make(second, "docker list")
    graph = graph_of(second)
    gathered = Gathered([(first, graph_of(first)), (second, graph)])
    layer = graph.blobs[-1]
    second.blobs[layer.digest] = b"x" * layer.size

    with pytest.raises(DigestMismatch, match=f"^second: {layer.digest} has the digest"):
        copy_graphs(gathered, [Item(graph=graph, tags=("v1",))], MemoryStore())


def test_what_was_not_gathered_is_not_found() -> None:
    store = MemoryStore("first")
    make(store, "image")
    gathered = Gathered([(store, graph_of(store))])
    other = Descriptor.of(b"other", "text/plain")

    assert not gathered.has(other)
    assert gathered.has(graph_of(store).blobs[0])
    with pytest.raises(NotFound, match=f"^first: {other.digest} is not in it$"):
        gathered.open(other)
    with pytest.raises(NotFound, match=r"^first: 'v1' is not in it: it has no names$"):
        gathered.resolve("v1")


def test_closing_what_is_gathered_closes_nothing() -> None:
    class Open(MemoryStore):
        def close(self) -> None:
            raise AssertionError

    store = Open()
    make(store, "image")
    with Gathered([(store, graph_of(store))]):
        pass


def test_the_type_of_an_entry_is_kept_in_the_index_that_is_read() -> None:
    store = MemoryStore()
    listed = msgspec.structs.replace(entry(image(store), "linux/amd64"), urls=("https://a.b",))
    store.tag("v1", content_of(index(store, [listed])))

    (offer,) = read_part(store, "v1", (), "host/app:v1").offers

    assert offer.entry == listed
