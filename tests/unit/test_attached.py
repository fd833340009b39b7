from __future__ import annotations

from collections.abc import Iterator

import msgspec

from manyfest.errors import AccessDenied, NotFound
from manyfest.images.attached import Attachment, attestation, find_attached
from manyfest.images.companions import FEW_TAGS
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Manifest
from manyfest.stores.memory import MemoryStore
from tests import images
from tests.images import OCI_EMPTY, OCI_MANIFEST, content_of, image, put, put_manifest


def signature(store: MemoryStore, layer_type: str) -> Manifest:
    """What cosign puts under a tag of its own, for one layer of this type."""
    body = Image(
        schema_version=2,
        media_type=OCI_MANIFEST,
        config=put(store, b"{}", OCI_EMPTY),
        layers=(put(store, b"{}", layer_type),),
    )
    return put_manifest(store, Manifest.of_image(body))


def tag_of(subject: Manifest, suffix: str) -> str:
    return f"sha256-{subject.descriptor.digest.hex}.{suffix}"


def attached_to(store: MemoryStore, subject: Manifest) -> tuple[Attachment, ...]:
    return find_attached(store, [subject.descriptor.digest])[subject.descriptor.digest]


class Referring(MemoryStore):
    """A store with what refers to an image as a registry lists it."""

    listed: tuple[Descriptor, ...] = ()

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        return self.listed


def test_nothing_is_attached_to_most_images() -> None:
    store = MemoryStore()

    assert attached_to(store, image(store)) == ()


def test_what_is_listed_as_a_referrer_is_named_by_its_type() -> None:
    store = Referring()
    subject = image(store)
    listed = Descriptor.of(b"{}", OCI_MANIFEST)
    store.listed = (
        msgspec.structs.replace(listed, artifact_type="application/vnd.cncf.notary.signature"),
    )

    assert attached_to(store, subject) == (
        Attachment(
            kinds=("signature (Notation)",),
            digest=str(listed.digest),
            artifact_type="application/vnd.cncf.notary.signature",
            found_by="referrers",
        ),
    )


def test_a_referrer_that_nobody_knows_is_of_no_kind() -> None:
    store = Referring()
    subject = image(store)
    store.listed = (
        msgspec.structs.replace(
            Descriptor.of(b"{}", OCI_MANIFEST), artifact_type="application/vnd.example.poem"
        ),
    )

    (found,) = attached_to(store, subject)

    assert (found.kinds, found.artifact_type) == ((), "application/vnd.example.poem")


def test_what_cosign_tags_is_named_by_what_it_holds() -> None:
    store = MemoryStore()
    subject = image(store)
    signed = signature(store, "application/vnd.dev.cosign.simplesigning.v1+json")
    store.tag(tag_of(subject, "sig"), content_of(signed))

    assert attached_to(store, subject) == (
        Attachment(
            kinds=("signature (cosign)",),
            digest=str(signed.descriptor.digest),
            artifact_type="",
            found_by="tag",
        ),
    )


def test_what_cosign_tags_and_nobody_knows_is_named_by_its_tag() -> None:
    store = MemoryStore()
    subject = image(store)
    store.tag(tag_of(subject, "att"), content_of(signature(store, "text/plain")))

    (found,) = attached_to(store, subject)

    assert found.kinds == ("attestation (cosign)",)


def test_what_is_found_in_two_ways_is_told_once() -> None:
    store = Referring()
    subject = image(store)
    signed = signature(store, "application/vnd.dev.cosign.simplesigning.v1+json")
    store.tag(tag_of(subject, "sig"), content_of(signed))
    store.listed = (
        msgspec.structs.replace(
            signed.descriptor, artifact_type="application/vnd.dev.cosign.artifact.sig.v1+json"
        ),
    )

    assert [each.found_by for each in attached_to(store, subject)] == ["referrers"]


def test_tags_are_listed_once_and_only_those_of_cosign_are_read() -> None:
    asked: list[str] = []

    class Listing(MemoryStore):
        def resolve(self, name: str) -> Descriptor:
            asked.append(name)
            return super().resolve(name)

    store = Listing()
    subject = image(store)
    store.tag("v1", content_of(subject))
    signed = tag_of(subject, "sig")
    store.tag(signed, content_of(signature(store, "text/plain")))

    attached_to(store, subject)

    assert asked == [signed]


def test_with_very_many_tags_those_of_cosign_are_asked_for_by_name() -> None:
    class Crowded(MemoryStore):
        def tags(self) -> Iterator[str]:
            return (f"v{number}" for number in range(FEW_TAGS + 1))

    store = Crowded()
    subject = image(store)
    store.tag(tag_of(subject, "sbom"), content_of(signature(store, "text/spdx+json")))

    (found,) = attached_to(store, subject)

    assert found.kinds == ("SBOM (SPDX)",)


def test_a_registry_that_lists_no_tags_and_denies_what_is_not_there_has_nothing_attached() -> None:
    class Denying(MemoryStore):
        def tags(self) -> Iterator[str]:
            raise AccessDenied("denied", status=403)

        def resolve(self, name: str) -> Descriptor:
            raise AccessDenied("denied", status=403)

    store = Denying()

    assert attached_to(store, image(store)) == ()


def test_an_attestation_of_buildkit_says_what_it_holds() -> None:
    store = MemoryStore()
    entry = images.attestation(store, image(store))

    assert attestation(store, entry).kinds == ("provenance (SLSA)",)


def test_an_attestation_that_is_not_there_is_told_so() -> None:
    store = MemoryStore()
    entry = images.attestation(store, image(store))
    del store.blobs[entry.digest]

    assert attestation(store, entry).kinds == ("attestation (missing)",)
    assert attestation(store, entry).digest == str(entry.digest)


def test_a_tag_that_is_gone_when_it_is_read_is_nothing() -> None:
    class Fleeting(MemoryStore):
        def open(self, descriptor: Descriptor) -> object:  # type: ignore[override]
            raise NotFound("gone")

    store = Fleeting()
    subject = image(store)
    store.tag(tag_of(subject, "sig"), content_of(signature(store, "text/plain")))

    assert attached_to(store, subject) == ()
