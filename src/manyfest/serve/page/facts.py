"""What the page shows of a repository's tags: platforms, sizes, digests.

Only what is here is looked at. Of a repository that is filled from elsewhere nothing is fetched for
a page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import closing
from threading import Lock

from msgspec import Struct

from manyfest.errors import ManyfestError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_MANIFEST_SIZE
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.parse import parse_config
from manyfest.serve.bodies import FilePart, StreamPart
from manyfest.serve.content import Readable

_MOST_REMEMBERED = 4096

_MOST_PARTS = 64
"""Platforms of one tag that are looked at: an index may name thousands, and the page waits."""


class Part(Struct, frozen=True):
    """One platform's image, or whatever else a tag means: what it is, and its size in bytes with
    all its layers, if that is known."""

    what: str
    size: int | None


class TagFacts(Struct, frozen=True):
    """What a tag means. The size is that of all parts together, what they share counted once. It is
    lasting if all that was looked at is here: what is not may come."""

    digest: Digest
    parts: tuple[Part, ...]
    size: int | None
    is_lasting: bool = True


class Facts:
    """Finds out, and remembers by repository and digest: what another repository holds is nobody
    else's business."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Digest], TagFacts] = {}
        self._lock = Lock()

    async def of(self, repository: Readable, digest: Digest) -> TagFacts:
        """What the manifest is, as far as it can be told."""
        key = (repository.name, digest)
        known = self._known.get(key)
        if known is None:
            known = await _facts(repository, digest)
            with self._lock:
                if len(self._known) >= _MOST_REMEMBERED:
                    self._known.clear()
                if known.is_lasting:
                    self._known[key] = known
        return known


async def _facts(repository: Readable, digest: Digest) -> TagFacts:
    manifest = await _manifest(repository, digest)
    if manifest is None:
        return TagFacts(digest, (), None, is_lasting=False)
    if not isinstance(manifest.body, Index):
        blobs = _blobs(manifest)
        part = Part(await _kind(repository, manifest), _sum(blobs))
        return TagFacts(digest, (part,), part.size)
    parts, everything = [], [manifest.descriptor]
    whole = True
    images = manifest.body.images
    for entry in images[:_MOST_PARTS]:
        child = await _manifest(repository, entry.digest)
        blobs = _blobs(child) if child is not None else []
        whole = whole and child is not None
        everything += blobs
        what = str(entry.platform.normalised()) if entry.platform else "unknown"
        parts.append(Part(what, _sum(blobs) if child is not None else None))
    if len(images) > _MOST_PARTS:
        more = Part(f"and {len(images) - _MOST_PARTS} more", None)
        return TagFacts(digest, (*parts, more), None, whole)
    return TagFacts(digest, tuple(parts), _sum(everything) if whole else None, whole)


async def _manifest(repository: Readable, digest: Digest) -> Manifest | None:
    known = repository.known_manifest(digest)
    if known is not None:
        return known
    try:
        return await asyncio.to_thread(repository.manifest, digest)
    except (ManyfestError, OSError):
        return None


async def _kind(repository: Readable, manifest: Manifest) -> str:
    """An image's platform; the type of what is no image."""
    if manifest.image.artifact_type or not manifest.is_runnable:
        return manifest.image.kind or "artifact"
    entry = manifest.image.config
    if entry.size > MAX_MANIFEST_SIZE:
        return "unknown"
    try:
        body = repository.known_blob(entry.digest)
        if body is None or body.size != entry.size:
            return "unknown"  # who named it may have said that it is small
        raw = await asyncio.to_thread(_read, body)
        return str(parse_config(raw).platform.normalised())
    except (ManyfestError, OSError):
        return "unknown"


def _read(body: FilePart | StreamPart) -> bytes:
    raw = b""
    with closing(body.opened()) as reader:
        while len(raw) < body.size and (chunk := reader.read(body.size - len(raw))):
            raw += chunk
    return raw


def _blobs(manifest: Manifest) -> list[Descriptor]:
    return [manifest.descriptor, *manifest.children]


def _sum(found: Iterable[Descriptor]) -> int:
    return sum({entry.digest: entry.size for entry in found}.values())
