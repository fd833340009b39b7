"""How an index is made of images, and how one becomes another: entries are added, removed and
annotated. Decisions only; nothing is read or written here.

An index that need not change keeps its bytes. One that is made, or changed, is written out anew,
with entries that do not change as they were; the manifests that it points at never are. Whose it is
follows from what is in it: a list of Docker's holds Docker's images for platforms and nothing else,
so that what needs more, annotations or attestations or a manifest of OCI's, makes it an index of
OCI's. The other way round nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from manyfest.errors import Unsupported, UsageError
from manyfest.images.selection import not_there
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.mediatypes import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX
from manyfest.oci.parse import parse_manifest
from manyfest.oci.platform import Platform


class Offer(Struct, frozen=True):
    """An entry for an index, and ``where`` it comes from, for people."""

    entry: Descriptor
    where: str


class Held(Struct, frozen=True):
    """An index as it is, ``where`` it is, and each image in it with its platform, those of inner
    indexes too."""

    manifest: Manifest
    images: tuple[tuple[Platform, Descriptor], ...]
    where: str

    @property
    def entries(self) -> tuple[Descriptor, ...]:
        return self.manifest.index.manifests


def placed(entry: Descriptor, stated: Sequence[Platform], where: str) -> Descriptor:
    """The entry of a single image, for the platform that is ``stated``, if one is.

    That may say more than the image's configuration, which seldom names a variant, and must not
    contradict it: nobody could run the image. Raises :class:`~manyfest.errors.UsageError`.
    """
    if len(stated) > 1:
        raise UsageError("it is one image, for one platform", where=where)
    if not stated:
        if entry.platform is None:
            raise UsageError(
                "it names no platform", where=where, mend=f"name it: linux/amd64={where}"
            )
        return entry
    platform, known = stated[0], entry.platform or stated[0]
    if (known.os, known.architecture) != (platform.os, platform.architecture):
        raise UsageError(f"it is for {known}, not for {platform}", where=where)
    variant = platform.variant or known.variant
    return msgspec.structs.replace(entry, platform=msgspec.structs.replace(known, variant=variant))


def created(offers: Sequence[Offer], annotations: Mapping[str, str]) -> Manifest:
    """A new index of these entries, in order.

    Raises :class:`~manyfest.errors.UsageError` for two images for one platform, and if there is
    nothing to make an index of.
    """
    entries = _new(offers, (), "leave one of them out")
    if not entries:
        raise UsageError("there is no image to make an index of")
    index = Index(
        schema_version=2,
        manifests=tuple(entries),
        annotations=_merged({}, annotations),
    )
    media_type = OCI_INDEX if _needs_oci(index) else DOCKER_LIST
    return _written(Manifest.of_index(msgspec.structs.replace(index, media_type=media_type)))


def added(held: Held, offers: Sequence[Offer], *, replace: bool = False) -> Manifest:
    """The index with these entries at its end; what it has already stays as it is.

    With ``replace`` they take the place of the images for their platforms, and of what attests to
    those. Without it two images for one platform are a :class:`~manyfest.errors.UsageError`.
    """
    entries = held.entries
    if replace:
        entries = _without(entries, _replaced(held, offers))
    new = _new(offers, _offered(held, entries), "--replace puts it in the place of the other")
    return _changed(held, (*entries, *new))


def removed(held: Held, platforms: Iterable[Platform], digests: Iterable[Digest]) -> Manifest:
    """The index without its images for these platforms, without what has these digests, and
    without what attests to any of that.

    Raises :class:`~manyfest.errors.UsageError` if no image would be left.
    """
    gone = [entry for platform in platforms for entry in _for(held, platform)]
    gone += [entry for digest in digests for entry in _with_digest(held, digest)]
    kept = _without(held.entries, gone)
    if kept != held.entries and all(entry.is_attestation for entry in kept):
        raise UsageError(
            "nothing would be left of it",
            where=held.where,
            mend="manyfest rm removes it altogether",
        )
    return _changed(held, kept)


def annotated(
    held: Held, annotations: Mapping[str, str], platforms: Sequence[Platform] = ()
) -> Manifest:
    """The index with these annotations, or with the entries for ``platforms`` having them. Those
    that are empty are taken away.

    Raises :class:`~manyfest.errors.NotFound` for a platform that is not there.
    """
    if not platforms:
        return _changed(held, held.entries, _merged(held.manifest.body.annotations, annotations))
    meant: list[Descriptor] = []
    for platform in platforms:
        found = _for(held, platform)
        if not found:
            raise not_there(platform, (each for each, _ in held.images), held.where)
        meant += found
    return _changed(held, [_annotated(e, annotations) if e in meant else e for e in held.entries])


def absent(held: Held, platforms: Iterable[Platform], digests: Iterable[Digest]) -> list[str]:
    """Those of the platforms and digests that the index does not have."""
    found: list[Platform | Digest] = []
    found += (each for each in platforms if not _for(held, each))
    found += (each for each in digests if not _with_digest(held, each))
    return list(map(str, found))


_Key = tuple[Platform | None, bool, Digest | None]


def _key(entry: Descriptor) -> _Key:
    """What may be in an index once: a platform, and its copy in zstd; what is for no platform is
    told by its digest."""
    if entry.is_attestation or entry.platform is None or not entry.platform.is_known:
        return (None, False, entry.digest)
    return (entry.platform.normalised(), entry.is_zstd_copy, None)


def _new(offers: Iterable[Offer], held: Iterable[Offer], mend: str) -> list[Descriptor]:
    """Those of the entries offered that are not ``held``, each once.

    Raises :class:`~manyfest.errors.UsageError` for two images for one platform.
    """
    first: dict[_Key, Offer] = {}
    seen: set[tuple[_Key, Digest]] = set()
    for offer in held:
        first.setdefault(_key(offer.entry), offer)
        seen.add((_key(offer.entry), offer.entry.digest))
    found = []
    for offer in offers:
        key = _key(offer.entry)
        if (key, offer.entry.digest) in seen:
            continue
        if key in first:
            raise _twice(first[key], offer, mend)
        first[key] = offer
        seen.add((key, offer.entry.digest))
        found.append(offer.entry)
    return found


def _twice(before: Offer, offer: Offer, mend: str) -> UsageError:
    platform, digests = offer.entry.platform, (before.entry.digest, offer.entry.digest)
    if before.where == offer.where:
        return UsageError(
            f"it has {platform} twice: {digests[0]} and {digests[1]}",
            where=offer.where,
            mend="name the one that is meant by its digest",
        )
    return UsageError(
        f"{platform} is {digests[0]} in {before.where}, and {digests[1]} in {offer.where}",
        mend=f"{mend}, or name the platforms that are meant: linux/amd64=SOURCE",
    )


def _offered(held: Held, entries: Sequence[Descriptor]) -> list[Offer]:
    """What an index has, with the platforms that it does not say itself."""
    images = [
        msgspec.structs.replace(entry, platform=platform)
        for platform, entry in held.images
        if entry in entries or entry not in held.entries
    ]
    return [Offer(entry, held.where) for entry in (*images, *entries)]


def _replaced(held: Held, offers: Sequence[Offer]) -> list[Descriptor]:
    """The images whose platforms are offered with another digest."""
    coming = {_key(offer.entry): offer.entry.digest for offer in offers}
    gone = []
    for platform, entry in held.images:
        key = _key(msgspec.structs.replace(entry, platform=platform))
        if coming.get(key, entry.digest) != entry.digest:
            gone.append(_outermost(held, platform, entry))
    return gone


def _for(held: Held, wanted: Platform) -> list[Descriptor]:
    """The entries for a platform: several versions of a system, or one more in zstd."""
    return [
        _outermost(held, platform, entry)
        for platform, entry in held.images
        if platform.same_as(wanted)
    ]


def _with_digest(held: Held, wanted: Digest) -> list[Descriptor]:
    own = [entry for entry in held.entries if entry.digest == wanted]
    return own or [
        _outermost(held, platform, entry)
        for platform, entry in held.images
        if entry.digest == wanted
    ]


def _outermost(held: Held, platform: Platform, entry: Descriptor) -> Descriptor:
    """The entry, which must be the index's own.

    Raises :class:`~manyfest.errors.Unsupported` for what lies in an index within it.
    """
    if entry in held.entries:
        return entry
    raise Unsupported(
        f"its {platform} lies in an index within it",
        where=held.where,
        mend=f"make a flat one first: manyfest index create {held.where} {held.where}",
    )


def _without(entries: Sequence[Descriptor], gone: Sequence[Descriptor]) -> tuple[Descriptor, ...]:
    kept = [entry for entry in entries if entry not in gone]
    left = {str(entry.digest) for entry in gone} - {str(entry.digest) for entry in kept}
    return tuple(entry for entry in kept if entry.attests_to not in left)


def _merged(before: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """The annotations with the changes, of which the empty ones take away."""
    merged = {**before, **changes}
    return {key: value for key, value in merged.items() if value or key not in changes}


def _annotated(entry: Descriptor, changes: Mapping[str, str]) -> Descriptor:
    return msgspec.structs.replace(entry, annotations=_merged(entry.annotations, changes))


def _changed(
    held: Held, entries: Sequence[Descriptor], annotations: dict[str, str] | None = None
) -> Manifest:
    """The index with these entries and annotations, or as it is if it has them."""
    old = held.manifest.index
    new = msgspec.structs.replace(
        old,
        manifests=tuple(entries),
        annotations=old.annotations if annotations is None else annotations,
    )
    if new == old:
        return held.manifest
    media_type = held.manifest.descriptor.media_type
    if _needs_oci(new) and not _needs_oci(old):
        media_type = OCI_INDEX
    new = msgspec.structs.replace(new, media_type=media_type)
    return _written(Manifest.of_index(new, like=[held.manifest]))


def _needs_oci(index: Index) -> bool:
    """Whether a list of Docker's could not hold it."""
    return bool(index.annotations or index.artifact_type or index.subject) or any(
        entry.media_type != DOCKER_MANIFEST
        or entry.platform is None
        or entry.annotations
        or entry.artifact_type
        for entry in index.manifests
    )


def _written(manifest: Manifest) -> Manifest:
    """The manifest. Raises :class:`~manyfest.errors.InvalidManifest` for one that is too large to
    be read again."""
    parse_manifest(manifest.raw, media_type=manifest.descriptor.media_type)
    return manifest
