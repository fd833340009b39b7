"""Image manifests and indexes, with the bytes they came in.

A :class:`Manifest` keeps its raw bytes: they are what is hashed, stored and sent, and they are
never written anew from the parsed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Struct

from manyfest.errors import InvalidManifest
from manyfest.oci import json
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.limits import MAX_DESCRIPTORS
from manyfest.oci.mediatypes import (
    CONFIGS,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    is_file_system,
    is_foreign,
)

Descriptors = Annotated[tuple[Descriptor, ...], msgspec.Meta(max_length=MAX_DESCRIPTORS)]


class Image(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An image or artifact manifest (OCI "Image Manifest", Docker schema 2)."""

    schema_version: int
    media_type: str = ""
    artifact_type: str = ""
    config: Descriptor
    layers: Descriptors
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}

    @property
    def kind(self) -> str:
        """The artifact's type: ``artifactType``, or else the configuration's media type."""
        if self.artifact_type:
            return self.artifact_type
        return "" if self.config.media_type == OCI_EMPTY else self.config.media_type

    @property
    def has_file_system(self) -> bool:
        """Whether its layers are a file system; having none, they are an empty one. Attestations
        and signatures are stored with an image's configuration too, and theirs are not."""
        return not self.layers or any(is_file_system(layer.media_type) for layer in self.layers)


class Index(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An image index (OCI "Image Index") or a manifest list (Docker)."""

    schema_version: int
    media_type: str = ""
    artifact_type: str = ""
    manifests: Descriptors
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}

    @property
    def images(self) -> tuple[Descriptor, ...]:
        """The entries that are images for a platform; attestations are left out."""
        return tuple(entry for entry in self.manifests if not entry.is_attestation)


class Manifest(Struct, frozen=True):
    """A manifest's bytes, what points at them, and what they say."""

    raw: bytes
    descriptor: Descriptor
    body: Image | Index

    @classmethod
    def of_image(cls, image: Image) -> Manifest:
        """A new image manifest of ours, written out once."""
        return cls._written(image, image, image.media_type or OCI_MANIFEST)

    @classmethod
    def of_index(cls, index: Index, *, like: Sequence[Manifest] = ()) -> Manifest:
        """A new index of ours, written out once. Entries that one of the indexes ``like`` has are
        in it as they are there.

        Raises :class:`~manyfest.errors.InvalidManifest` if it is much too large for that.
        """
        document = _with_entries(index, like) if like else index
        return cls._written(index, document, index.media_type or OCI_INDEX)

    @classmethod
    def _written(cls, body: Image | Index, document: object, media_type: str) -> Manifest:
        raw = json.dumps(document)
        return cls(raw, Descriptor.of(raw, media_type), body)

    @property
    def is_index(self) -> bool:
        """Whether it is an index or a manifest list."""
        return isinstance(self.body, Index)

    @property
    def is_runnable(self) -> bool:
        """Whether it is an image for a platform."""
        if isinstance(self.body, Index):
            return False
        return self.body.config.media_type in CONFIGS and self.body.has_file_system

    @property
    def index(self) -> Index:
        """The body, which must be an index; else :class:`~manyfest.errors.InvalidManifest`."""
        if isinstance(self.body, Index):
            return self.body
        raise InvalidManifest(f"{self.descriptor.digest} is an image, not an index")

    @property
    def image(self) -> Image:
        """The body, which must be an image; else :class:`~manyfest.errors.InvalidManifest`."""
        if isinstance(self.body, Image):
            return self.body
        raise InvalidManifest(f"{self.descriptor.digest} is an index, not an image")

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """What must be in a store before this manifest may be: each once, in order.

        Foreign layers are not among them; they stay where they are. Nor is ``subject``, which
        may come later.
        """
        if isinstance(self.body, Index):
            found: tuple[Descriptor, ...] = self.body.manifests
        else:
            layers = (layer for layer in self.body.layers if not is_foreign(layer.media_type))
            found = (self.body.config, *layers)
        return tuple({child.digest: child for child in found}.values())


def _with_entries(index: Index, like: Sequence[Manifest]) -> dict[str, object]:
    """The index as JSON. Entries keep what we do not know of, such as Docker's
    ``platform.features``, where they come from another index."""
    known: dict[Descriptor, object] = {}
    for each in like:
        entries = json.loads(each.raw, "the index")["manifests"]
        known.update(zip(each.index.manifests, entries, strict=True))
    document = json.loads(json.dumps(index), "the index")
    document["manifests"] = [known.get(entry, entry) for entry in index.manifests]
    return document
