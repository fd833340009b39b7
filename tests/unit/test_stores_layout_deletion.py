from __future__ import annotations

import multiprocessing
from contextlib import suppress
from multiprocessing.synchronize import Barrier
from pathlib import Path

import msgspec
import pytest

from manyfest.errors import InvalidArchive, InvalidManifest, NotFound, StoreError
from manyfest.graph import read_graph
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index, Manifest
from manyfest.stores.base import Content
from manyfest.stores.layout import LayoutStore
from manyfest.stores.referrers import as_referrer
from tests.images import artifact, content_of, entry, image, index, make, platforms

REF_NAME = "org.opencontainers.image.ref.name"


def blobs_in(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("blobs/*/*")}


def digests(*manifests: Manifest) -> set[str]:
    """Of the manifests and all that they point at."""
    parts = [part for each in manifests for part in (each.descriptor, *each.children)]
    return {part.digest.hex for part in parts}


def tagged(store: LayoutStore, tag: str, *, text: str = "") -> Manifest:
    root = image(store, text=text)
    store.tag(tag, content_of(root))
    return root


def test_what_only_the_deleted_led_to_goes_with_it(tmp_path: Path) -> None:
    with LayoutStore(tmp_path) as store:
        root, other = make(store, "nested index"), tagged(store, "other")
        store.delete(root.descriptor.digest)
    assert blobs_in(tmp_path) == digests(other)


def test_what_another_name_leads_to_stays(tmp_path: Path) -> None:
    with LayoutStore(tmp_path) as store:
        one, two = tagged(store, "one", text="1"), tagged(store, "two", text="2")
        shared = set(one.children) & set(two.children)
        assert len(shared) == 1
        store.delete(one.descriptor.digest)
    assert blobs_in(tmp_path) == digests(two)


def test_with_the_last_name_the_content_goes(tmp_path: Path) -> None:
    with LayoutStore(tmp_path) as store:
        root, other = make(store, "index", "1.2.3"), tagged(store, "other")
        store.tag("latest", content_of(root))
        store.untag("latest")
        assert digests(root) <= blobs_in(tmp_path)
        store.untag("1.2.3")
    assert blobs_in(tmp_path) == digests(other)


def test_the_name_of_a_part_goes_and_the_part_stays(tmp_path: Path) -> None:
    with LayoutStore(tmp_path) as store:
        root = make(store, "index")
        store.tag("arm64", Content(root.children[1], lambda: store.open(root.children[1])))
        before = blobs_in(tmp_path)
        store.untag("arm64")
    assert blobs_in(tmp_path) == before


def test_a_manifest_that_has_no_name_can_be_deleted(tmp_path: Path) -> None:
    with LayoutStore(tmp_path) as store:
        store.delete(image(store).descriptor.digest)
    assert blobs_in(tmp_path) == set()


def test_a_part_of_an_index_is_not_deleted(tmp_path: Path) -> None:
    with LayoutStore(tmp_path) as store:
        root = make(store, "index")
        before = blobs_in(tmp_path)
        child = root.index.manifests[1].digest
        with pytest.raises(StoreError) as caught:
            store.delete(child)
    assert str(caught.value) == (
        f"oci:{tmp_path}: {child} is part of the index {root.descriptor.digest}; delete that first"
    )
    assert blobs_in(tmp_path) == before


def test_with_the_last_referrer_its_list_goes(tmp_path: Path) -> None:
    with LayoutStore(tmp_path) as store:
        referrer = artifact(store)
        subject = referrer.body.subject
        assert subject is not None
        store.tag("v1", content_of(image(store)))
        store.attach(subject, as_referrer(referrer))
        assert list(store.tags()) == ["v1", f"sha256-{subject.digest.hex}"]
        store.delete(referrer.descriptor.digest)
        assert list(store.tags()) == ["v1"]
        assert blobs_in(tmp_path) == digests(image(store))


def test_what_refers_to_the_deleted_stays(tmp_path: Path) -> None:
    with LayoutStore(tmp_path) as store:
        referrer = artifact(store)
        subject = referrer.body.subject
        assert subject is not None
        store.attach(subject, as_referrer(referrer))
        store.delete(subject.digest)
        assert store.referrers(subject.digest) == (as_referrer(referrer),)


def test_nothing_is_deleted_while_somebody_writes(tmp_path: Path) -> None:
    with LayoutStore(tmp_path) as store:
        root = tagged(store, "v1")
    with LayoutStore(tmp_path) as writer, LayoutStore(tmp_path) as store:
        assert writer.has(root.children[0])
        with pytest.raises(StoreError, match="somebody is writing to it; try again later"):
            store.delete(root.descriptor.digest)
        assert store.resolve("v1").digest == root.descriptor.digest
        writer.close()
        store.delete(root.descriptor.digest)
    assert blobs_in(tmp_path) == set()


def test_a_store_that_wrote_may_delete_and_go_on_writing(tmp_path: Path) -> None:
    with LayoutStore(tmp_path) as store, LayoutStore(tmp_path) as other:
        store.delete(tagged(store, "v1").descriptor.digest)
        root = tagged(store, "v2")
        with pytest.raises(StoreError, match="somebody is writing to it"):
            other.delete(root.descriptor.digest)


def test_a_deletion_that_was_interrupted_is_finished_by_the_next(tmp_path: Path) -> None:
    with LayoutStore(tmp_path) as store:
        root = make(store, "index")
        store.update(lambda index: msgspec.structs.replace(index, manifests=()))
        store.blobs.path(root.children[0].digest).unlink()
        store.delete(root.descriptor.digest)
        # Below the child that is gone already, nothing is known to belong to it.
        assert not store.has(root.descriptor)
        assert [child for child in root.children if store.has(child)] == []


@pytest.mark.parametrize("raw", [b"damaged", None], ids=["damaged", "missing"])
def test_what_is_damaged_or_missing_stops_no_deletion(tmp_path: Path, raw: bytes | None) -> None:
    with LayoutStore(tmp_path) as store:
        root, other = tagged(store, "v1", text="1"), tagged(store, "v2", text="2")
        for each in (root, other):
            path = store.blobs.path(each.descriptor.digest)
            path.write_bytes(raw) if raw else path.unlink()
        store.delete(root.descriptor.digest)
        assert list(store.tags()) == ["v2"]


def test_what_cannot_be_read_stops_a_deletion(tmp_path: Path) -> None:
    with LayoutStore(tmp_path) as store:
        root, other = tagged(store, "v1", text="1"), tagged(store, "v2", text="2")
        path = store.blobs.path(other.descriptor.digest)
        path.unlink()
        path.mkdir()
        before = blobs_in(tmp_path)
        with pytest.raises(InvalidArchive, match="cannot be read"):
            store.delete(root.descriptor.digest)
    assert blobs_in(tmp_path) == before


def test_a_layer_is_no_manifest_to_delete(tmp_path: Path) -> None:
    with LayoutStore(tmp_path) as store:
        root = tagged(store, "v1")
        layer = root.children[-1]
        with pytest.raises(InvalidManifest):
            store.delete(layer.digest)
        assert store.has(layer)


def test_no_layout_is_made_to_take_something_away_from(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "none")
    with pytest.raises(NotFound, match="there is no OCI layout here"):
        store.untag("v1")
    with pytest.raises(NotFound, match="there is no OCI layout here"):
        store.delete(Digest.of(b""))
    assert list(tmp_path.iterdir()) == []


def names(*pairs: tuple[Manifest, str]) -> Index:
    entries = [entry(manifest, "", **{REF_NAME: name}) for manifest, name in pairs]
    return Index(schema_version=2, manifests=tuple(entries))


def test_a_whole_name_is_taken_away_before_a_tag(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    one, two = image(store, text="1"), image(store, text="2")
    written = names((one, "one.example/app:v1"), (two, "two.example/app:v1"))
    store.update(lambda _: written)
    with pytest.raises(NotFound, match="'v1' names 2 images in it"):
        store.untag("v1")
    store.untag("one.example/app:v1")
    store.untag("v1")
    assert list(store.tags()) == []


def test_the_name_of_platforms_straight_in_index_json_is_that_of_all(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path)
    root = platforms(store)
    flat = [
        msgspec.structs.replace(each, annotations={REF_NAME: "v1"}) for each in root.index.manifests
    ]
    store.update(lambda _: Index(schema_version=2, manifests=tuple(flat)))
    store.untag("v1")
    assert list(store.tags()) == []


def attach_many(folder: Path, mine: str, subject: Descriptor) -> None:
    with LayoutStore(folder) as store:
        for number in range(15):
            store.attach(subject, as_referrer(index(store, [], text=f"{mine}{number}")))


def test_processes_that_attach_at_once_lose_nothing(tmp_path: Path) -> None:
    subject = make(LayoutStore(tmp_path), "image").descriptor
    run_both((attach_many, tmp_path, "a", subject), (attach_many, tmp_path, "b", subject))
    assert len(LayoutStore(tmp_path).referrers(subject.digest)) == 30


ROUNDS = 60


def write_many(folder: Path, both: Barrier) -> None:
    for number in range(ROUNDS):
        both.wait()
        with LayoutStore(folder) as store:
            tagged(store, f"kept-{number}", text=str(number))


def delete_many(folder: Path, both: Barrier) -> None:
    with LayoutStore(folder) as store:
        for number in range(ROUNDS):
            tagged(store, f"gone-{number}", text=str(number))
            store.close()
            both.wait()
            with suppress(StoreError):  # the other one is writing
                store.untag(f"gone-{number}")


def test_what_one_process_deletes_another_never_misses(tmp_path: Path) -> None:
    both = multiprocessing.get_context("spawn").Barrier(2)
    run_both((write_many, tmp_path, both), (delete_many, tmp_path, both))
    with LayoutStore(tmp_path) as store:
        for number in range(ROUNDS):
            graph = read_graph(store, store.resolve(f"kept-{number}"))
            assert [part for part in graph.descriptors if not store.has(part)] == []


def run_both(*jobs: tuple[object, ...]) -> None:
    context = multiprocessing.get_context("spawn")
    running = [context.Process(target=work, args=rest) for work, *rest in jobs]  # type: ignore[arg-type]
    for process in running:
        process.start()
    for process in running:
        process.join()
    assert [process.exitcode for process in running] == [0, 0]
