"""What an artifact is, for people: a signature, a bill of materials, an attestation, and whose.

It is told by what the artifact says of itself, and never verified.
"""

from __future__ import annotations

from collections.abc import Mapping

from manyfest.oci.manifest import Image, Manifest

_PREDICATES = (
    "in-toto.io/predicate-type",
    "predicateType",
    "dev.sigstore.bundle.predicateType",
)
"""Annotations that name the predicate of an attestation: BuildKit's, cosign's and Sigstore's."""

_BY_PREDICATE = {
    "https://slsa.dev/provenance/": "provenance (SLSA)",
    "https://slsa.dev/verification_summary/": "verification summary (SLSA)",
    "https://spdx.dev/Document": "SBOM (SPDX)",
    "https://cyclonedx.org/bom": "SBOM (CycloneDX)",
    "https://syft.dev/bom": "SBOM (Syft)",
    "https://openvex.dev/ns": "VEX (OpenVEX)",
    "https://cosign.sigstore.dev/attestation/vuln/": "vulnerabilities (cosign)",
    "https://in-toto.io/attestation/vulns": "vulnerabilities (in-toto)",
    "https://sigstore.dev/cosign/sign/": "signature (cosign)",
}
"""Beginnings of predicate types: what follows is a version."""

_BY_TYPE = {
    "application/vnd.dev.cosign.artifact.sig.v1+json": "signature (cosign)",
    "application/vnd.dev.cosign.simplesigning.v1+json": "signature (cosign)",
    "application/vnd.dev.cosign.artifact.sbom.v1+json": "SBOM (cosign)",
    "application/vnd.dev.sigstore.bundle": "signature (Sigstore bundle)",
    "application/vnd.cncf.notary.signature": "signature (Notation)",
    "application/vnd.docker.attestation.manifest.v1+json": "attestation (BuildKit)",
    "application/vnd.in-toto+json": "attestation (in-toto)",
    "application/vnd.dsse.envelope.v1+json": "attestation (DSSE)",
    "application/spdx+json": "SBOM (SPDX)",
    "text/spdx": "SBOM (SPDX)",
    "application/vnd.cyclonedx": "SBOM (CycloneDX)",
    "application/vnd.syft+json": "SBOM (Syft)",
    "application/sarif+json": "scan report (SARIF)",
    "application/vnd.openvex+json": "VEX (OpenVEX)",
    "application/vnd.manyfest.journal": "journal of a release (manyfest)",
    "application/vnd.manyfest.staged": "record of a staged platform (manyfest)",
}
"""Beginnings of artifact types and of layers' media types."""


def kind_of(media_type: str, annotations: Mapping[str, str]) -> str:
    """By the predicate, if one is named, else by the type; empty if neither is known."""
    predicate = next((annotations[key] for key in _PREDICATES if annotations.get(key)), "")
    if predicate:
        return _by_beginning(predicate, _BY_PREDICATE) or f"attestation ({predicate})"
    return _by_beginning(media_type, _BY_TYPE)


def kinds_of(manifest: Manifest) -> tuple[str, ...]:
    """What a manifest's layers are, each kind once; empty if none of them is known."""
    if not isinstance(manifest.body, Image):
        return ()
    kinds = (kind_of(layer.media_type, layer.annotations) for layer in manifest.body.layers)
    return tuple(dict.fromkeys(filter(None, kinds)))


def _by_beginning(text: str, known: Mapping[str, str]) -> str:
    return next((kind for start, kind in known.items() if text.startswith(start)), "")
