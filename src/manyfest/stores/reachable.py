"""What the names in a layout lead to, so that the rest can be told from it."""

from __future__ import annotations

from collections.abc import Iterable

from manyfest.errors import DigestMismatch, InvalidManifest, NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.parse import parse_manifest
from manyfest.stores.referrers import Read


def reachable(entries: Iterable[Descriptor], read: Read) -> set[Digest]:
    """The digests of ``entries`` and of everything below them.

    What is missing or damaged leads nowhere. Raises
    :class:`~manyfest.errors.InvalidArchive` if something cannot be read.
    """
    pending = list(entries)
    seen: set[tuple[Digest, bool]] = set()
    while pending:
        entry = pending.pop()
        key = (entry.digest, entry.is_manifest)
        if key not in seen:
            seen.add(key)
            pending += _below(entry, read) if entry.is_manifest else ()
    return {digest for digest, _ in seen}


def _below(entry: Descriptor, read: Read) -> tuple[Descriptor, ...]:
    try:
        return parse_manifest(read(entry), media_type=entry.media_type).children
    except (NotFound, DigestMismatch, InvalidManifest):
        return ()
