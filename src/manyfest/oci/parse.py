"""From bytes to manifests and configurations.

Lenient where the world is untidy (unknown keys, missing ``mediaType``), strict where two programs
could disagree on what the bytes are. :mod:`manyfest.oci.validate` reports every other fault.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from manyfest.errors import InvalidManifest
from manyfest.oci import json
from manyfest.oci.config import ImageConfig
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_LAYOUT_ENTRIES, MAX_LAYOUT_INDEX_SIZE
from manyfest.oci.manifest import Image, Index, Manifest
from manyfest.oci.mediatypes import IMAGES, INDEXES, MANIFESTS, OCI_INDEX, OCI_MANIFEST


class _Entries(Struct, frozen=True):
    """The part of ``index.json`` that may be longer than in a manifest."""

    manifests: Annotated[tuple[Descriptor, ...], Meta(max_length=MAX_LAYOUT_ENTRIES)] = ()


json.prepare(Image, Index, ImageConfig, _Entries)

_DOCKER_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"


def parse_manifest(raw: bytes, *, media_type: str = "", algorithm: str = "sha256") -> Manifest:
    """The manifest or index in ``raw``.

    ``media_type`` is what the descriptor or the Content-Type said of it; the body must agree.
    Raises :class:`~manyfest.errors.InvalidManifest`.
    """
    what = "the index" if media_type in INDEXES else "the manifest"
    document = json.loads(raw, what)
    actual = _manifest_type(document, media_type)
    # Go writes an empty list as null.
    document.setdefault("manifests" if actual in INDEXES else "layers", [])
    body: Image | Index
    if actual in INDEXES:
        body = json.convert(document, Index, "the index")
    else:
        body = json.convert(document, Image, "the manifest")
    digest = Digest.of(raw, algorithm)
    return Manifest(raw, Descriptor(media_type=actual, digest=digest, size=len(raw)), body)


def parse_layout_index(raw: bytes) -> Manifest:
    """The ``index.json`` of a layout: an index, with as many entries as a layout may have names.

    Raises :class:`~manyfest.errors.InvalidManifest`.
    """
    what = "the index"
    document = json.loads(raw, what, largest=MAX_LAYOUT_INDEX_SIZE)
    actual = _manifest_type(document, OCI_INDEX)
    if actual not in INDEXES:
        raise InvalidManifest("it is an image manifest, not an index")
    entries = json.convert(document, _Entries, what).manifests
    document["manifests"] = []
    body = replace(json.convert(document, Index, what), manifests=entries)
    return Manifest(raw, Descriptor.of(raw, actual), body)


def parse_config(raw: bytes) -> ImageConfig:
    """The image configuration in ``raw``. Raises :class:`~manyfest.errors.InvalidManifest`."""
    return json.convert(json.loads(raw, "the configuration"), ImageConfig, "the configuration")


def _manifest_type(document: dict[str, Any], declared: str = "") -> str:
    """The media type of a manifest, from its body and from what was said of it.

    Raises :class:`~manyfest.errors.InvalidManifest` if the two differ, or if the body could be
    read as an index and as an image (CVE-2021-41190).
    """
    inside = document.get("mediaType", "")
    if not isinstance(inside, str):
        raise InvalidManifest("the manifest's mediaType is not a string")
    is_index = "manifests" in document
    is_image = bool({"config", "layers"} & document.keys())
    if is_index and is_image:
        raise InvalidManifest("the manifest is at once an index and an image")
    if not (is_index or is_image):
        is_index = (inside or declared) in INDEXES
        if not is_index:
            raise _shapeless(document, declared)
    if inside and declared in MANIFESTS and inside != declared:
        raise InvalidManifest(f"the manifest says it is {inside[:80]!r}, but came as {declared!r}")
    return _checked_type(inside, declared, is_index=is_index)


def _shapeless(document: dict[str, Any], declared: str) -> InvalidManifest:
    if document.get("schemaVersion") == 1 or declared.startswith(_DOCKER_SCHEMA_1):
        return InvalidManifest(
            "the manifest has Docker's schema 1, which was retired in 2020",
            mend="push the image again with a current tool",
        )
    return InvalidManifest('the manifest has neither "manifests" nor "config" and "layers"')


def _checked_type(inside: str, declared: str, *, is_index: bool) -> str:
    media_type, expected = inside or declared, INDEXES if is_index else IMAGES
    if media_type in expected:
        return media_type
    form = "an index" if is_index else "an image"
    if inside or media_type in MANIFESTS:
        raise InvalidManifest(
            f"the manifest has the form of {form}, but says it is {media_type[:80]!r}"
        )
    # A missing type, or a registry that answered with application/json.
    return OCI_INDEX if is_index else OCI_MANIFEST
