"""Which manifest a name means in a layout's ``index.json``.

Tools differ: the tag alone or the whole reference in ``org.opencontainers.image.ref.name``,
containerd's own annotation beside it, one entry with no name at all, or the platforms straight in
``index.json``. All of them are understood here, for folders and archives alike.
"""

from __future__ import annotations

from manyfest.errors import InvalidArchive, InvalidManifest, NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.mediatypes import OCI_INDEX
from manyfest.oci.parse import parse_manifest

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"


def parse_top(raw: bytes, *, where: str) -> Manifest:
    """``index.json`` as an index. Raises :class:`~manyfest.errors.InvalidArchive`."""
    try:
        top = parse_manifest(raw, media_type=OCI_INDEX)
    except InvalidManifest as error:
        raise InvalidArchive(error.what, where=where) from None
    if not isinstance(top.body, Index):
        raise InvalidArchive("it is an image manifest, not an index", where=where)
    return top


def named(entry: Descriptor) -> str:
    """The tag of an entry, or the empty string: ``v1`` for ``v1`` and for ``host/app:v1``."""
    name = entry.annotations.get(REF_NAME) or entry.annotations.get(CONTAINERD_NAME, "")
    tail = name.rpartition("/")[2]
    return tail.rpartition(":")[2] if ":" in tail else name


def pick(top: Manifest, name: str, *, where: str) -> Descriptor:
    """The entry of ``index.json`` that ``name``, a tag, a whole reference, a digest or nothing,
    stands for.

    Raises :class:`~manyfest.errors.NotFound`, naming what there is.
    """
    entries = top.index.manifests
    if name:
        return _by_name(entries, name, where)
    if len({entry.digest for entry in entries}) == 1:
        return _bare(entries[0])
    if entries and all(entry.platform and not named(entry) for entry in entries):
        return top.descriptor  # the platforms lie in index.json itself
    if not entries:
        raise NotFound("it holds no image", where=where)
    raise NotFound(
        f"it holds {len(entries)} images", where=where, mend=f"name one of {_known(entries)}"
    )


def with_name(index: Index, entry: Descriptor, name: str) -> Index:
    """``index`` with ``name`` on ``entry``, and on nothing else."""
    kept = [
        other
        for other in index.manifests
        if named(other) != name and (named(other) or other.digest != entry.digest)
    ]
    annotations = {REF_NAME: name} if name else {}
    added = Descriptor(
        media_type=entry.media_type,
        digest=entry.digest,
        size=entry.size,
        annotations=annotations,
        artifact_type=entry.artifact_type,
        platform=entry.platform,
    )
    return Index(
        schema_version=2,
        media_type=OCI_INDEX,
        manifests=(*kept, added),
        annotations=index.annotations,
    )


def _by_name(entries: tuple[Descriptor, ...], name: str, where: str) -> Descriptor:
    for entry in entries:
        full = {entry.annotations.get(REF_NAME), entry.annotations.get(CONTAINERD_NAME)}
        if name in full or named(entry) == name:
            return _bare(entry)
    if ":" in name:
        digest = Digest.parse(name)
        for entry in entries:
            if entry.digest == digest:
                return _bare(entry)
    known = _known(entries)
    raise NotFound(f"{name!r} is not in it", where=where, mend=known and f"it holds {known}")


def _bare(entry: Descriptor) -> Descriptor:
    """The descriptor without what ``index.json`` says of it: its name is not part of it."""
    return Descriptor(media_type=entry.media_type, digest=entry.digest, size=entry.size)


def _known(entries: tuple[Descriptor, ...]) -> str:
    names = [named(entry) or str(entry.digest) for entry in entries]
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more
