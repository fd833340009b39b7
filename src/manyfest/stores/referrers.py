"""What refers to a manifest, as it is kept where no registry keeps it: in an index under a tag
that is made from the subject's digest (OCI distribution specification, "Referrers Tag Schema").

Registries without the referrers API have that tag, and layouts and archives have it among their
names, as regctl writes them. oras instead puts each referrer into ``index.json``; both are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from manyfest.errors import DigestMismatch, InvalidManifest, NotFound, StoreError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_GRAPH_NODES, MAX_MANIFEST_SIZE, MAX_REFERRERS
from manyfest.oci.manifest import Image, Index, Manifest
from manyfest.oci.mediatypes import INDEXES, OCI_INDEX
from manyfest.oci.parse import parse_manifest
from manyfest.oci.reference import is_companion_tag
from manyfest.stores.names import named

EMPTY = Index(schema_version=2, media_type=OCI_INDEX, manifests=())

Read = Callable[[Descriptor], bytes]
"""The verified bytes of a manifest; raises :class:`~manyfest.errors.NotFound`."""


def fallback_tag(subject: Digest) -> str:
    """The tag that the referrers of ``subject`` are listed under; at most 64 digits count."""
    return f"{subject.algorithm}-{subject.hex[:64]}"


def is_fallback_list(tag: str, root: Descriptor) -> bool:
    """Whether ``tag``, which means ``root``, is a list of referrers and nothing else that is tagged
    by a digest, as what cosign makes is."""
    return is_companion_tag(tag) and "." not in tag and root.media_type == OCI_INDEX


def as_referrer(manifest: Manifest) -> Descriptor:
    """How a list of referrers describes a manifest: with its artifact type, which may be that of
    its configuration, and all its annotations."""
    body, descriptor = manifest.body, manifest.descriptor
    return Descriptor(
        media_type=descriptor.media_type,
        digest=descriptor.digest,
        size=descriptor.size,
        annotations=body.annotations,
        artifact_type=body.artifact_type or _configured_type(body),
    )


def _configured_type(body: Image | Index) -> str:
    return body.config.media_type if isinstance(body, Image) else ""


def with_referrer(listed: Index, referrer: Descriptor) -> Index:
    """The list with ``referrer`` at its end; the same list if it is in there already."""
    if any(entry.digest == referrer.digest for entry in listed.manifests):
        return listed
    return msgspec.structs.replace(listed, manifests=(*listed.manifests, referrer))


def without_referrer(listed: Index, referrer: Digest) -> Index:
    """The list without what has this digest."""
    kept = tuple(entry for entry in listed.manifests if entry.digest != referrer)
    return msgspec.structs.replace(listed, manifests=kept)


def list_manifest(listed: Index, *, where: str = "") -> Manifest:
    """A list of referrers, ready to be stored.

    Raises :class:`~manyfest.errors.StoreError` if it could not be read again for its size.
    """
    manifest = Manifest.of_index(listed)
    if len(listed.manifests) > MAX_REFERRERS or len(manifest.raw) > MAX_MANIFEST_SIZE:
        raise StoreError(
            f"the list of {len(listed.manifests)} referrers is too long to be one manifest",
            where=where,
            mend="delete those that are no longer of use",
        )
    return manifest


def unique(referrers: Iterable[Descriptor]) -> tuple[Descriptor, ...]:
    """Each digest once; where it came first counts."""
    found: dict[Digest, Descriptor] = {}
    for referrer in referrers:
        found.setdefault(referrer.digest, referrer)
    return tuple(found.values())


class NamedReferrers:
    """Finds referrers by what ``index.json`` names; remembers what it has read, since a digest
    never means anything else."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._subjects: dict[Digest, Digest | None] = {}

    def of(self, subject: Digest, top: Index) -> tuple[Descriptor, ...]:
        """The referrers of ``subject``: those in the list under its fallback tag, then those that
        stand in ``top`` themselves."""
        return unique((*self.listed(subject, top).manifests, *self._standing(subject, top)))

    def listed(self, subject: Digest, top: Index) -> Index:
        """The list under the fallback tag; an empty one if there is none.

        Raises :class:`~manyfest.errors.InvalidManifest` if something else has that name.
        """
        tag = fallback_tag(subject)
        for entry in top.manifests:
            if named(entry) == tag:
                return self._manifest(entry).index
        return EMPTY

    def _standing(self, subject: Digest, top: Index) -> Iterable[Descriptor]:
        for entry in top.manifests:
            if entry.is_manifest and self._subject_of(entry) == subject:
                yield as_referrer(self._manifest(entry))

    def _subject_of(self, entry: Descriptor) -> Digest | None:
        if entry.digest not in self._subjects:
            try:
                found = self._manifest(entry).body.subject
            except (NotFound, InvalidManifest, DigestMismatch):
                return None  # it is not here, or nothing that could be copied
            self._subjects[entry.digest] = found.digest if found else None
        return self._subjects[entry.digest]

    def _manifest(self, entry: Descriptor) -> Manifest:
        return parse_manifest(
            self._read(entry), media_type=entry.media_type, algorithm=entry.digest.algorithm
        )


def holder_of(manifest: Digest, top: Index, read: Read) -> Digest | None:
    """An index that ``top`` leads to and that has ``manifest`` among its own; ``None`` if there is
    none. Lists of referrers do not count, nor what is not here.

    Raises :class:`~manyfest.errors.StoreError` if there is no end to it.
    """
    seen: set[Digest] = {manifest}
    pending = [e for e in top.manifests if not is_companion_tag(named(e))]
    while pending:
        entry = pending.pop()
        if entry.digest in seen or entry.media_type not in INDEXES:
            continue
        seen.add(entry.digest)
        if len(seen) > MAX_GRAPH_NODES:
            raise StoreError(f"it leads to more than {MAX_GRAPH_NODES} indexes")
        try:
            children = parse_manifest(read(entry), media_type=entry.media_type).index.manifests
        except (NotFound, InvalidManifest):
            continue
        if any(child.digest == manifest for child in children):
            return entry.digest
        pending += children
    return None
