from __future__ import annotations

import msgspec
import pytest

from manyfest.errors import InvalidManifest, NotFound
from manyfest.inspection import ImageFacts, inspect, narrow, platforms_of
from manyfest.oci.platform import Platform
from manyfest.stores.memory import MemoryStore
from tests.images import (
    KINDS,
    OCI_CONFIG,
    artifact,
    attested,
    entry,
    image,
    index,
    nested,
    platforms,
    put,
    single,
)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("image", ["linux/amd64"]),
        ("index", ["linux/amd64", "linux/arm64", "linux/arm/v7"]),
        ("docker list", ["linux/amd64", "linux/arm64", "linux/arm/v7"]),
        (
            "nested index",
            ["linux/amd64", "linux/amd64", "linux/arm64", "linux/amd64", "linux/riscv64"],
        ),
        ("index with attestations", ["linux/amd64", "linux/arm64"]),
        ("artifact", []),
    ],
)
def test_the_platforms_of_each_kind(kind: str, names: list[str]) -> None:
    store = MemoryStore()
    root = KINDS[kind](store)
    assert [str(platform) for platform, _ in platforms_of(store, root.descriptor)] == names


def test_what_the_index_does_not_say_the_configuration_does() -> None:
    store = MemoryStore()
    root = index(store, [entry(image(store, "linux/arm64")), entry(artifact(store))])
    ((platform, found),) = platforms_of(store, root.descriptor)
    assert str(platform) == "linux/arm64"
    assert found.digest == root.children[0].digest


def test_an_empty_index_has_no_platform() -> None:
    store = MemoryStore()
    assert platforms_of(store, index(store, []).descriptor) == []


@pytest.mark.parametrize("wanted", ["linux/arm64", "arm64", "linux/arm64/v8", "linux/aarch64"])
def test_one_platform_is_picked_by_any_of_its_names(wanted: str) -> None:
    store = MemoryStore()
    root = platforms(store)
    found = narrow(store, root.descriptor, Platform.parse(wanted))
    assert found.descriptor.digest == root.children[1].digest


def test_a_platform_is_picked_from_an_index_in_the_index() -> None:
    store = MemoryStore()
    found = narrow(store, nested(store).descriptor, Platform.parse("linux/riscv64"))
    assert found.raw == image(MemoryStore(), "linux/riscv64").raw


def test_without_a_platform_the_root_is_taken() -> None:
    store = MemoryStore()
    root = platforms(store)
    assert narrow(store, root.descriptor, None) == root


def test_a_single_image_is_its_own_platform_and_no_other() -> None:
    store = MemoryStore()
    root = single(store)
    assert narrow(store, root.descriptor, Platform.parse("linux/amd64")).raw == root.raw
    with pytest.raises(NotFound) as caught:
        narrow(store, root.descriptor, Platform.parse("linux/arm64"))
    assert str(caught.value) == "memory: it has no linux/arm64; it has linux/amd64"


@pytest.mark.parametrize(
    ("kind", "wanted", "message"),
    [
        ("index", "linux/s390x", "it has no linux/s390x; it has linux/amd64, linux/arm64, "),
        ("index", "linux/arm/v6", "it has no linux/arm/v6; it has "),
        ("index", "windows/amd64", "it has no windows/amd64; it has "),
        ("artifact", "linux/amd64", "it has no linux/amd64; it has none"),
    ],
)
def test_a_platform_that_is_not_there_is_told(kind: str, wanted: str, message: str) -> None:
    store = MemoryStore()
    root = KINDS[kind](store)
    with pytest.raises(NotFound, match=message):
        narrow(store, root.descriptor, Platform.parse(wanted))


def test_the_facts_of_an_image() -> None:
    store = MemoryStore()
    root = single(store)
    found = inspect(store, root)
    assert found.digest == str(root.descriptor.digest)
    assert found.media_type == "application/vnd.oci.image.manifest.v1+json"
    assert found.attestations == 0
    assert found.images == (
        ImageFacts(
            platform="linux/amd64",
            digest=str(root.descriptor.digest),
            size=sum(len(data) for data in store.blobs.values()),
            layers=2,
            created="2026-01-02T03:04:05Z",
            command=("/app", "--serve"),
            user="app",
            labels={},
            artifact_type="",
        ),
    )


def test_the_facts_of_an_index_are_those_of_its_images_in_order() -> None:
    store = MemoryStore()
    root = platforms(store)
    found = inspect(store, root)
    assert [facts.platform for facts in found.images] == [
        "linux/amd64",
        "linux/arm64",
        "linux/arm/v7",
    ]
    assert [facts.digest for facts in found.images] == [str(each.digest) for each in root.children]


def test_attestations_are_counted_and_are_no_images() -> None:
    store = MemoryStore()
    found = inspect(store, attested(store))
    assert [facts.platform for facts in found.images] == ["linux/amd64", "linux/arm64"]
    assert found.attestations == 2


def test_an_artifact_is_shown_as_what_it_is() -> None:
    store = MemoryStore()
    (facts,) = inspect(store, artifact(store)).images
    assert facts.artifact_type == "application/vnd.example.sbom"
    assert (facts.platform, facts.layers, facts.command) == ("", 1, ())


def test_an_index_in_the_index_is_shown_as_one() -> None:
    store = MemoryStore()
    assert [facts.artifact_type for facts in inspect(store, nested(store)).images] == [
        "",
        "index of 2",
        "index of 2",
    ]


def test_annotations_are_shown() -> None:
    store = MemoryStore()
    assert inspect(store, index(store, [], text="hello")).annotations == {
        "org.example.text": "hello"
    }


def test_no_layer_is_read() -> None:
    store = MemoryStore()
    root = platforms(store)
    layers = {
        layer.digest for child in root.children for layer in narrow(store, child, None).image.layers
    }
    for digest in layers:
        del store.blobs[digest]
    assert len(inspect(store, root).images) == 3


def test_a_configuration_that_is_none_is_told_with_its_place() -> None:
    store = MemoryStore()
    root = single(store)
    broken = put(store, b"[]", OCI_CONFIG)
    body = msgspec.structs.replace(root.image, config=broken)
    with pytest.raises(InvalidManifest, match=f"^memory@{broken.digest}: the configuration is not"):
        inspect(store, type(root).of_image(body))


def test_the_json_of_an_inspection_is_a_contract() -> None:
    store = MemoryStore()
    root = single(store)
    document = msgspec.to_builtins(inspect(store, root))
    assert list(document) == ["digest", "media_type", "images", "attestations", "annotations"]
    assert list(document["images"][0]) == [
        "platform",
        "digest",
        "size",
        "layers",
        "created",
        "command",
        "user",
        "labels",
        "artifact_type",
    ]
