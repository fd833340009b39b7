"""Descriptors: what points at content (OCI image specification, "Content Descriptors")."""

from __future__ import annotations

from typing import Annotated

import msgspec

from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_BLOB_SIZE
from manyfest.oci.mediatypes import MANIFESTS
from manyfest.oci.platform import Platform

ATTESTATION_TYPE = "vnd.docker.reference.type"
ATTESTATION_SUBJECT = "vnd.docker.reference.digest"
"""BuildKit's annotations on an entry that is an attestation: that it is one, and of which image."""

ZSTD_COPY = "io.github.containers.compression.zstd"
"""Podman's mark on an entry whose layers are zstd: the platform is listed a second time for it."""

Size = Annotated[int, msgspec.Meta(ge=0, le=MAX_BLOB_SIZE)]


class Descriptor(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, eq=True
):
    """A media type, a digest and a size in bytes; the rest is optional."""

    media_type: str
    digest: Digest
    size: Size
    urls: tuple[str, ...] = ()
    annotations: dict[str, str] = {}
    data: bytes | None = None
    artifact_type: str = ""
    platform: Platform | None = None

    @classmethod
    def of(cls, data: bytes, media_type: str, *, algorithm: str = "sha256") -> Descriptor:
        """The descriptor of ``data``."""
        return cls(media_type=media_type, digest=Digest.of(data, algorithm), size=len(data))

    @property
    def is_manifest(self) -> bool:
        """Whether it points at an image manifest or an index."""
        return self.media_type in MANIFESTS

    @property
    def is_attestation(self) -> bool:
        """Whether it is one of BuildKit's attestations rather than an image.

        Told by its annotation, never by its place in the index or by ``unknown/unknown``.
        """
        return self.annotations.get(ATTESTATION_TYPE) == "attestation-manifest"

    @property
    def is_zstd_copy(self) -> bool:
        """Whether it is a platform's second entry, whose layers are zstd."""
        return self.annotations.get(ZSTD_COPY) == "true"

    @property
    def attests_to(self) -> str:
        """For one of BuildKit's attestations the digest of its image; else the empty string."""
        subject = self.annotations.get(ATTESTATION_SUBJECT, "")
        return subject if self.is_attestation else ""

    def __hash__(self) -> int:
        return hash((self.media_type, self.digest, self.size))
