from __future__ import annotations

import msgspec
import pytest

from manyfest.errors import InvalidManifest
from manyfest.oci import json
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.platform import Platform

DIGEST = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
FULL = (
    b'{"mediaType":"application/vnd.oci.image.manifest.v1+json",'
    b'"digest":"' + DIGEST.encode() + b'","size":2,'
    b'"urls":["https://example.org/x"],"annotations":{"a":"b"},"data":"e30=",'
    b'"artifactType":"application/vnd.example+type",'
    b'"platform":{"architecture":"arm","os":"linux","os.version":"6","os.features":["x"],'
    b'"variant":"v7"}}'
)


def read(raw: bytes) -> Descriptor:
    return json.convert(json.loads(raw, "it"), Descriptor, "it")


def test_every_property_is_read() -> None:
    assert read(FULL) == Descriptor(
        media_type="application/vnd.oci.image.manifest.v1+json",
        digest=Digest.parse(DIGEST),
        size=2,
        urls=("https://example.org/x",),
        annotations={"a": "b"},
        data=b"{}",
        artifact_type="application/vnd.example+type",
        platform=Platform("arm", "linux", os_version="6", os_features=("x",), variant="v7"),
    )


def test_every_property_is_written_in_order() -> None:
    assert json.dumps(read(FULL)) == FULL


def test_what_is_not_set_is_not_written() -> None:
    descriptor = Descriptor.of(b"{}", "application/vnd.oci.empty.v1+json")
    assert json.dumps(descriptor) == (
        b'{"mediaType":"application/vnd.oci.empty.v1+json","digest":"'
        + DIGEST.encode()
        + b'","size":2}'
    )


def test_descriptor_of_bytes_by_another_algorithm() -> None:
    descriptor = Descriptor.of(b"{}", "text/plain", algorithm="sha512")
    assert str(descriptor.digest).startswith("sha512:27c74670adb75075fad058d5ceaf7b20")


@pytest.mark.parametrize(
    ("media_type", "is_manifest"),
    [
        ("application/vnd.oci.image.index.v1+json", True),
        ("application/vnd.oci.image.manifest.v1+json", True),
        ("application/vnd.docker.distribution.manifest.v2+json", True),
        ("application/vnd.docker.distribution.manifest.list.v2+json", True),
        ("application/vnd.oci.image.config.v1+json", False),
        ("application/vnd.oci.image.layer.v1.tar+gzip", False),
    ],
)
def test_what_is_a_manifest(media_type: str, is_manifest: bool) -> None:
    assert Descriptor.of(b"", media_type).is_manifest is is_manifest


def test_an_attestation_is_told_by_its_annotation_alone() -> None:
    image = Descriptor.of(b"", "application/vnd.oci.image.manifest.v1+json")
    unknown = msgspec.structs.replace(image, platform=Platform("unknown", "unknown"))
    marked = msgspec.structs.replace(
        image, annotations={"vnd.docker.reference.type": "attestation-manifest"}
    )
    assert [entry.is_attestation for entry in (image, unknown, marked)] == [False, False, True]


def test_an_attestation_names_its_image_and_nothing_else_does() -> None:
    subject = {"vnd.docker.reference.digest": DIGEST}
    image = Descriptor(
        media_type="application/vnd.oci.image.manifest.v1+json",
        digest=Digest.parse(DIGEST),
        size=2,
        annotations=subject,
    )
    attestation = msgspec.structs.replace(
        image, annotations={**subject, "vnd.docker.reference.type": "attestation-manifest"}
    )
    assert (image.attests_to, attestation.attests_to) == ("", DIGEST)


def test_podmans_mark_on_a_copy_in_zstd() -> None:
    image = Descriptor.of(b"", "application/vnd.oci.image.manifest.v1+json")
    marked = msgspec.structs.replace(
        image, annotations={"io.github.containers.compression.zstd": "true"}
    )
    assert (image.is_zstd_copy, marked.is_zstd_copy) == (False, True)


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (b'{"digest":"%s","size":2}', "missing required field `mediaType`"),
        (b'{"mediaType":"a/b","size":2}', "missing required field `digest`"),
        (b'{"mediaType":"a/b","digest":"%s"}', "missing required field `size`"),
        (b'{"mediaType":"a/b","digest":"%s","size":-1}', r"\$\.size"),
        (b'{"mediaType":"a/b","digest":"%s","size":2.5}', r"\$\.size"),
        (b'{"mediaType":"a/b","digest":"%s","size":true}', r"\$\.size"),
        (b'{"mediaType":"a/b","digest":"%s","size":9223372036854775807}', r"\$\.size"),
        (b'{"mediaType":"a/b","digest":"sha256:x","size":2}', r"\$\.digest"),
        (b'{"mediaType":"a/b","digest":7,"size":2}', r"\$\.digest"),
        (b'{"mediaType":"a/b","digest":"%s","size":2,"data":"?"}', r"\$\.data"),
        (b'{"mediaType":"a/b","digest":"%s","size":2,"annotations":{"a":1}}', r"\$\.annotations"),
    ],
)
def test_a_wrong_descriptor_is_refused(raw: bytes, where: str) -> None:
    with pytest.raises(InvalidManifest, match=where):
        read(raw.replace(b"%s", DIGEST.encode()))


def test_equal_descriptors_are_one_key() -> None:
    first, second = read(FULL), read(FULL)
    assert len({first, second, Descriptor.of(b"", "text/plain")}) == 2
