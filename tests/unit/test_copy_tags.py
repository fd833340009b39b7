from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import manyfest.images.copy_tags
from manyfest.copy import Copied, Item, copy_graphs
from manyfest.errors import AccessDenied, ManyfestError, NotFound, RegistryError, StoreError
from manyfest.graph import read_graph
from manyfest.images.copy_tags import CopiedTags, copy_tags, differences
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.manifest import Manifest
from manyfest.progress import Progress
from manyfest.stores.base import Content, Reader, Source, Target
from manyfest.stores.memory import MemoryStore
from manyfest.stores.referrers import as_referrer, fallback_tag
from tests.images import content_of, image, index, platforms
from tests.quirks import Between, without_api
from tests.recorders import Recorder
from tests.referring import attach, sign


@pytest.fixture
def between() -> Iterator[Between]:
    registry = Between()
    yield registry
    registry.close()


def tagged(store: MemoryStore, tag: str, text: str = "") -> Manifest:
    root = image(store, text=text or tag)
    store.tag(tag, content_of(root))
    return root


def copied(source: MemoryStore, target: Target, *tags: str, referrers: bool = True) -> CopiedTags:
    """Copy these tags, or all that differ."""
    names = list(source.tags())
    found = differences(source, target, tags or names)
    return copy_tags(source, found.moved, target, known=names, referrers=referrers)


def is_whole(store: MemoryStore, tag: str) -> bool:
    graph = read_graph(store, store.resolve(tag))
    return all(map(store.has, graph.descriptors))


def test_tags_are_compared_by_what_they_mean_at_both_sides() -> None:
    here, there = MemoryStore(), MemoryStore()
    same, moved, new = tagged(here, "same"), tagged(here, "moved"), tagged(here, "new")
    tagged(there, "same")
    tagged(there, "moved", "old")
    tagged(there, "only there")
    found = differences(here, there, here.tags())
    assert found.same == {"same": same.descriptor}
    assert found.moved == {"moved": moved.descriptor, "new": new.descriptor}
    assert found.unreadable == {}


def test_what_is_the_same_costs_one_head_request_at_each_side(between: Between) -> None:
    store = between.store()
    for tag in ("v1", "v2"):
        store.tag(tag, content_of(image(store, text=tag)))
    between.asked()
    found = differences(store, store, ["v1", "v2"])
    assert list(found.same) == ["v1", "v2"]
    assert sorted(between.asked()) == ["HEAD manifests/v1"] * 2 + ["HEAD manifests/v2"] * 2


class Refusing(MemoryStore):
    """Says this of one name, and is otherwise as any other."""

    def __init__(self, name: str, error: ManyfestError) -> None:
        super().__init__()
        self._name = name
        self._error = error

    def resolve(self, name: str) -> Descriptor:
        if name == self._name:
            raise self._error
        return super().resolve(name)


@pytest.mark.parametrize(
    "error",
    [
        NotFound("gone"),
        AccessDenied("denied", status=403),
        RegistryError("not scanned yet", status=412),
    ],
)
def test_a_tag_that_cannot_be_read_is_told_and_the_others_are_compared(
    error: ManyfestError,
) -> None:
    here = Refusing("bad", error)
    good = tagged(here, "good")
    tagged(here, "bad")
    found = differences(here, MemoryStore(), here.tags())
    assert found.moved == {"good": good.descriptor}
    assert found.unreadable == {"bad": error}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_source_that_fails_is_an_error(status: int) -> None:
    here = Refusing("bad", RegistryError("failed", status=status))
    tagged(here, "bad")
    with pytest.raises(RegistryError, match="failed"):
        differences(here, MemoryStore(), here.tags())


def test_a_target_that_fails_is_an_error_and_no_fault_of_one_image() -> None:
    here, there = MemoryStore(), Refusing("v1", RegistryError("failed", status=418))
    tagged(here, "v1")
    with pytest.raises(RegistryError, match="failed"):
        differences(here, there, ["v1"])


def test_what_cannot_be_seen_at_the_target_is_copied() -> None:
    here, there = MemoryStore(), Refusing("v1", AccessDenied("denied", status=403))
    root = tagged(here, "v1")
    assert differences(here, there, ["v1"]).moved == {"v1": root.descriptor}


def test_what_differs_is_copied_and_set(between: Between) -> None:
    here = MemoryStore()
    root = platforms(here)
    for tag in ("1.2.3", "latest"):
        here.tag(tag, content_of(root))
    tagged(here, "edge")
    result = copied(here, between.store())
    assert sorted(result.copied) == ["1.2.3", "edge", "latest"]
    assert result.failed == {}
    assert result.sent > 0
    far = MemoryStore("far")
    there = between.store()
    copy_tags(there, {tag: there.resolve(tag) for tag in there.tags()}, far)
    assert far.names == here.names
    assert all(is_whole(far, tag) for tag in far.tags())


def test_an_image_has_its_tag_before_the_index_that_has_it() -> None:
    here, there = MemoryStore(), Recorder()
    root = platforms(here)
    here.tag("1.2.3", content_of(root))
    for platform in ("amd64", "arm64"):
        here.tag(f"1.2.3-{platform}", content_of(image(here, f"linux/{platform}")))
    copied(here, there)
    assert sorted(there.asked("tag")[:2]) == ["1.2.3-amd64", "1.2.3-arm64"]
    assert there.asked("tag")[2:] == ["1.2.3"]


def test_with_more_images_than_fit_into_memory_at_once_all_are_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(manyfest.images.copy_tags, "BATCH", 2)
    here, there = MemoryStore(), MemoryStore()
    for number in range(5):
        tagged(here, f"v{number}")
    batches: list[int] = []

    def noted(source: Source, items: list[Item], target: Target, **more: Progress) -> Copied:
        batches.append(len(items))
        return copy_graphs(source, items, target, **more)

    monkeypatch.setattr(manyfest.images.copy_tags, "copy_graphs", noted)
    copied(here, there)
    assert there.names == here.names
    assert batches == [2, 2, 1]


def without_a_layer(store: MemoryStore, root: Manifest) -> None:
    del store.blobs[root.image.layers[1].digest]


def with_a_damaged_layer(store: MemoryStore, root: Manifest) -> None:
    digest = root.image.layers[1].digest
    store.blobs[digest] = store.blobs[digest][:-1] + b"!"


def without_a_manifest(store: MemoryStore, root: Manifest) -> None:
    del store.blobs[root.descriptor.digest]


@pytest.mark.parametrize("damage", [without_a_layer, with_a_damaged_layer, without_a_manifest])
def test_an_image_that_cannot_be_read_keeps_no_other_from_being_copied(
    damage: Callable[[MemoryStore, Manifest], None],
) -> None:
    here, there = MemoryStore("here"), MemoryStore("there")
    for tag in ("a", "c"):
        tagged(here, tag)
    bad = tagged(here, "b")
    here.tag("b2", content_of(bad))
    damage(here, bad)
    result = copied(here, there)
    assert sorted(result.copied) == ["a", "c"]
    assert sorted(result.failed) == ["b", "b2"]
    assert result.failed["b"].where == "here"
    assert list(there.tags()) == ["a", "c"]


class Full(MemoryStore):
    """Takes nothing."""

    def __init__(self, error: ManyfestError) -> None:
        super().__init__("full")
        self._error = error

    def put(self, content: Content) -> None:
        raise self._error


@pytest.mark.parametrize(
    "error", [StoreError("disk full"), AccessDenied("denied", where="full", status=403)]
)
def test_a_target_that_fails_ends_it(error: ManyfestError) -> None:
    here = MemoryStore()
    for tag in ("a", "b"):
        tagged(here, tag)
    with pytest.raises(StoreError, match=error.what):
        copied(here, Full(error))


def test_what_refers_to_a_changed_image_goes_along(between: Between) -> None:
    here = MemoryStore()
    root = tagged(here, "v1")
    sbom = attach(here, root, "sbom")
    signed, signature = sign(here, root)
    there = between.store()
    result = copied(here, there)
    assert sorted(result.copied) == sorted(["v1", signed])
    assert there.referrers(root.descriptor.digest) == (as_referrer(sbom),)
    assert there.resolve(signed) == signature.descriptor


def test_what_refers_to_it_can_be_left() -> None:
    here, there = MemoryStore(), MemoryStore()
    root = tagged(here, "v1")
    attach(here, root, "sbom")
    sign(here, root)
    copied(here, there, "v1", referrers=False)
    assert list(there.tags()) == ["v1"]


def test_each_is_copied_once_however_it_is_found(between: Between) -> None:
    here = MemoryStore()
    root = tagged(here, "v1")
    attach(here, root, "sbom")
    sign(here, root)
    copied(here, between.store())
    asked = between.asked()
    assert len([line for line in asked if line.startswith("PUT manifests/")]) == 3
    assert asked.count("POST blobs/uploads/") == 6


@pytest.mark.parametrize("old", [False, True], ids=["referrers API", "no referrers API"])
def test_a_signature_that_came_later_follows_its_image(between: Between, old: bool) -> None:
    if old:
        between.quirk = without_api
    here = MemoryStore()
    root = tagged(here, "v1")
    copied(here, between.store())
    sbom = attach(here, root, "sbom")
    signed, signature = sign(here, root)
    there = between.store()
    result = copied(here, there)
    assert result.copied == [signed]
    assert there.referrers(root.descriptor.digest) == (as_referrer(sbom),)
    assert there.resolve(signed) == signature.descriptor


def test_what_is_attached_at_the_target_alone_stays() -> None:
    here, there = MemoryStore(), MemoryStore()
    root = tagged(here, "v1")
    copied(here, there)
    theirs = attach(there, root, "theirs")
    ours = attach(here, root, "ours")
    copied(here, there)
    assert there.referrers(root.descriptor.digest) == (as_referrer(theirs), as_referrer(ours))


def test_a_list_of_what_is_gone_attaches_nothing() -> None:
    here, there = MemoryStore(), MemoryStore()
    root = tagged(here, "v1")
    copied(here, there)
    sbom = attach(here, root, "sbom")
    del here.blobs[sbom.descriptor.digest]
    result = copied(here, there)
    assert (result.copied, result.failed) == ([], {})
    assert there.referrers(root.descriptor.digest) == ()


def test_an_image_that_is_tagged_like_a_list_is_an_image() -> None:
    here, there = MemoryStore(), MemoryStore()
    root = tagged(here, "v1")
    tag = fallback_tag(Manifest.of_index(index(here, []).index).descriptor.digest)
    here.tag(tag, content_of(root))
    copied(here, there)
    assert there.resolve(tag) == root.descriptor


def test_a_child_that_is_missing_below_an_unchanged_tag_is_mended() -> None:
    here, there = MemoryStore(), MemoryStore()
    root = platforms(here)
    here.tag("v1", content_of(root))
    copied(here, there)
    child = read_graph(there, root.descriptor).manifests[1]
    del there.blobs[child.descriptor.digest]
    del there.blobs[child.image.layers[1].digest]
    found = differences(here, there, ["v1"])
    assert (found.moved, list(found.same)) == ({}, ["v1"])
    result = copy_tags(here, found.same, there)
    assert is_whole(there, "v1")
    assert result.sent == child.descriptor.size + child.image.layers[1].size


class Slow(MemoryStore):
    """Reads a manifest that it had when it was looked up, and has not any more."""

    def open(self, descriptor: Descriptor) -> Reader:
        if descriptor.is_manifest:
            raise NotFound("it was deleted meanwhile", where=self.label)
        return super().open(descriptor)


def test_a_tag_that_goes_away_meanwhile_is_told() -> None:
    here = Slow()
    tagged(here, "v1")
    result = copied(here, MemoryStore(), referrers=False)
    assert str(result.failed["v1"]) == "memory: it was deleted meanwhile"
