"""Some of an index's platforms: as an index of their own, or as the same index with gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from manyfest.errors import NotFound
from manyfest.graph import Graph, read_config, read_graph
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Index, Manifest
from manyfest.oci.mediatypes import CONFIGS, INDEXES
from manyfest.oci.platform import Platform
from manyfest.stores.base import Source


def entries_of(source: Source, root: Descriptor) -> list[tuple[Platform, Descriptor]]:
    """Each platform and its image, those in indexes within the index too.

    What an index does not say, the image's configuration does. Artifacts have no platform.
    """
    return list(_entries(source, _read_indexes(source, root)))


def narrowed_graph(
    source: Source, root: Descriptor, wanted: Sequence[Platform], *, sparse: bool = False
) -> Graph:
    """The graph below ``root``, with the platforms ``wanted`` only; all of it if none are named.

    The subset of an index is a new index, flat, with the old one's type and annotations; it is the
    old one if nothing is left out. With ``sparse`` the root stays the same in any case, and what it
    points at is incomplete: not every registry takes that. An attestation goes with its image.

    Raises :class:`~manyfest.errors.NotFound`, naming the platforms there are, unless every platform
    wanted is there.
    """
    if not wanted:
        return read_graph(source, root)
    indexes = _read_indexes(source, root)
    there = list(_entries(source, indexes))
    for platform in wanted:
        if not any(each.same_as(platform) for each, _ in there):
            raise _not_there(platform, there, source)
    if not indexes.root.is_index:
        return read_graph(source, root)
    kept = _with_attestations(
        indexes,
        {
            entry.digest: (platform, entry)
            for platform, entry in there
            if any(platform.same_as(each) for each in wanted)
        },
    )
    graph = _with_gaps(source, root, {entry.digest for entry in kept})
    return graph if sparse else _joined(graph, kept)


def narrowed_image(source: Source, root: Descriptor, wanted: Platform) -> Graph:
    """The graph of the one image for a platform, without an index around it.

    Raises :class:`~manyfest.errors.NotFound` as :func:`narrowed_graph` does.
    """
    there = entries_of(source, root)
    for platform, entry in there:
        if platform.same_as(wanted):
            return read_graph(source, entry)
    raise _not_there(wanted, there, source)


def _read_indexes(source: Source, root: Descriptor) -> Graph:
    """The indexes, and the images of which no index says the platform."""

    def unclear(entry: Descriptor) -> bool:
        return entry.media_type in INDEXES or not (entry.is_attestation or entry.platform)

    return read_graph(source, root, select=unclear)


def _entries(source: Source, indexes: Graph) -> Iterator[tuple[Platform, Descriptor]]:
    """In the order of the document, images of inner indexes after those of outer ones."""
    read = {manifest.descriptor.digest: manifest for manifest in indexes.manifests}
    found: dict[Digest, tuple[Platform, Descriptor]] = {}
    for manifest in indexes.manifests:
        if isinstance(manifest.body, Image):
            continue
        for entry in manifest.body.images:
            if entry.media_type in INDEXES:
                continue
            platform = entry.platform or _configured(source, read[entry.digest])
            if platform is not None:
                found.setdefault(entry.digest, (platform, entry))
    if not indexes.root.is_index:
        platform = _configured(source, indexes.root)
        if platform is not None:
            found[indexes.root.descriptor.digest] = (platform, indexes.root.descriptor)
    yield from found.values()


def _configured(source: Source, manifest: Manifest) -> Platform | None:
    """The platform that an image's configuration names; an artifact has none."""
    image = manifest.image
    return read_config(source, image).platform if image.config.media_type in CONFIGS else None


def _with_attestations(
    indexes: Graph, images: dict[Digest, tuple[Platform, Descriptor]]
) -> list[Descriptor]:
    """Entries for the images, each with its platform, and for what attests to them."""
    kept: dict[Digest, Descriptor] = {}
    for manifest in indexes.manifests:
        for entry in manifest.body.manifests if isinstance(manifest.body, Index) else ():
            if entry.digest in images:
                platform = entry.platform or images[entry.digest][0]
                kept.setdefault(entry.digest, msgspec.structs.replace(entry, platform=platform))
            elif entry.is_attestation and _subject(entry) in map(str, images):
                kept.setdefault(entry.digest, entry)
    return list(kept.values())


def _subject(entry: Descriptor) -> str:
    return entry.annotations.get("vnd.docker.reference.digest", "")


def _with_gaps(source: Source, root: Descriptor, kept: set[Digest]) -> Graph:
    """The graph below ``root`` with all its indexes, but no other manifests than ``kept``."""

    def select(entry: Descriptor) -> bool:
        return entry.digest in kept or entry.media_type in INDEXES

    return read_graph(source, root, select=select)


def _joined(graph: Graph, kept: Sequence[Descriptor]) -> Graph:
    """The same without gaps: an index of the entries ``kept``, and nothing between."""
    old = graph.root.index
    if tuple(kept) == old.manifests:
        return graph
    index = Manifest.of_index(msgspec.structs.replace(old, manifests=tuple(kept)))
    images = (manifest for manifest in graph.manifests if not manifest.is_index)
    return Graph(index, (index, *images), graph.blobs)


def _not_there(
    wanted: Platform, there: Sequence[tuple[Platform, Descriptor]], source: Source
) -> NotFound:
    known = ", ".join(str(platform) for platform, _ in there) or "none"
    return NotFound(f"it has no {wanted}", where=source.label, mend=f"it has {known}")
