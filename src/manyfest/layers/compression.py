"""How a layer is compressed: the three ways of the OCI image specification, and telling which."""

from __future__ import annotations

from enum import StrEnum

from manyfest.oci import mediatypes

SNIFF_SIZE = 4
"""Bytes that ``sniff`` needs."""


class Compression(StrEnum):
    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"

    @property
    def media_type(self) -> str:
        """The OCI media type of a layer that is compressed so."""
        return _MEDIA_TYPES[self]

    @classmethod
    def of_media_type(cls, media_type: str) -> Compression | None:
        """How a layer of ``media_type`` is compressed, OCI's or Docker's; ``None`` if unknown."""
        return _BY_MEDIA_TYPE.get(media_type)

    @classmethod
    def sniff(cls, head: bytes) -> Compression:
        """How a stream is compressed that begins with ``head``; ``NONE`` if in no known way."""
        if head.startswith(b"\x1f\x8b"):
            return cls.GZIP
        if head.startswith(b"\x28\xb5\x2f\xfd"):
            return cls.ZSTD
        # A skippable frame (RFC 8878, section 3.1.2), which may come first.
        if head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5:
            return cls.ZSTD
        return cls.NONE


_MEDIA_TYPES = {
    Compression.NONE: mediatypes.OCI_LAYER,
    Compression.GZIP: mediatypes.OCI_LAYER_GZIP,
    Compression.ZSTD: mediatypes.OCI_LAYER_ZSTD,
}
_BY_MEDIA_TYPE = {
    **{media_type: compression for compression, media_type in _MEDIA_TYPES.items()},
    mediatypes.DOCKER_LAYER: Compression.NONE,
    mediatypes.DOCKER_LAYER_GZIP: Compression.GZIP,
}
