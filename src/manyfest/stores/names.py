"""Which manifest a name means in a layout's ``index.json``.

Tools differ: the tag alone or the whole reference in ``org.opencontainers.image.ref.name``,
containerd's own annotation beside it, one entry with no name at all, or the platforms straight in
``index.json``. All of them are understood here, for folders and archives alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from manyfest.errors import DigestMismatch, InvalidArchive, InvalidManifest, NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.mediatypes import OCI_INDEX
from manyfest.oci.parse import parse_layout_index, parse_manifest
from manyfest.oci.reference import is_companion_tag

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"


def parse_top(raw: bytes, *, where: str) -> Manifest:
    """``index.json`` as an index. Raises :class:`~manyfest.errors.InvalidArchive`."""
    try:
        return parse_layout_index(raw)
    except InvalidManifest as error:
        raise InvalidArchive(error.what, where=where) from None


def named(entry: Descriptor) -> str:
    """The tag of an entry, or the empty string: ``v1`` for ``v1`` and for ``host/app:v1``."""
    name = entry.annotations.get(REF_NAME) or entry.annotations.get(CONTAINERD_NAME, "")
    name = name.partition("@")[0]
    tail = name.rpartition("/")[2]
    return tail.rpartition(":")[2] if ":" in tail else name


def tags_in(top: Manifest) -> Iterator[str]:
    """Every tag in ``index.json``, once, in its order; where several images have one tag, the
    whole names instead that tell them apart."""
    entries = top.index.manifests
    clear = zip(_clear_names(entries), map(named, entries), strict=True)
    return iter(dict.fromkeys(name or tag for name, tag in clear if tag))


def as_digest(name: str) -> Digest | None:
    """``name`` as the digest that it begins like, or ``None`` for a tag or a reference.

    Raises :class:`~manyfest.errors.InvalidDigest` for a misspelled one.
    """
    return Digest.parse(name) if name.startswith(("sha256:", "sha512:")) else None


def described(raw: bytes, digest: Digest, *, where: str) -> Descriptor:
    """The descriptor of a manifest that was asked for by its digest alone.

    Raises :class:`~manyfest.errors.DigestMismatch` if ``raw`` is something else, and
    :class:`~manyfest.errors.InvalidManifest` if it is no manifest.
    """
    found = Digest.of(raw, digest.algorithm)
    if found != digest:
        raise DigestMismatch(f"{digest} has the digest {found}", where=where)
    try:
        return parse_manifest(raw, algorithm=digest.algorithm).descriptor
    except InvalidManifest as error:
        raise InvalidManifest(error.what, where=f"{where}, {digest}", mend=error.mend) from None


def pick(top: Manifest, name: str, *, where: str) -> Descriptor:
    """The entry of ``index.json`` that ``name``, a tag, a whole reference, a digest or nothing,
    stands for. What only refers to another entry, nothing does not stand for.

    Raises :class:`~manyfest.errors.NotFound`, naming what there is.
    """
    if name:
        return _by_name(top, name, where)
    own = [entry for entry in top.index.manifests if not is_companion_tag(named(entry))]
    # What refers to another entry may stand here without a name; it then has an artifact's type.
    entries = [entry for entry in own if named(entry) or not entry.artifact_type] or own
    images = len({entry.digest for entry in entries})
    if images == 1:
        return _bare(entries[0])
    if len(entries) == len(top.index.manifests) and _is_flat(entries):
        return top.descriptor
    if not entries:
        raise NotFound("it holds no image", where=where)
    raise NotFound(f"it holds {images} images", where=where, mend=f"name one of {_known(entries)}")


def only(top: Manifest, found: Sequence[Descriptor], name: str, *, where: str) -> Descriptor:
    """What all of ``found`` are, the entries of ``index.json`` that ``name`` means.

    Raises :class:`~manyfest.errors.NotFound` if they are several images.
    """
    images = len({entry.digest for entry in found})
    if images == 1:
        return _bare(found[0])
    if len(found) == len(top.index.manifests) and _is_flat(found):
        return top.descriptor
    raise NotFound(
        f"{name!r} names {images} images in it", where=where, mend=f"name one of {_known(found)}"
    )


def listing(names: Sequence[str]) -> str:
    """Names, each once and not too many, for people."""
    each = list(dict.fromkeys(names))
    more = f" and {len(each) - 8} more" if len(each) > 8 else ""
    return ", ".join(each[:8]) + more


def with_name(index: Index, entry: Descriptor, name: str) -> Index:
    """``index`` with ``name`` on ``entry``, and on nothing else. Without a name the entry takes
    the place of those that have none."""
    kept = [other for other in index.manifests if not _gives_way(other, entry, name)]
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


def with_names(index: Index, entries: Mapping[str, Descriptor]) -> Index:
    """``index`` with each name on its entry, as :func:`with_name` would do one after the other; in
    one go through what there may be thousands of. No name is empty."""
    digests = {entry.digest for entry in entries.values()}

    def gives_way(other: Descriptor) -> bool:
        if other.annotations.get(REF_NAME) in entries:
            return True
        return other.digest in digests and not named(other)

    kept = [other for other in index.manifests if not gives_way(other)]
    added = [
        msgspec.structs.replace(entry, annotations={REF_NAME: name})
        for name, entry in entries.items()
    ]
    return msgspec.structs.replace(
        index, schema_version=2, media_type=OCI_INDEX, manifests=(*kept, *added)
    )


def without_name(index: Index, name: str, *, where: str) -> Index:
    """``index`` without the entries that have ``name``, a tag or a whole reference.

    Raises :class:`~manyfest.errors.NotFound` if there are none, or if they are several images.
    """
    found = _tagged(index.manifests, name)
    if not found:
        raise _no_such(name, index.manifests, where)
    only(Manifest.of_index(index), found, name, where=where)
    kept = tuple(entry for entry in index.manifests if entry not in found)
    return msgspec.structs.replace(index, manifests=kept)


def without_manifest(index: Index, manifest: Digest) -> Index:
    """``index`` without any name of this manifest."""
    kept = tuple(entry for entry in index.manifests if entry.digest != manifest)
    return msgspec.structs.replace(index, manifests=kept)


def _by_name(top: Manifest, name: str, where: str) -> Descriptor:
    entries = top.index.manifests
    found = _tagged(entries, name)
    if not found:
        digest = as_digest(name)
        found = [entry for entry in entries if entry.digest == digest]
    if not found:
        raise _no_such(name, entries, where)
    return only(top, found, name, where=where)


def _tagged(entries: Sequence[Descriptor], name: str) -> list[Descriptor]:
    """The entries with this whole name; if there are none, those with this tag."""
    whole = [entry for entry in entries if name in _full_names(entry)]
    return whole or [entry for entry in entries if named(entry) == name]


def _no_such(name: str, entries: Sequence[Descriptor], where: str) -> NotFound:
    known = _known(entries)
    return NotFound(f"{name!r} is not in it", where=where, mend=known and f"it holds {known}")


def _is_flat(entries: Sequence[Descriptor]) -> bool:
    """Whether ``index.json`` is the image's own index: platforms, under one name or none."""
    return bool(entries) and len(set(map(named, entries))) == 1 and all(e.platform for e in entries)


def _gives_way(other: Descriptor, entry: Descriptor, name: str) -> bool:
    """Whether ``other`` leaves ``index.json`` when ``entry`` gets ``name`` there. What refers to an
    image and stands here without a name, with an artifact's type, is in nobody's place."""
    if named(other):
        return other.annotations.get(REF_NAME) == name
    return other.digest == entry.digest or not (name or other.artifact_type)


def _full_names(entry: Descriptor) -> tuple[str, ...]:
    names = (entry.annotations.get(REF_NAME, ""), entry.annotations.get(CONTAINERD_NAME, ""))
    return tuple(filter(None, names))


def _bare(entry: Descriptor) -> Descriptor:
    """The descriptor without what ``index.json`` says of it: its name is not part of it."""
    return Descriptor(media_type=entry.media_type, digest=entry.digest, size=entry.size)


def _known(entries: Sequence[Descriptor]) -> str:
    clear = zip(_clear_names(entries), entries, strict=True)
    return listing([name or str(entry.digest) for name, entry in clear])


def _clear_names(entries: Sequence[Descriptor]) -> list[str]:
    """For each entry the shortest name that means it alone; the empty string if there is none.
    Platforms straight in ``index.json`` have one name together."""
    if _is_flat(entries):
        return list(map(named, entries))
    tags: defaultdict[str, set[Digest]] = defaultdict(set)
    names: defaultdict[str, set[Digest]] = defaultdict(set)
    for entry in entries:
        tags[named(entry)].add(entry.digest)
        for name in _full_names(entry):
            names[name].add(entry.digest)
    meant = tags | names  # a whole name comes before a tag, as in _by_name
    return [_clear_name(entry, meant) for entry in entries]


def _clear_name(entry: Descriptor, meant: Mapping[str, set[Digest]]) -> str:
    for name in (named(entry), *_full_names(entry)):
        if name and meant[name] == {entry.digest}:
            return name
    return ""
