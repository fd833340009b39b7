from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from manyfest.copy import copy_graph, missing
from manyfest.errors import NotFound
from manyfest.graph import Graph, read_graph
from manyfest.images.selection import entries_of, entry_for, narrowed_graph, narrowed_image, select
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.memory import MemoryStore
from tests import images
from tests.images import entry, image, index, make
from tests.recorders import Recorder


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("image", ["linux/amd64"]),
        ("index", ["linux/amd64", "linux/arm64", "linux/arm/v7"]),
        ("docker list", ["linux/amd64", "linux/arm64", "linux/arm/v7"]),
        ("nested index", ["linux/amd64", "linux/arm64", "linux/riscv64"]),
        ("index with attestations", ["linux/amd64", "linux/arm64"]),
        ("artifact", []),
    ],
)
def test_the_platforms_of_each_kind(kind: str, names: list[str]) -> None:
    store = MemoryStore()

    there = entries_of(store, make(store, kind).descriptor)

    assert [str(platform) for platform, _ in there] == names


def test_an_empty_index_has_no_platform() -> None:
    store = MemoryStore()

    assert entries_of(store, index(store, []).descriptor) == []


def test_an_attestation_that_lost_its_mark_is_no_platform() -> None:
    store = MemoryStore()
    built = image(store)
    unmarked = msgspec.structs.replace(images.attestation(store, built), annotations={})
    root = index(store, [entry(built, "linux/amd64"), unmarked])

    assert [str(platform) for platform, _ in entries_of(store, root.descriptor)] == ["linux/amd64"]


def test_an_attestation_on_its_own_has_no_platform() -> None:
    store = MemoryStore()
    attestation = images.attestation(store, image(store))

    assert entries_of(store, store.resolve(str(attestation.digest))) == []


def test_an_image_that_is_listed_for_two_platforms_is_there_for_both() -> None:
    store = MemoryStore()
    scripts = image(store)
    root = index(store, [entry(scripts, "linux/amd64"), entry(scripts, "linux/arm64")])

    graph = narrowed(store, root, "linux/arm64")

    assert graph.root.index.manifests == (entry(scripts, "linux/arm64"),)


@pytest.mark.parametrize("wanted", ["linux/arm64", "arm64", "linux/arm64/v8", "linux/aarch64"])
def test_one_image_is_picked_by_any_name_of_its_platform(wanted: str) -> None:
    store = MemoryStore()
    root = make(store, "index")

    found = entry_for(store, root.descriptor, Platform.parse(wanted))

    assert found == root.children[1]


def test_everything_is_chosen_if_nothing_is_named_but_inner_indexes() -> None:
    store = MemoryStore()
    root = make(store, "nested index")

    chosen = select(store, root.descriptor)

    assert [str(each.platform) for each in chosen.entries] == [
        "linux/amd64",
        "linux/arm64",
        "linux/riscv64",
    ]
    assert chosen.graph == read_graph(store, root.descriptor)


def test_a_chosen_entry_says_the_platform_that_its_configuration_names() -> None:
    store = MemoryStore()
    root = image(store, "linux/arm64")

    (chosen,) = select(store, root.descriptor).entries

    assert chosen == entry(root, "linux/arm64")


def test_what_attests_to_no_image_in_the_index_is_not_chosen() -> None:
    store = MemoryStore()
    amd64 = entry(image(store), "linux/amd64")
    orphan = images.attestation(store, image(store, "linux/arm64"))

    chosen = select(store, index(store, [amd64, orphan]).descriptor)

    assert chosen.entries == (amd64,)


def narrowed(store: MemoryStore, root: Manifest, *names: str, sparse: bool = False) -> Graph:
    wanted = [Platform.parse(name) for name in names]
    return narrowed_graph(store, root.descriptor, wanted, sparse=sparse)


def platforms_in(graph: Graph) -> list[str]:
    return [str(each.platform) for each in graph.root.index.manifests]


def test_no_platform_asked_for_is_all_of_them() -> None:
    store = MemoryStore()
    root = make(store, "index")

    assert narrowed(store, root).root.raw == root.raw


def test_some_platforms_become_an_index_of_their_own() -> None:
    store = MemoryStore()
    root = make(store, "index")

    graph = narrowed(store, root, "linux/arm/v7", "linux/amd64")

    assert platforms_in(graph) == ["linux/amd64", "linux/arm/v7"]
    assert graph.root.descriptor.digest != root.descriptor.digest
    assert graph.root.index.manifests[0] == root.index.manifests[0]
    assert len(graph.manifests) == 3


def test_a_single_platform_is_an_index_too() -> None:
    store = MemoryStore()
    root = make(store, "docker list")

    graph = narrowed(store, root, "linux/arm64")

    assert platforms_in(graph) == ["linux/arm64"]
    assert graph.root.descriptor.media_type == images.DOCKER_LIST


def test_all_platforms_asked_for_keep_the_digest() -> None:
    store = MemoryStore()
    root = make(store, "index")

    graph = narrowed(store, root, "linux/arm64/v8", "linux/amd64", "linux/arm/v7")

    assert graph.root.raw == root.raw


def test_all_platforms_asked_for_keep_the_digest_of_an_index_that_does_not_name_them() -> None:
    store = MemoryStore()
    root = index(store, [entry(image(store, "linux/arm64"))])

    assert narrowed(store, root, "linux/arm64").root.raw == root.raw


def test_an_attestation_goes_with_its_image_and_with_no_other() -> None:
    store = MemoryStore()
    root = make(store, "index with attestations")
    amd64, its_attestation, *_ = root.index.manifests

    graph = narrowed(store, root, "linux/amd64")

    assert graph.root.index.manifests == (amd64, its_attestation)


def test_annotations_of_the_index_are_kept() -> None:
    store = MemoryStore()
    built = image(store), image(store, "linux/arm64")
    root = index(
        store, [entry(built[0], "linux/amd64"), entry(built[1], "linux/arm64")], text="ours"
    )

    graph = narrowed(store, root, "linux/arm64")

    assert graph.root.index.annotations == {"org.example.text": "ours"}


def test_platforms_of_inner_indexes_are_found_and_the_result_is_flat() -> None:
    store = MemoryStore()
    root = make(store, "nested index")

    graph = narrowed(store, root, "linux/riscv64", "linux/amd64")

    assert platforms_in(graph) == ["linux/amd64", "linux/riscv64"]
    assert not any(child.descriptor.media_type == images.OCI_INDEX for child in graph.manifests[1:])


def test_what_the_index_does_not_say_the_configuration_does() -> None:
    store = MemoryStore()
    root = index(store, [entry(image(store, "linux/arm/v7")), entry(image(store))])

    graph = narrowed(store, root, "linux/arm/v7")

    assert platforms_in(graph) == ["linux/arm/v7"]


def test_the_same_platform_twice_is_both() -> None:
    store = MemoryStore()
    twice = [entry(image(store, text=text), "linux/amd64") for text in ("gzip", "zstd")]
    root = index(store, [*twice, entry(image(store, "linux/arm64"), "linux/arm64")])

    graph = narrowed(store, root, "linux/amd64")

    assert list(graph.root.index.manifests) == twice


def test_sparse_keeps_the_index_and_leaves_the_others_out() -> None:
    store, target = MemoryStore(), MemoryStore()
    root = make(store, "index with attestations")
    amd64, its_attestation, arm64, _ = root.index.manifests

    graph = narrowed(store, root, "linux/amd64", sparse=True)
    copy_graph(store, graph, target, ["v1"])

    assert target.resolve("v1").digest == root.descriptor.digest
    assert missing(target, graph) == []
    assert target.has(amd64)
    assert target.has(its_attestation)
    assert not target.has(arm64)


@pytest.mark.parametrize("kind", ["index with attestations", "nested index"])
def test_each_manifest_is_read_once_to_choose_among_them(kind: str) -> None:
    store = Recorder()
    root = make(store, kind)
    store.calls.clear()

    graph = narrowed_graph(store, root.descriptor, [Platform.parse("linux/arm64")], sparse=True)

    read = Counter(store.asked("open"))
    assert read == {str(manifest.descriptor.digest): 1 for manifest in graph.manifests}


def test_an_index_with_gaps_is_refused_with_the_platforms_that_are_there() -> None:
    """As Docker and containerd save what they pulled: the whole index, one platform."""
    store = MemoryStore()
    root = make(store, "index with attestations")
    amd64, of_amd64, arm64, _ = root.children
    for gone in (of_amd64, arm64):
        del store.blobs[gone.digest]

    with pytest.raises(NotFound) as caught:
        narrowed_graph(store, root.descriptor, [])

    assert str(caught.value) == (
        f"memory: {of_amd64.digest} is missing;"
        " name the platforms that are meant: --platform linux/amd64"
    )
    graph = narrowed_graph(store, root.descriptor, [Platform.parse("linux/amd64")])
    assert [entry.digest for entry in graph.root.children] == [amd64.digest]


def test_what_is_missing_of_an_image_is_named_alone() -> None:
    store = MemoryStore()
    root = make(store, "image")
    del store.blobs[root.descriptor.digest]

    with pytest.raises(NotFound, match=r"is missing$"):
        narrowed_graph(store, root.descriptor, [])


def test_a_subset_can_be_copied() -> None:
    store, target = MemoryStore(), MemoryStore()
    root = make(store, "nested index")

    graph = narrowed(store, root, "linux/riscv64")
    copy_graph(store, graph, target, ["v1"])

    assert [str(platform) for platform, _ in entries_of(target, target.resolve("v1"))] == [
        "linux/riscv64"
    ]


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("kind", ["index", "image"])
def test_a_platform_that_is_not_there_is_an_error_that_names_those_that_are(
    kind: str, sparse: bool
) -> None:
    store = MemoryStore()
    root = make(store, kind)

    with pytest.raises(NotFound, match="it has no linux/s390x; it has linux/amd64"):
        narrowed(store, root, "linux/amd64", "linux/s390x", sparse=sparse)


def test_an_image_is_its_own_platform() -> None:
    store = MemoryStore()
    root = make(store, "image")

    assert narrowed(store, root, "linux/amd64").root.raw == root.raw


def test_an_artifact_has_no_platform() -> None:
    store = MemoryStore()
    root = make(store, "artifact")

    with pytest.raises(NotFound, match="it has none"):
        narrowed(store, root, "linux/amd64")


def test_one_image_comes_without_an_index() -> None:
    store = MemoryStore()
    root = make(store, "nested index")

    graph = narrowed_image(store, root.descriptor, Platform.parse("linux/arm64"))

    assert graph.root.image.layers
    assert len(graph.manifests) == 1


def test_an_entry_for_another_version_of_an_operating_system_is_kept() -> None:
    store = MemoryStore()
    windows = [
        msgspec.structs.replace(
            entry(image(store, "windows/amd64", text=version)),
            platform=Platform(os="windows", architecture="amd64", os_version=version),
        )
        for version in ("10.0.17763", "10.0.20348")
    ]
    root = index(store, [*windows, entry(image(store), "linux/amd64")])

    graph = narrowed(store, root, "windows/amd64")

    assert _versions(graph.root.index.manifests) == ["10.0.17763", "10.0.20348"]


def _versions(entries: tuple[Descriptor, ...]) -> list[str]:
    return [each.platform.os_version for each in entries if each.platform]
