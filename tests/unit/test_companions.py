from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

import manyfest.images.companions
from manyfest.copy import Item, copy_graphs
from manyfest.errors import AccessDenied, InvalidManifest, NotFound
from manyfest.graph import read_graph
from manyfest.images.companions import FEW_TAGS, companions, cosign_tags
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index, Manifest
from manyfest.stores.base import Source, Target
from manyfest.stores.memory import MemoryStore
from manyfest.stores.referrers import as_referrer, fallback_tag
from manyfest.stores.registry.http import Request, Response
from tests.images import (
    OCI_INDEX,
    content_of,
    image,
    platforms,
    put,
    put_manifest,
)
from tests.quirks import Between, Send, said, without_api
from tests.referring import about, attach, sign


@pytest.fixture
def between() -> Iterator[Between]:
    registry = Between()
    yield registry
    registry.close()


TWO = ("linux/amd64", "linux/arm64")


def along(source: Source, *roots: Manifest) -> list[Item]:
    return companions(source, [read_graph(source, root.descriptor) for root in roots])


def digests(items: Sequence[Item]) -> set[Digest]:
    return {item.graph.root.descriptor.digest for item in items}


def copied(source: Source, root: Manifest, target: Target) -> None:
    """Copy the image with all that goes along, as ``v1``."""
    graph = read_graph(source, root.descriptor)
    items = companions(source, [graph])
    copy_graphs(source, [*items, Item(graph=graph, tags=("v1",))], target)


def test_most_images_have_none() -> None:
    store = MemoryStore()
    assert along(store, platforms(store)) == []


def test_what_refers_to_the_index_or_to_a_platform_goes_along() -> None:
    store = MemoryStore()
    root = platforms(store)
    platform = read_graph(store, root.descriptor).manifests[1]
    of_index, of_platform = attach(store, root, "index"), attach(store, platform, "platform")
    items = along(store, root)
    assert [(item.graph.root.raw, item.subject) for item in items] == [
        (of_index.raw, root.descriptor),
        (of_platform.raw, platform.descriptor),
    ]
    assert all(item.accompanies and item.tags == () for item in items)


@pytest.mark.parametrize("suffix", ["sig", "att", "sbom"])
def test_what_cosign_has_tagged_goes_along_under_its_tag(suffix: str) -> None:
    store = MemoryStore()
    root = platforms(store)
    child = read_graph(store, root.descriptor).manifests[2]
    expected = [sign(store, root, suffix), sign(store, child, suffix)]
    items = along(store, root)
    assert [(item.tags[0], item.graph.root) for item in items] == expected
    assert all(item.accompanies and item.subject is None for item in items)


def test_what_refers_to_a_companion_goes_along() -> None:
    store = MemoryStore()
    root = image(store)
    sbom = attach(store, root, "sbom")
    signature = attach(store, sbom, "signature")
    _, tagged = sign(store, signature)
    assert digests(along(store, root)) == {
        each.descriptor.digest for each in (sbom, signature, tagged)
    }


def test_what_refers_to_several_is_found_for_each_and_what_is_found_twice_is_one() -> None:
    store = MemoryStore()
    one, two = image(store, text="1"), image(store, text="2")
    signature = about(store, "both")
    for each in (one, two):
        store.tag(f"sha256-{each.descriptor.digest.hex}.sig", content_of(signature))
    items = along(store, one, two, one)
    assert len(items) == 2
    assert digests(items) == {signature.descriptor.digest}


def chain(store: MemoryStore, length: int) -> Manifest:
    """An image with an artifact, with an artifact, …"""
    root = subject = image(store)
    for number in range(length):
        subject = attach(store, subject, str(number))
    return root


def test_four_deep_is_not_too_deep() -> None:
    store = MemoryStore()
    assert len(along(store, chain(store, 4))) == 4


def test_five_deep_is_too_deep() -> None:
    store = MemoryStore()
    root = chain(store, 5)
    with pytest.raises(InvalidManifest) as caught:
        along(store, root)
    assert str(caught.value) == (
        "memory: what refers to it goes more than 4 deep, or has no end;"
        " leave what refers to it behind with --no-referrers"
    )


def test_tags_that_lead_in_a_circle_end() -> None:
    store = MemoryStore()
    root = image(store)
    _, signature = sign(store, root)
    store.tag(f"sha256-{signature.descriptor.digest.hex}.sig", content_of(root))
    assert digests(along(store, root)) == {signature.descriptor.digest, root.descriptor.digest}


@pytest.mark.parametrize("limit", ["MAX_GRAPH_NODES", "MAX_MANIFEST_BYTES"])
def test_there_is_an_end_to_how_much_goes_along(
    monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    store = MemoryStore()
    root = image(store)
    for number in range(4):
        attach(store, root, str(number))
    monkeypatch.setattr(manyfest.images.companions, limit, 11)
    with pytest.raises(InvalidManifest, match="has no end"):
        along(store, root)


def test_a_list_may_name_what_is_gone() -> None:
    store = MemoryStore()
    root = image(store)
    gone, kept = attach(store, root, "gone"), attach(store, root, "kept")
    del store.blobs[gone.descriptor.digest]
    assert digests(along(store, root)) == {kept.descriptor.digest}


def test_a_companion_that_is_not_whole_is_an_error() -> None:
    store = MemoryStore()
    root = image(store)
    listed = about(store, "missing")
    body = Index(
        schema_version=2,
        media_type=OCI_INDEX,
        manifests=(listed.descriptor,),
        subject=root.descriptor,
    )
    referrer = put_manifest(store, Manifest.of_index(body))
    store.attach(root.descriptor, as_referrer(referrer))
    del store.blobs[listed.descriptor.digest]
    with pytest.raises(NotFound, match=str(listed.descriptor.digest)):
        along(store, root)


def test_what_is_listed_and_refers_to_something_else_is_left() -> None:
    store = MemoryStore()
    root, other = image(store), image(store, text="other")
    for subject in (other.descriptor, None):
        store.attach(root.descriptor, as_referrer(about(store, "foreign", subject)))
    assert along(store, root) == []


def test_what_cannot_be_copied_is_an_error_that_says_how_to_do_without() -> None:
    store = MemoryStore()
    root = image(store)
    kind = "application/vnd.oci.artifact.manifest.v1+json"
    old = put(store, b'{"mediaType":"%s","blobs":[]}' % kind.encode(), kind)
    store.attach(root.descriptor, old)
    with pytest.raises(InvalidManifest, match="leave what refers to it behind with --no-referrers"):
        along(store, root)


def test_tags_of_sha512_would_be_too_long() -> None:
    assert cosign_tags(Digest.of(b"", "sha512")) == ()
    assert cosign_tags(Digest.of(b""))[0] == (
        "sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.sig"
    )


def test_for_an_image_without_any_a_registry_is_asked_for_referrers_and_tags_only(
    between: Between,
) -> None:
    store = between.store()
    graph = read_graph(store, platforms(store, TWO).descriptor)
    between.asked()
    assert companions(store, [graph]) == []
    asked = between.asked()
    assert sorted(asked) == sorted(
        ["GET tags/list?n=1000"]
        + [f"GET referrers/{manifest.descriptor.digest}" for manifest in graph.manifests]
    )


def test_tags_that_are_known_are_not_asked_for(between: Between) -> None:
    store = between.store()
    root = image(store)
    tag, signature = sign(store, root)
    graph = read_graph(store, root.descriptor)
    between.asked()
    assert digests(companions(store, [graph], tags=[tag])) == {signature.descriptor.digest}
    asked = between.asked()
    assert [each for each in asked if "tags" in each or "HEAD" in each] == [f"HEAD manifests/{tag}"]


def test_with_very_many_tags_those_of_cosign_are_asked_for_by_name() -> None:
    given: list[str] = []

    class Crowded(MemoryStore):
        def tags(self) -> Iterator[str]:
            for number in range(FEW_TAGS + 1):
                given.append(f"v{number}")
                yield given[-1]

    store = Crowded()
    root = image(store)
    _, signature = sign(store, root)
    assert digests(along(store, root)) == {signature.descriptor.digest}
    assert len(given) == 1000  # no more than the first page


def denies_what_is_not_there(request: Request, send: Send) -> Response:
    """As Artifactory does; and it lists no tags."""
    if "/tags/list" in request.url:
        return said(403, "DENIED")
    response = send(request)
    if response.status == 404 and "/manifests/" in request.url:
        response.close()
        return said(403, "DENIED")
    return response


def test_a_registry_that_denies_what_is_not_there_has_none(between: Between) -> None:
    between.quirk = denies_what_is_not_there
    store = between.store()
    root = image(store)
    assert along(store, root) == []
    _, signature = sign(store, root)
    assert digests(along(store, root)) == {signature.descriptor.digest}


def test_a_registry_that_denies_the_list_of_referrers_could_not_tell(between: Between) -> None:
    def denies(request: Request, send: Send) -> Response:
        return said(403, "DENIED") if "/referrers/" in request.url else send(request)

    between.quirk = denies
    store = between.store()
    with pytest.raises(AccessDenied):
        along(store, image(store))


@pytest.mark.parametrize("old", [False, True], ids=["referrers API", "no referrers API"])
def test_they_travel_to_a_registry_and_on(between: Between, old: bool) -> None:
    store, far = MemoryStore(), MemoryStore("far")
    if old:
        between.quirk = without_api
    root = platforms(store, TWO)
    sbom = attach(store, root, "sbom")
    signature = attach(store, sbom, "signature")
    tag, tagged = sign(store, root)
    copied(store, root, between.store())
    there = between.store()
    assert there.referrers(root.descriptor.digest) == (as_referrer(sbom),)
    assert there.resolve(tag) == tagged.descriptor
    assert (fallback_tag(root.descriptor.digest) in there.tags()) is old
    copied(there, root, far)
    assert far.referrers(root.descriptor.digest) == (as_referrer(sbom),)
    assert far.referrers(sbom.descriptor.digest) == (as_referrer(signature),)
    assert far.resolve(tag) == tagged.descriptor


def test_they_are_in_place_before_the_image_has_its_name() -> None:
    store = MemoryStore()
    placed: list[str] = []

    class Target(MemoryStore):
        def tag(self, name: str, manifest: object) -> None:
            placed.append(name)
            super().tag(name, manifest)  # type: ignore[arg-type]

        def attach(self, subject: Descriptor, referrer: Descriptor) -> None:
            placed.append("referrer")
            super().attach(subject, referrer)

    root = image(store)
    attach(store, root, "sbom")
    tag, _ = sign(store, root)
    copied(store, root, Target())
    assert sorted(placed[:2]) == sorted(["referrer", tag])
    assert placed[2:] == ["v1"]
