from __future__ import annotations

from typing import Any

import msgspec
import pytest

from manyfest.errors import InvalidManifest, NotFound
from manyfest.images.attached import Attachment
from manyfest.images.facts import ImageFacts, Inspection, LayerFacts
from manyfest.images.inspection import inspect
from manyfest.oci import json
from manyfest.oci.config import History, ImageConfig, RootFS
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.memory import MemoryStore
from tests import images
from tests.images import (
    OCI_CONFIG,
    OCI_MANIFEST,
    artifact,
    attestation,
    attested,
    entry,
    image,
    index,
    layer,
    nested,
    platforms,
    put,
    put_manifest,
    single,
)


def seen(store: MemoryStore, root: Manifest, wanted: str = "", **options: Any) -> Inspection:
    platform = Platform.parse(wanted) if wanted else None
    return inspect(store, root.descriptor, platform, **options)


def test_the_facts_of_an_image() -> None:
    store = MemoryStore()
    root = single(store)
    base, app = root.image.layers

    found = seen(store, root)

    assert found == Inspection(
        digest=str(root.descriptor.digest),
        media_type="application/vnd.oci.image.manifest.v1+json",
        images=(
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
                os_version="",
                media_type="application/vnd.oci.image.manifest.v1+json",
                missing=False,
                unpacked=4096,
                entrypoint=("/app",),
                arguments=("--serve",),
                kinds=(),
                annotations={},
                contents=(plain(base), plain(app)),
                attached=(),
            ),
        ),
        attestations=0,
        annotations={},
        subject="",
        attached=(),
    )


def plain(layer: Descriptor) -> LayerFacts:
    return LayerFacts(
        digest=str(layer.digest),
        media_type="application/vnd.oci.image.layer.v1.tar",
        size=2048,
        unpacked=2048,
        created_by="",
    )


def test_the_facts_of_an_index_are_those_of_its_images_in_order() -> None:
    store = MemoryStore()
    root = platforms(store)

    found = seen(store, root)

    assert [facts.platform for facts in found.images] == [
        "linux/amd64",
        "linux/arm64",
        "linux/arm/v7",
    ]
    assert [facts.digest for facts in found.images] == [str(each.digest) for each in root.children]


def test_images_of_inner_indexes_are_shown_once() -> None:
    store = MemoryStore()

    found = seen(store, nested(store))

    assert [facts.platform for facts in found.images] == [
        "linux/amd64",
        "linux/arm64",
        "linux/riscv64",
    ]


def test_an_image_that_is_listed_for_two_platforms_is_shown_for_both() -> None:
    store = MemoryStore()
    scripts = image(store)
    root = index(store, [entry(scripts, "linux/amd64"), entry(scripts, "linux/arm64")])

    assert [each.platform for each in seen(store, root).images] == ["linux/amd64", "linux/arm64"]


def test_an_empty_index_has_no_images() -> None:
    store = MemoryStore()

    assert seen(store, index(store, [])).images == ()


def test_an_image_of_windows_tells_for_which_version_it_is() -> None:
    store = MemoryStore()
    built = image(store, "windows/amd64")
    platform = Platform(os="windows", architecture="amd64", os_version="10.0.17763.6532")
    root = index(store, [msgspec.structs.replace(built.descriptor, platform=platform)])

    (facts,) = seen(store, root).images

    assert (facts.platform, facts.os_version) == ("windows/amd64", "10.0.17763.6532")


def test_what_the_index_does_not_say_the_configuration_does() -> None:
    store = MemoryStore()
    root = index(store, [entry(image(store, "linux/arm64"))])

    assert [facts.platform for facts in seen(store, root).images] == ["linux/arm64"]


def test_an_image_that_is_not_there_is_missing() -> None:
    store = MemoryStore()
    root = platforms(store)
    gone = root.children[1]
    del store.blobs[gone.digest]

    found = seen(store, root).images

    assert [(each.platform, each.missing) for each in found] == [
        ("linux/amd64", False),
        ("linux/arm64", True),
        ("linux/arm/v7", False),
    ]
    assert (found[1].digest, found[1].size, found[1].unpacked) == (str(gone.digest), 0, None)


def test_an_inner_index_that_is_not_there_is_missing() -> None:
    store = MemoryStore()
    inner = platforms(store, ["linux/arm64"])
    root = index(store, [entry(image(store), "linux/amd64"), entry(inner)])
    del store.blobs[inner.descriptor.digest]

    found = seen(store, root).images

    assert [(each.platform, each.missing) for each in found] == [("linux/amd64", False), ("", True)]


def test_attestations_are_counted_and_are_no_images() -> None:
    store = MemoryStore()

    found = seen(store, attested(store))

    assert [facts.platform for facts in found.images] == ["linux/amd64", "linux/arm64"]
    assert found.attestations == 2


def test_an_attestation_is_attached_to_its_image() -> None:
    store = MemoryStore()
    root = attested(store)
    amd64, its_attestation, *_ = root.index.manifests

    facts, _ = seen(store, root).images

    assert facts.digest == str(amd64.digest)
    assert facts.attached == (
        Attachment(
            kinds=("provenance (SLSA)",),
            digest=str(its_attestation.digest),
            artifact_type="",
            found_by="index",
        ),
    )


def test_an_attestation_for_no_image_here_is_shown_with_the_index() -> None:
    store = MemoryStore()
    orphan = attestation(store, image(store, "linux/arm64"))
    root = index(store, [entry(image(store), "linux/amd64"), orphan])

    found = seen(store, root)

    assert [each.digest for each in found.attached] == [str(orphan.digest)]
    assert found.images[0].attached == ()


def test_an_attestation_that_lost_its_mark_is_an_artifact_of_its_kind_and_no_platform() -> None:
    store = MemoryStore()
    unmarked = msgspec.structs.replace(attestation(store, image(store)), annotations={})

    (facts,) = seen(store, index(store, [unmarked])).images

    assert facts.platform == ""
    assert facts.artifact_type == "application/vnd.in-toto+json"
    assert facts.kinds == ("provenance (SLSA)",)


def test_an_artifact_is_shown_as_what_it_is() -> None:
    store = MemoryStore()
    root = artifact(store)

    found = seen(store, root)

    (facts,) = found.images
    assert facts.artifact_type == "application/vnd.example.sbom"
    assert (facts.platform, facts.layers, facts.command, facts.unpacked) == ("", 1, (), None)
    assert root.image.subject is not None
    assert found.subject == str(root.image.subject.digest)


def test_a_signature_of_cosign_is_no_image_though_it_has_the_configuration_of_one() -> None:
    store = MemoryStore()
    simple = put(store, b"{}", "application/vnd.dev.cosign.simplesigning.v1+json")
    config = json.dumps(ImageConfig(rootfs=RootFS(diff_ids=(simple.digest,))))
    body = Image(
        schema_version=2,
        media_type=OCI_MANIFEST,
        config=put(store, config, OCI_CONFIG),
        layers=(simple,),
    )

    (facts,) = seen(store, put_manifest(store, Manifest.of_image(body))).images

    assert facts.platform == ""
    assert facts.artifact_type == "application/vnd.dev.cosign.simplesigning.v1+json"
    assert facts.kinds == ("signature (cosign)",)


def test_what_an_index_names_besides_manifests_is_shown_by_its_type() -> None:
    store = MemoryStore()

    (facts,) = seen(store, index(store, [put(store, b"text", "text/plain")])).images

    assert (facts.artifact_type, facts.missing, facts.size) == ("text/plain", False, 4)


def test_annotations_are_told_of_the_index_and_of_each_entry() -> None:
    store = MemoryStore()
    marked = entry(image(store), "linux/amd64", **{"org.example.mark": "ours"})
    root = index(store, [marked], text="hello")

    found = seen(store, root)

    assert found.annotations == {"org.example.text": "hello"}
    assert found.images[0].annotations == {"org.example.mark": "ours"}


def test_one_platform_is_shown_alone_with_its_attestation() -> None:
    store = MemoryStore()
    root = attested(store)

    found = seen(store, root, "linux/arm64")

    assert found.digest == str(root.index.manifests[2].digest)
    assert found.media_type == "application/vnd.oci.image.manifest.v1+json"
    assert [facts.platform for facts in found.images] == ["linux/arm64"]
    assert found.attestations == 1


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("index", "memory: it has no linux/s390x; it has linux/amd64, linux/arm64, linux/arm/v7"),
        ("image", "memory: it has no linux/s390x; it has linux/amd64"),
        ("artifact", "memory: it has no linux/s390x; it has none"),
    ],
)
def test_a_platform_that_is_not_there_is_told(kind: str, message: str) -> None:
    store = MemoryStore()
    root = images.make(store, kind)

    with pytest.raises(NotFound) as caught:
        seen(store, root, "linux/s390x")

    assert str(caught.value) == message


def test_a_platform_that_is_missing_below_its_index_is_told() -> None:
    store = MemoryStore()
    root = platforms(store)
    gone = root.children[1].digest
    del store.blobs[gone]

    with pytest.raises(NotFound, match=f"^memory: {gone}, its linux/arm64, is missing$"):
        seen(store, root, "linux/arm64")


def test_what_made_each_layer_is_told_if_the_history_has_a_step_for_each() -> None:
    store = MemoryStore()
    tar = layer("app")
    config = ImageConfig(
        os="linux",
        architecture="amd64",
        rootfs=RootFS(diff_ids=(Digest.of(tar),)),
        history=(History(created_by="ENV A=b", empty_layer=True), History(created_by="COPY app /")),
    )
    body = Image(
        schema_version=2,
        media_type=OCI_MANIFEST,
        config=put(store, json.dumps(config), OCI_CONFIG),
        layers=(put(store, tar),),
    )

    (facts,) = seen(store, put_manifest(store, Manifest.of_image(body))).images

    assert [each.created_by for each in facts.contents] == ["COPY app /"]


def test_no_layer_is_read() -> None:
    store = MemoryStore()
    root = platforms(store)
    del store.blobs[Digest.of(layer("etc/base", b"shared by all"))]

    assert len(seen(store, root).images) == 3


def test_what_a_compressed_layer_unpacks_to_is_unknown_until_it_is_read() -> None:
    store = MemoryStore()
    root = platforms(store, docker=True)

    (before, *_), (after, *_) = seen(store, root).images, seen(store, root, unpack=True).images

    assert (before.unpacked, [each.unpacked for each in before.contents]) == (None, [None, None])
    assert (after.unpacked, [each.unpacked for each in after.contents]) == (4096, [2048, 2048])


def test_layers_are_counted_for_each_version_of_windows() -> None:
    store = MemoryStore()
    entries = []
    for version in ("10.0.17763", "10.0.20348"):
        built = image(store, "windows/amd64", text=version, docker=True)
        platform = Platform(os="windows", architecture="amd64", os_version=version)
        entries.append(msgspec.structs.replace(built.descriptor, platform=platform))

    found = seen(store, index(store, entries), unpack=True).images

    assert [each.unpacked for each in found] == [4096, 4096]


def test_nothing_is_asked_about_referrers_if_they_are_not_wanted() -> None:
    class Silent(MemoryStore):
        def tags(self) -> Any:
            raise AssertionError

        def referrers(self, subject: Digest) -> Any:
            raise AssertionError

    store = Silent()

    assert len(seen(store, platforms(store), referrers=False).images) == 3


def test_a_configuration_that_is_none_is_told_with_its_place() -> None:
    store = MemoryStore()
    root = single(store)
    broken = put(store, b"[]", OCI_CONFIG)
    body = msgspec.structs.replace(root.image, config=broken)

    with pytest.raises(InvalidManifest, match=f"^memory@{broken.digest}: the configuration is not"):
        seen(store, put_manifest(store, Manifest.of_image(body)))


def test_manifests_that_would_not_fit_in_memory_are_not_read() -> None:
    store = MemoryStore()
    built = image(store).descriptor
    large = [
        msgspec.structs.replace(built, size=4 * 2**20, platform=Platform("amd64", f"os{number}"))
        for number in range(17)
    ]

    with pytest.raises(InvalidManifest, match="has manifests of more than 67108864 bytes together"):
        seen(store, index(store, large))
