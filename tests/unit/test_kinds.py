"""The types and annotations are those that the tools write: cosign, BuildKit, syft, notation."""

from __future__ import annotations

import pytest

from manyfest.images.kinds import kind_of, kinds_of
from manyfest.stores.memory import MemoryStore
from tests.images import artifact, platforms


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [
        ("application/vnd.dev.cosign.simplesigning.v1+json", "signature (cosign)"),
        ("application/vnd.dev.cosign.artifact.sig.v1+json", "signature (cosign)"),
        ("application/vnd.dev.sigstore.bundle.v0.3+json", "signature (Sigstore bundle)"),
        ("application/vnd.cncf.notary.signature", "signature (Notation)"),
        ("application/spdx+json", "SBOM (SPDX)"),
        ("text/spdx+json", "SBOM (SPDX)"),
        ("application/vnd.cyclonedx+json", "SBOM (CycloneDX)"),
        ("application/vnd.in-toto+json", "attestation (in-toto)"),
        ("application/vnd.docker.attestation.manifest.v1+json", "attestation (BuildKit)"),
        ("application/vnd.manyfest.journal.v1+jsonl", "journal of a release (manyfest)"),
        ("application/vnd.manyfest.staged.v1", "record of a staged platform (manyfest)"),
        ("application/vnd.oci.image.layer.v1.tar", ""),
        ("", ""),
    ],
)
def test_what_a_type_says(media_type: str, kind: str) -> None:
    assert kind_of(media_type, {}) == kind


@pytest.mark.parametrize(
    ("annotation", "predicate", "kind"),
    [
        ("in-toto.io/predicate-type", "https://slsa.dev/provenance/v0.2", "provenance (SLSA)"),
        ("in-toto.io/predicate-type", "https://spdx.dev/Document", "SBOM (SPDX)"),
        ("predicateType", "https://slsa.dev/provenance/v1", "provenance (SLSA)"),
        (
            "dev.sigstore.bundle.predicateType",
            "https://sigstore.dev/cosign/sign/v1",
            "signature (cosign)",
        ),
        (
            "in-toto.io/predicate-type",
            "https://example.org/review",
            "attestation (https://example.org/review)",
        ),
    ],
)
def test_a_predicate_says_more_than_a_type(annotation: str, predicate: str, kind: str) -> None:
    assert kind_of("application/vnd.in-toto+json", {annotation: predicate}) == kind


def test_a_manifest_is_of_the_kinds_of_its_layers_that_are_known() -> None:
    assert kinds_of(artifact(MemoryStore())) == ()


def test_an_index_is_of_no_kind() -> None:
    assert kinds_of(platforms(MemoryStore())) == ()
