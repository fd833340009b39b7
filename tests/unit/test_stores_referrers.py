from __future__ import annotations

import msgspec
import pytest

import manyfest.stores.referrers
from manyfest.errors import InvalidManifest, StoreError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_REFERRERS
from manyfest.oci.manifest import Image, Index, Manifest
from manyfest.oci.reference import is_companion_tag
from manyfest.stores.base import read_all
from manyfest.stores.memory import MemoryStore
from manyfest.stores.referrers import (
    EMPTY,
    NamedReferrers,
    as_referrer,
    fallback_tag,
    holder_of,
    list_manifest,
    unique,
    with_referrer,
    without_referrer,
)
from tests.images import OCI_CONFIG, OCI_EMPTY, OCI_INDEX, OCI_MANIFEST, entry, image, index

EMPTY_JSON = Descriptor.of(b"{}", OCI_EMPTY)
REF_NAME = "org.opencontainers.image.ref.name"


def described(number: int) -> Descriptor:
    return Descriptor.of(str(number).encode(), OCI_MANIFEST)


def artifact(
    subject: Descriptor | None, *, kind: str = "", config: Descriptor = EMPTY_JSON
) -> Manifest:
    return Manifest.of_image(
        Image(
            schema_version=2,
            media_type=OCI_MANIFEST,
            artifact_type=kind,
            config=config,
            layers=(),
            subject=subject,
            annotations={"by": "me"},
        )
    )


def test_the_tag_is_made_of_the_subjects_digest_and_of_64_digits_at_most() -> None:
    assert fallback_tag(Digest.of(b"")) == (
        "sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    assert fallback_tag(Digest.of(b"", "sha512")) == (
        "sha512-cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
    )


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_it_is_known_as_a_companions_tag(algorithm: str) -> None:
    assert is_companion_tag(fallback_tag(Digest.of(b"", algorithm)))


@pytest.mark.parametrize(
    ("kind", "config", "expected"),
    [
        ("application/vnd.example", EMPTY_JSON, "application/vnd.example"),
        ("", EMPTY_JSON, "application/vnd.oci.empty.v1+json"),
        ("", Descriptor.of(b"{}", OCI_CONFIG), "application/vnd.oci.image.config.v1+json"),
    ],
)
def test_a_referrer_has_its_own_type_or_that_of_its_configuration(
    kind: str, config: Descriptor, expected: str
) -> None:
    manifest = artifact(None, kind=kind, config=config)
    found = as_referrer(manifest)
    assert found.artifact_type == expected
    assert found.annotations == {"by": "me"}
    assert (found.digest, found.size) == (manifest.descriptor.digest, manifest.descriptor.size)


def test_an_index_that_refers_to_something_has_no_type_of_a_configuration() -> None:
    body = Index(schema_version=2, media_type=OCI_INDEX, manifests=(), subject=described(1))
    assert as_referrer(Manifest.of_index(body)).artifact_type == ""


def test_a_list_has_each_referrer_once_and_can_lose_it() -> None:
    one = with_referrer(EMPTY, described(1))
    two = with_referrer(one, described(2))
    assert with_referrer(two, described(1)) is two
    assert two.manifests == (described(1), described(2))
    assert without_referrer(two, described(1).digest).manifests == (described(2),)
    assert without_referrer(two, described(3).digest) == two


def test_what_others_wrote_into_a_list_is_kept() -> None:
    other = Index(
        schema_version=2, media_type=OCI_INDEX, manifests=(), annotations={"tool": "other"}
    )
    assert with_referrer(other, described(1)).annotations == {"tool": "other"}


def test_a_list_that_could_not_be_read_again_is_not_made() -> None:
    many = tuple(described(number) for number in range(MAX_REFERRERS + 1))
    with pytest.raises(StoreError, match=r"^here: the list of 4097 referrers is too long"):
        list_manifest(msgspec.structs.replace(EMPTY, manifests=many), where="here")
    long = msgspec.structs.replace(described(1), annotations={"text": "x" * 2**22})
    with pytest.raises(StoreError, match="the list of 1 referrers is too long"):
        list_manifest(msgspec.structs.replace(EMPTY, manifests=(long,)))


def test_the_first_description_of_a_referrer_counts() -> None:
    other = msgspec.structs.replace(described(1), artifact_type="other")
    assert unique([described(1), other]) == (described(1),)


class Layout:
    """Manifests, and what ``index.json`` names; counts how often one is read."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.entries: list[Descriptor] = []
        self.reads: list[Digest] = []

    def add(self, manifest: Manifest, name: str = "") -> Descriptor:
        self.store.blobs[manifest.descriptor.digest] = manifest.raw
        annotations = {REF_NAME: name} if name else {}
        self.entries.append(msgspec.structs.replace(manifest.descriptor, annotations=annotations))
        return as_referrer(manifest)

    @property
    def top(self) -> Index:
        return Index(schema_version=2, media_type=OCI_INDEX, manifests=tuple(self.entries))

    def read(self, descriptor: Descriptor) -> bytes:
        self.reads.append(descriptor.digest)
        return read_all(self.store, descriptor)


def test_referrers_are_found_under_the_fallback_tag_and_among_the_names() -> None:
    layout = Layout()
    subject = image(layout.store).descriptor
    listed, standing = artifact(subject, kind="a/listed"), artifact(subject, kind="a/standing")
    layout.add(
        list_manifest(with_referrer(EMPTY, as_referrer(listed))), fallback_tag(subject.digest)
    )
    layout.add(standing)
    layout.add(artifact(described(1), kind="a/other"))
    found = NamedReferrers(layout.read).of(subject.digest, layout.top)
    assert found == (as_referrer(listed), as_referrer(standing))


def test_a_manifest_is_read_once_to_see_what_it_refers_to() -> None:
    layout = Layout()
    subject = image(layout.store).descriptor
    layout.add(artifact(described(1)))
    named = NamedReferrers(layout.read)
    for _ in range(3):
        assert named.of(subject.digest, layout.top) == ()
    assert len(layout.reads) == 1


def test_what_is_missing_or_no_manifest_refers_to_nothing() -> None:
    layout = Layout()
    layout.entries.append(described(1))
    text = Descriptor.of(b"text", OCI_MANIFEST)
    layout.store.blobs[text.digest] = b"text"
    layout.entries.append(text)
    assert NamedReferrers(layout.read).of(Digest.of(b""), layout.top) == ()


def test_an_image_under_the_fallback_tag_is_no_list() -> None:
    layout = Layout()
    subject = image(layout.store)
    digest = subject.descriptor.digest
    layout.add(subject, fallback_tag(digest))
    with pytest.raises(InvalidManifest, match="is an image, not an index"):
        NamedReferrers(layout.read).listed(digest, layout.top)


def test_the_index_that_holds_a_manifest_is_found_however_deep_it_is() -> None:
    layout = Layout()
    child = image(layout.store)
    inner = index(layout.store, [entry(child, "linux/amd64")])
    outer = index(layout.store, [entry(inner)])
    layout.add(outer, "v1")
    holder = holder_of(child.descriptor.digest, layout.top, layout.read)
    assert holder == inner.descriptor.digest
    assert holder_of(inner.descriptor.digest, layout.top, layout.read) == outer.descriptor.digest
    assert holder_of(outer.descriptor.digest, layout.top, layout.read) is None


def test_a_list_of_referrers_holds_nothing() -> None:
    layout = Layout()
    subject = image(layout.store).descriptor
    sbom = artifact(subject)
    layout.add(sbom)
    layout.add(list_manifest(with_referrer(EMPTY, as_referrer(sbom))), fallback_tag(subject.digest))
    assert holder_of(sbom.descriptor.digest, layout.top, layout.read) is None


def test_an_index_that_is_not_here_holds_nothing() -> None:
    layout = Layout()
    layout.entries.append(Descriptor.of(b"gone", OCI_INDEX))
    assert holder_of(Digest.of(b""), layout.top, layout.read) is None


def test_a_search_through_indexes_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manyfest.stores.referrers, "MAX_GRAPH_NODES", 3)
    layout = Layout()
    for number in range(4):
        layout.add(index(layout.store, [entry(image(layout.store))], text=str(number)))
    with pytest.raises(StoreError, match="more than 3 indexes"):
        holder_of(Digest.of(b""), layout.top, layout.read)
