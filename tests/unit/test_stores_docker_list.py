from __future__ import annotations

import msgspec
import pytest

from manyfest.graph import read_graph
from manyfest.oci import json
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name
from manyfest.stores.archives.docker_list import Configured, Listed, docker_list
from manyfest.stores.memory import MemoryStore
from tests import images

APP = Name.parse("ghcr.io/team/app:v1")


def listed(
    store: MemoryStore, *roots: tuple[Name | None, Manifest], platform: str = "linux/amd64"
) -> tuple[Listed, ...]:
    """The list of an archive into which ``roots`` were copied from ``store``."""
    manifests: dict[Digest, Manifest] = {}
    for _, root in roots:
        graph = read_graph(store, root.descriptor)
        manifests |= {each.descriptor.digest: each for each in graph.manifests}
    configs = {digest: Configured.read(raw) for digest, raw in store.blobs.items()}
    return docker_list(
        [(name, root.descriptor.digest) for name, root in roots],
        manifests,
        {digest: config for digest, config in configs.items() if config},
        Platform.parse(platform) if platform else None,
    )


def names(entries: tuple[Listed, ...]) -> list[list[str]]:
    return [list(entry.repo_tags) for entry in entries]


def changed(store: MemoryStore, manifest: Manifest, **fields: object) -> Manifest:
    """Another image, stored too."""
    body = msgspec.structs.replace(manifest.image, **fields)
    return images.put_manifest(store, Manifest.of_image(body))


def test_the_list_of_one_image_byte_for_byte() -> None:
    store = MemoryStore()
    assert json.dumps(listed(store, (APP, images.image(store)))) == (
        b'[{"Config":"blobs/sha256/7b521a9a2116198db4e91afd408d1acbab15bd9a74a2d72dc0b90cf55c73db69",'
        b'"RepoTags":["ghcr.io/team/app:v1"],'
        b'"Layers":["blobs/sha256/76f758b1ad7ec181a6930d7252acd9ec7599b8ae950d52827651fc511f3fac96",'
        b'"blobs/sha256/f4d8c23a5251d1c870047a1d5c82e645e58e7c21182597c5492fa9ebc91e4db3"]}]'
    )


def test_each_platform_has_its_own_name_and_the_one_asked_for_the_plain_one_too() -> None:
    store = MemoryStore()
    assert names(listed(store, (APP, images.platforms(store)), platform="linux/arm64")) == [
        ["ghcr.io/team/app:v1-amd64"],
        ["ghcr.io/team/app:v1", "ghcr.io/team/app:v1-arm64"],
        ["ghcr.io/team/app:v1-armv7"],
    ]


def test_names_are_written_whole() -> None:
    store = MemoryStore()
    hub = Name.parse("docker.io/library/app:v1")
    assert names(listed(store, (hub, images.platforms(store, ["linux/amd64"])))) == [
        ["docker.io/library/app:v1", "docker.io/library/app:v1-amd64"]
    ]


@pytest.mark.parametrize("platform", ["linux/s390x", ""])
def test_a_platform_that_is_not_there_gets_no_plain_name(platform: str) -> None:
    store = MemoryStore()
    root = images.platforms(store, ["linux/amd64", "linux/arm64"])
    assert names(listed(store, (APP, root), platform=platform)) == [
        ["ghcr.io/team/app:v1-amd64"],
        ["ghcr.io/team/app:v1-arm64"],
    ]


@pytest.mark.parametrize("platform", ["linux/s390x", ""])
def test_the_only_image_of_an_index_has_both_names(platform: str) -> None:
    store = MemoryStore()
    root = images.platforms(store, ["linux/arm/v7"])
    assert names(listed(store, (APP, root), platform=platform)) == [
        ["ghcr.io/team/app:v1", "ghcr.io/team/app:v1-armv7"]
    ]


def test_an_image_in_no_index_has_the_plain_name_only() -> None:
    store = MemoryStore()
    root = images.image(store, "linux/arm64")
    assert names(listed(store, (APP, root))) == [["ghcr.io/team/app:v1"]]


def test_an_image_with_several_names_is_listed_once() -> None:
    store = MemoryStore()
    root = images.platforms(store, ["linux/amd64", "linux/arm64"])
    latest = Name.parse("ghcr.io/team/app:latest")
    assert names(listed(store, (latest, root), (APP, root))) == [
        [
            "ghcr.io/team/app:latest",
            "ghcr.io/team/app:v1",
            "ghcr.io/team/app:latest-amd64",
            "ghcr.io/team/app:v1-amd64",
        ],
        ["ghcr.io/team/app:latest-arm64", "ghcr.io/team/app:v1-arm64"],
    ]


def test_without_a_name_an_image_is_listed_all_the_same() -> None:
    store = MemoryStore()
    assert names(listed(store, (None, images.platforms(store)))) == [[], [], []]


def test_a_name_that_was_given_goes_before_one_that_was_made() -> None:
    store = MemoryStore()
    root = images.platforms(store, ["linux/amd64", "linux/arm64"])
    other = images.image(store, "linux/arm64", text="another")
    named = Name.parse("ghcr.io/team/app:v1-arm64")
    assert names(listed(store, (APP, root), (named, other))) == [
        ["ghcr.io/team/app:v1", "ghcr.io/team/app:v1-amd64"],
        [],
        ["ghcr.io/team/app:v1-arm64"],
    ]


def test_what_an_index_does_not_say_the_configuration_does() -> None:
    store = MemoryStore()
    entries = [images.entry(images.image(store, each)) for each in ("linux/amd64", "linux/arm64")]
    root = images.index(store, entries)
    assert names(listed(store, (APP, root))) == [
        ["ghcr.io/team/app:v1", "ghcr.io/team/app:v1-amd64"],
        ["ghcr.io/team/app:v1-arm64"],
    ]


def test_images_in_inner_indexes_are_listed_once() -> None:
    store = MemoryStore()
    assert names(listed(store, (APP, images.nested(store)))) == [
        ["ghcr.io/team/app:v1", "ghcr.io/team/app:v1-amd64"],
        ["ghcr.io/team/app:v1-arm64"],
        ["ghcr.io/team/app:v1-riscv64"],
    ]


@pytest.mark.parametrize("spelling", ["arm64", "aarch64"])
def test_a_platform_has_one_spelling(spelling: str) -> None:
    store = MemoryStore()
    odd = msgspec.structs.replace(
        images.image(store, "linux/arm64").descriptor,
        platform=Platform(os="linux", architecture=spelling, variant="v8"),
    )
    amd64 = images.entry(images.image(store), "linux/amd64")
    root = images.index(store, [amd64, odd])
    assert names(listed(store, (APP, root), platform="linux/arm64"))[1] == [
        "ghcr.io/team/app:v1",
        "ghcr.io/team/app:v1-arm64",
    ]


def test_attestations_are_left_out() -> None:
    store = MemoryStore()
    assert names(listed(store, (APP, images.attested(store)))) == [
        ["ghcr.io/team/app:v1", "ghcr.io/team/app:v1-amd64"],
        ["ghcr.io/team/app:v1-arm64"],
    ]


def test_an_attestation_by_itself_is_no_image() -> None:
    store = MemoryStore()
    entry = images.attestation(store, images.image(store))
    (manifest,) = read_graph(store, entry).manifests
    assert listed(store, (APP, manifest)) == ()


def test_artifacts_are_left_out() -> None:
    store = MemoryStore()
    assert listed(store, (APP, images.artifact(store))) == ()


def test_an_image_with_a_layer_that_lies_elsewhere_is_left_out() -> None:
    store = MemoryStore()
    image = images.image(store)
    foreign = Descriptor(
        media_type="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        digest=Digest("sha256", "a" * 64),
        size=1000,
    )
    root = changed(store, image, layers=(foreign, image.image.layers[1]))
    assert listed(store, (APP, root)) == ()


def test_an_image_with_another_number_of_layers_than_it_says_is_left_out() -> None:
    store = MemoryStore()
    image = images.image(store)
    root = changed(store, image, layers=image.image.layers[:1])
    assert listed(store, (APP, root)) == ()


def test_what_is_missing_from_a_sparse_index_is_left_out() -> None:
    store = MemoryStore()
    root = images.platforms(store, ["linux/amd64", "linux/arm64"])
    amd64 = read_graph(store, root.index.manifests[0]).root
    configs = {amd64.image.config.digest: Configured(Platform.parse("linux/amd64"), 2)}
    found = docker_list(
        [(APP, root.descriptor.digest)],
        {each.descriptor.digest: each for each in (root, amd64)},
        configs,
        None,
    )
    assert names(found) == [["ghcr.io/team/app:v1", "ghcr.io/team/app:v1-amd64"]]


def test_of_two_images_for_a_platform_the_one_that_old_docker_can_unpack_is_listed() -> None:
    store = MemoryStore()
    gzip = images.image(store, docker=True)
    zstd = images.put(store, b"no matter", "application/vnd.oci.image.layer.v1.tar+zstd")
    packed = changed(store, gzip, layers=(gzip.image.layers[0], zstd))
    root = images.index(
        store, [images.entry(packed, "linux/amd64"), images.entry(gzip, "linux/amd64")]
    )
    (entry,) = listed(store, (APP, root))
    assert entry.layers[1] == f"blobs/sha256/{gzip.image.layers[1].digest.hex}"


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("linux/amd64", ["ghcr.io/team/app:v1", "ghcr.io/team/app:v1-amd64"]),
        ("", ["ghcr.io/team/app:v1", "ghcr.io/team/app:v1-amd64"]),
        ("windows/amd64", ["ghcr.io/team/app:v1", "ghcr.io/team/app:v1-windows-amd64"]),
    ],
)
def test_one_list_is_for_one_operating_system(platform: str, expected: list[str]) -> None:
    store = MemoryStore()
    root = images.platforms(store, ["windows/amd64", "linux/amd64"])
    assert names(listed(store, (APP, root), platform=platform)) == [expected]


def test_a_name_that_would_be_too_long_for_a_tag_is_left_out() -> None:
    store = MemoryStore()
    long = APP.with_tag("v" * 128)
    root = images.platforms(store, ["linux/amd64"])
    assert names(listed(store, (long, root))) == [[f"ghcr.io/team/app:{'v' * 128}"]]
