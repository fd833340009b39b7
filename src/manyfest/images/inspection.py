"""Looking at an image: its manifests and configurations are read, its layers only if need be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat

from msgspec import Struct

from manyfest.errors import InvalidManifest, NotFound
from manyfest.graph import MAX_MANIFEST_BYTES, READERS, read_config, read_graph, read_manifest
from manyfest.images.attached import Attachment, attestation, find_attached
from manyfest.images.facts import FoundImage, Inspection, image_facts
from manyfest.images.selection import not_there
from manyfest.images.unpacked import count
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.mediatypes import INDEXES
from manyfest.oci.platform import Platform
from manyfest.progress import Progress
from manyfest.stores.base import Source
from manyfest.threads import workers


def inspect(
    source: Source,
    root: Descriptor,
    wanted: Platform | None = None,
    *,
    referrers: bool = True,
    unpack: bool = False,
    progress: Progress | None = None,
) -> Inspection:
    """What there is to know of the image at ``root``, or of the one for a platform in it.

    Manifests and configurations are read, and with ``referrers`` it is asked what refers to them.
    Layers are read with ``unpack`` only, to count what they unpack to.

    Raises :class:`~manyfest.errors.NotFound`, naming the platforms there are, if the one wanted is
    not among them.
    """
    outline = _outline(source, root)
    found = _read(source, outline, wanted)
    shown = outline.root
    if wanted is not None:
        only = _only(source, found, outline, wanted)
        found, shown = [only], only.manifest or shown
    attesting = _attesting(outline, found)
    attached = _attached(source, shown, found, attesting, referrers=referrers)
    counted = _count(source, found, progress) if unpack else {}
    return Inspection(
        digest=str(shown.descriptor.digest),
        media_type=shown.descriptor.media_type,
        images=tuple(
            image_facts(each, counted, attached.get(each.entry.digest, ())) for each in found
        ),
        attestations=len(attesting),
        annotations=shown.body.annotations,
        subject=str(shown.body.subject.digest) if shown.body.subject else "",
        attached=tuple(attached.get(shown.descriptor.digest, ())) if shown.is_index else (),
    )


class _Outline(Struct, frozen=True):
    """The root, and below an index what its entries are."""

    root: Manifest
    images: tuple[Descriptor, ...]
    attestations: tuple[Descriptor, ...]


def _outline(source: Source, root: Descriptor) -> _Outline:
    """Read the indexes that are there: each image in them once for each platform that it is named
    for. An inner index that is missing counts as one that is missing."""
    graph = read_graph(
        source, root, select=lambda entry: entry.media_type in INDEXES and source.has(entry)
    )
    if not graph.root.is_index:
        return _Outline(graph.root, (graph.root.descriptor,), ())
    read = {manifest.descriptor.digest for manifest in graph.manifests}
    bodies = [each.body for each in graph.manifests if isinstance(each.body, Index)]
    entries = [entry for body in bodies for entry in body.manifests if entry.digest not in read]
    images = {
        (entry.digest, entry.platform): entry for entry in entries if not entry.is_attestation
    }
    attestations = {entry.digest: entry for entry in entries if entry.is_attestation}
    _bound(source, root, [*images.values(), *attestations.values()])
    return _Outline(graph.root, tuple(images.values()), tuple(attestations.values()))


def _bound(source: Source, root: Descriptor, parts: Sequence[Descriptor]) -> None:
    """What is about to be read is in memory together."""
    if sum(part.size for part in parts) > MAX_MANIFEST_BYTES:
        raise InvalidManifest(
            f"{root.digest} has manifests of more than {MAX_MANIFEST_BYTES} bytes together",
            where=source.label,
        )


def _read(source: Source, outline: _Outline, wanted: Platform | None) -> list[FoundImage]:
    """The images that may be meant: for a platform those for it, and those for nobody knows
    which."""
    root = outline.root
    entries = [
        entry
        for entry in outline.images
        if wanted is None or entry.platform is None or entry.platform.same_as(wanted)
    ]
    with workers(READERS, "inspect") as pool:
        manifests: list[Manifest | None] = [root]
        if root.is_index:
            manifests = list(pool.map(_if_there, repeat(source), entries))
        images = {
            each.descriptor.digest: each.image for each in manifests if each and each.is_runnable
        }
        _bound(source, root.descriptor, [image.config for image in images.values()])
        configs = pool.map(read_config, repeat(source), images.values())
        by_digest = dict(zip(images, configs, strict=True))
    return [
        FoundImage(entry, manifest, by_digest.get(entry.digest))
        for entry, manifest in zip(entries, manifests, strict=True)
    ]


def _if_there(source: Source, entry: Descriptor) -> Manifest | None:
    """An index may have gaps: registries that allow it hold some platforms of a whole one. It
    may also point at what is no manifest at all."""
    if not entry.is_manifest:
        return None
    try:
        return read_manifest(source, entry)
    except NotFound:
        return None


def _only(
    source: Source, found: Sequence[FoundImage], outline: _Outline, wanted: Platform
) -> FoundImage:
    """The first that is for the platform, as clients take it."""
    for each in found:
        if each.platform is not None and each.platform.same_as(wanted):
            if each.manifest is None:
                raise NotFound(f"{each.entry.digest}, its {wanted}, is missing", where=source.label)
            return each
    stated = (entry.platform for entry in outline.images)
    there = filter(None, (*stated, *(each.platform for each in found)))
    raise not_there(wanted, (platform for platform in there if platform.is_known), source.label)


def _attesting(outline: _Outline, found: Sequence[FoundImage]) -> list[Descriptor]:
    """The attestations of these images; of all images also those of none of them."""
    subjects = {str(each.entry.digest) for each in found}
    whole = len(found) == len(outline.images)
    return [each for each in outline.attestations if whole or each.attests_to in subjects]


def _attached(
    source: Source,
    shown: Manifest,
    found: Sequence[FoundImage],
    attesting: Sequence[Descriptor],
    *,
    referrers: bool,
) -> dict[Digest, list[Attachment]]:
    """What is attached to each image, and to the manifest that is shown; first what the index
    itself has."""
    attached: dict[Digest, list[Attachment]] = {each.entry.digest: [] for each in found}
    attached.setdefault(shown.descriptor.digest, [])
    subjects = {str(digest): digest for digest in attached}
    with workers(READERS, "attached") as pool:
        referring = pool.submit(find_attached, source, list(attached) if referrers else [])
        speaking = pool.map(attestation, repeat(source), attesting)
        for entry, attachment in zip(attesting, speaking, strict=True):
            subject = subjects.get(entry.attests_to, shown.descriptor.digest)
            attached[subject].append(attachment)
        for digest, attachments in referring.result().items():
            attached[digest] += attachments
    return attached


def _count(
    source: Source, found: Iterable[FoundImage], progress: Progress | None
) -> dict[Digest, int]:
    layers = [
        (str(each.platform or "image"), layer)
        for each in found
        if each.manifest is not None and each.config is not None
        for layer in each.manifest.image.layers
    ]
    return count(source, layers, progress)
