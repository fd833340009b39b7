"""Whether an image is signed by a key: both of cosign's forms, and what is no signature."""

from __future__ import annotations

import pytest

from manyfest.errors import ConnectionFailed, InvalidManifest
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.stores.memory import MemoryStore
from manyfest.trust.signatures import MAX_SIGNATURES, Signatures
from tests import images
from tests.signing import Key, payload_of, sign_by_bundle, sign_by_tag, statement_of

KEY, OTHER = Key(), Key()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def image(store: MemoryStore) -> Manifest:
    return images.image(store)


def why_unsigned(store: MemoryStore, image: Manifest, key: Key = KEY) -> str:
    return Signatures(key.public()).why_unsigned(store, image.descriptor.digest)


def test_nothing_is_signed_that_has_no_signature(store: MemoryStore, image: Manifest) -> None:
    assert why_unsigned(store, image) == "it is not signed"


def test_a_payload_beside_its_signature_vouches(store: MemoryStore, image: Manifest) -> None:
    payload = payload_of(str(image.descriptor.digest))
    sign_by_tag(store, image, (payload, KEY.sign(payload)))
    assert why_unsigned(store, image) == ""


def test_a_bundle_vouches(store: MemoryStore, image: Manifest) -> None:
    sign_by_bundle(store, image, KEY, statement_of(str(image.descriptor.digest)))
    assert why_unsigned(store, image) == ""


def test_a_signature_by_another_key_does_not(store: MemoryStore, image: Manifest) -> None:
    sign_by_bundle(store, image, OTHER, statement_of(str(image.descriptor.digest)))
    assert why_unsigned(store, image) == "its signature is not by cosign.pub"


def test_one_of_several_is_enough(store: MemoryStore, image: Manifest) -> None:
    payload = payload_of(str(image.descriptor.digest))
    sign_by_tag(store, image, (payload, OTHER.sign(payload)), (payload, KEY.sign(payload)))
    assert why_unsigned(store, image) == ""


def test_several_by_others_are_counted(store: MemoryStore, image: Manifest) -> None:
    payload = payload_of(str(image.descriptor.digest))
    sign_by_tag(store, image, (payload, OTHER.sign(payload)))
    sign_by_bundle(store, image, OTHER, statement_of(str(image.descriptor.digest)))
    assert why_unsigned(store, image) == "none of its 2 signatures is by cosign.pub"


def test_a_signature_for_another_image_does_not(store: MemoryStore, image: Manifest) -> None:
    another = images.image(store, text="another")
    payload = payload_of(str(another.descriptor.digest))
    sign_by_tag(store, image, (payload, KEY.sign(payload)))
    sign_by_bundle(store, image, KEY, statement_of(str(another.descriptor.digest)))
    assert why_unsigned(store, image) == "none of its 2 signatures is by cosign.pub"


def test_another_attestation_by_the_same_key_is_no_signature(
    store: MemoryStore, image: Manifest
) -> None:
    statement = statement_of(str(image.descriptor.digest), "https://slsa.dev/provenance/v1")
    sign_by_bundle(store, image, KEY, statement)
    assert why_unsigned(store, image) == "its signature is not by cosign.pub"


def test_a_payload_of_another_kind_is_no_signature(store: MemoryStore, image: Manifest) -> None:
    payload = payload_of(str(image.descriptor.digest), "atomic container signature")
    sign_by_tag(store, image, (payload, KEY.sign(payload)))
    assert why_unsigned(store, image) == "its signature is not by cosign.pub"


def test_a_payload_that_was_changed_after_it_was_signed_does_not_vouch(
    store: MemoryStore, image: Manifest
) -> None:
    payload = payload_of(str(image.descriptor.digest))
    sign_by_tag(store, image, (payload + b"\n", KEY.sign(payload)))
    assert why_unsigned(store, image) == "its signature is not by cosign.pub"


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b'{"critical": 1}', b"\xff" * 100])
def test_what_is_damaged_counts_as_somebody_elses(
    store: MemoryStore, image: Manifest, damaged: bytes
) -> None:
    sign_by_tag(store, image, (damaged, KEY.sign(damaged)))
    assert why_unsigned(store, image) == "its signature is not by cosign.pub"


def test_more_signatures_than_anybody_needs_are_an_error(
    store: MemoryStore, image: Manifest
) -> None:
    payloads = [payload_of(f"sha256:{number:064x}") for number in range(MAX_SIGNATURES + 1)]
    sign_by_tag(store, image, *((payload, b"signature") for payload in payloads))
    with pytest.raises(InvalidManifest, match="more than 256 signatures"):
        why_unsigned(store, image)


class Crowded(MemoryStore):
    """A store in which a manifest has many referrers that do not say what they are."""

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        contents = (b"%d" % number for number in range(MAX_SIGNATURES + 1))
        return tuple(Descriptor.of(each, images.OCI_MANIFEST) for each in contents)


def test_there_is_an_end_to_the_referrers_that_are_read() -> None:
    store = Crowded()
    with pytest.raises(InvalidManifest, match="more than 256 signatures"):
        why_unsigned(store, images.image(store))


class Silent(MemoryStore):
    """A store whose list of referrers is not to be had."""

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        raise ConnectionFailed("no answer", where="example.org")


def test_a_registry_that_does_not_tell_makes_nothing_look_unsigned() -> None:
    store = Silent()
    with pytest.raises(ConnectionFailed):
        why_unsigned(store, images.image(store))


def test_what_was_found_signed_is_not_asked_for_again(image: Manifest, store: MemoryStore) -> None:
    sign_by_bundle(store, image, KEY, statement_of(str(image.descriptor.digest)))
    signatures = Signatures(KEY.public())
    assert signatures.why_unsigned(store, image.descriptor.digest) == ""
    assert signatures.why_unsigned(Silent(), image.descriptor.digest) == ""
