"""Some of an index's platforms: as an index of their own, or as the same index with gaps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct

from manyfest.errors import NotFound
from manyfest.graph import Graph, read_config, read_graph
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Image, Manifest
from manyfest.oci.mediatypes import INDEXES
from manyfest.oci.platform import Platform
from manyfest.stores.base import Source

_Entry = tuple[Platform | None, Descriptor]
"""An entry, and the platform that it is for; attestations and artifacts are for none."""


class Selection(Struct, frozen=True):
    """What was chosen below a root: ``entries`` point at it, and ``graph`` has it, with the
    indexes that lead there and nothing else."""

    entries: tuple[Descriptor, ...]
    graph: Graph


def entries_of(
    source: Source, root: Descriptor, *, known: Iterable[Manifest] = (), gaps: bool = False
) -> list[tuple[Platform, Descriptor]]:
    """Each platform and its image, those in indexes within the index too.

    What an index does not say, the image's configuration does. Artifacts have no platform. Those
    manifests that are ``known`` are not read again. With ``gaps`` what would have to be read and is
    not there is left out; else :class:`~manyfest.errors.NotFound` is raised.
    """
    return _images(_entries(source, _read_indexes(source, root, known, gaps=gaps)))


def entry_for(source: Source, root: Descriptor, wanted: Platform) -> Descriptor:
    """The image for a platform: the first, where there are several, as clients take it.

    Raises :class:`~manyfest.errors.NotFound`, naming the platforms there are.
    """
    there = entries_of(source, root)
    for platform, entry in there:
        if platform.same_as(wanted):
            return entry
    raise not_there(wanted, (platform for platform, _ in there), source.label)


def select(source: Source, root: Descriptor, wanted: Sequence[Platform] = ()) -> Selection:
    """The images for the platforms ``wanted``, or everything if none are named; what attests to
    them goes with them.

    The entries are in the order of the document, those of inner indexes after those of outer ones,
    and each says its platform. Attestations that are not there are left out: Docker and containerd
    fetch none with an image. Raises :class:`~manyfest.errors.NotFound`, naming the platforms there
    are, unless every platform wanted is there.
    """
    indexes = _read_indexes(source, root) if wanted else read_graph(source, root)
    there = list(_entries(source, indexes))
    known = [platform for platform, _ in _images(there)]
    for platform in wanted:
        if not any(platform.same_as(each) for each in known):
            raise not_there(platform, known, source.label)
    entries = tuple(
        entry
        for entry in _chosen(there, wanted)
        if not (wanted and entry.is_attestation) or source.has(entry)
    )
    if not (wanted and indexes.root.is_index):
        return Selection(entries, indexes)
    kept = {entry.digest for entry in entries}
    return Selection(entries, _with_gaps(source, root, kept, indexes.manifests))


def narrowed_graph(
    source: Source, root: Descriptor, wanted: Sequence[Platform], *, sparse: bool = False
) -> Graph:
    """The graph below ``root``, with the platforms ``wanted`` only; all of it if none are named.

    The subset of an index is a new index, flat, with the old one's type and annotations; it is the
    old one if nothing is left out. With ``sparse`` the root stays the same in any case, and what it
    points at is incomplete: not every registry takes that. An attestation goes with its image.

    Raises :class:`~manyfest.errors.NotFound` as :func:`select` does, and if something is missing.
    """
    if not wanted:
        return _whole_graph(source, root)
    chosen = select(source, root, wanted)
    keeps_root = sparse or not chosen.graph.root.is_index
    return chosen.graph if keeps_root else _joined(chosen)


def narrowed_image(source: Source, root: Descriptor, wanted: Platform) -> Graph:
    """The graph of the one image for a platform, without an index around it.

    Raises :class:`~manyfest.errors.NotFound` as :func:`entry_for` does.
    """
    return read_graph(source, entry_for(source, root, wanted))


def not_there(wanted: Platform, there: Iterable[Platform], where: str) -> NotFound:
    """The error that says so, and which platforms ``there`` are."""
    known = ", ".join(dict.fromkeys(map(str, there))) or "none"
    return NotFound(f"it has no {wanted}", where=where, mend=f"it has {known}")


def _whole_graph(source: Source, root: Descriptor) -> Graph:
    """Everything. Of an index with gaps the error names the platforms that are there: what Docker
    and containerd save of a platform they pulled is one, and what was copied with ``--sparse``."""
    try:
        return read_graph(source, root)
    except NotFound as error:
        there = _present(source, root)
        if not there:
            raise
        mend = f"name the platforms that are meant: --platform {','.join(there)}"
        raise NotFound(error.what, where=error.where, mend=mend) from None


def _present(source: Source, root: Descriptor) -> list[str]:
    """The platforms whose manifests are there; none if that cannot be told."""
    with suppress(NotFound):
        there = (platform for platform, entry in entries_of(source, root) if source.has(entry))
        return list(dict.fromkeys(map(str, there)))
    return []


def _read_indexes(
    source: Source, root: Descriptor, known: Iterable[Manifest] = (), *, gaps: bool = False
) -> Graph:
    """The indexes, and the images of which no index says the platform."""

    def unclear(entry: Descriptor) -> bool:
        if entry.media_type not in INDEXES and (entry.is_attestation or entry.platform):
            return False
        return not gaps or source.has(entry)

    return read_graph(source, root, select=unclear, known=known)


def _entries(source: Source, graph: Graph) -> Iterator[_Entry]:
    """Every entry but those that are indexes; what is named for several platforms once for each."""
    read = {manifest.descriptor.digest: manifest for manifest in graph.manifests}
    seen: set[tuple[Digest, Platform | None]] = set()
    for entry in _listed(graph):
        platform = _platform(source, entry, read.get(entry.digest))
        key = (entry.digest, platform.normalised() if platform else None)
        if key not in seen:
            seen.add(key)
            yield platform, entry


def _listed(graph: Graph) -> Iterator[Descriptor]:
    if not graph.root.is_index:
        yield graph.root.descriptor
    for manifest in graph.manifests:
        if not isinstance(manifest.body, Image):
            yield from (
                entry for entry in manifest.body.manifests if entry.media_type not in INDEXES
            )


def _platform(source: Source, entry: Descriptor, manifest: Manifest | None) -> Platform | None:
    """What the entry is for: as it says, or else as the configuration of its manifest does."""
    platform = entry.platform
    if platform is None and manifest is not None and not entry.is_attestation:
        platform = read_config(source, manifest.image).platform if manifest.is_runnable else None
    return platform if platform is not None and platform.is_known else None


def _images(entries: Iterable[_Entry]) -> list[tuple[Platform, Descriptor]]:
    return [(platform, entry) for platform, entry in entries if platform is not None]


def _chosen(there: Sequence[_Entry], wanted: Sequence[Platform]) -> Iterator[Descriptor]:
    """Entries for the platforms, each of which they say, and for what attests to them."""
    images = {
        str(entry.digest)
        for platform, entry in there
        if not entry.is_attestation and _fits(platform, wanted)
    }
    for platform, entry in there:
        if entry.is_attestation:
            if entry.attests_to in images:
                yield entry
        elif _fits(platform, wanted):
            stated = entry.platform or (platform.normalised() if platform else None)
            yield msgspec.structs.replace(entry, platform=stated)


def _fits(platform: Platform | None, wanted: Sequence[Platform]) -> bool:
    if not wanted:
        return True
    return platform is not None and any(platform.same_as(each) for each in wanted)


def _with_gaps(
    source: Source, root: Descriptor, kept: set[Digest], known: Iterable[Manifest]
) -> Graph:
    """The graph below ``root`` with all its indexes, but no other manifests than ``kept``."""

    def select(entry: Descriptor) -> bool:
        return entry.digest in kept or entry.media_type in INDEXES

    return read_graph(source, root, select=select, known=known)


def _joined(chosen: Selection) -> Graph:
    """The same without gaps: an index of the entries, and nothing between."""
    graph, old = chosen.graph, chosen.graph.root.index
    if [entry.digest for entry in chosen.entries] == [entry.digest for entry in old.manifests]:
        return graph
    index = Manifest.of_index(
        msgspec.structs.replace(old, manifests=chosen.entries),
        like=[manifest for manifest in graph.manifests if manifest.is_index],
    )
    images = (manifest for manifest in graph.manifests if not manifest.is_index)
    return Graph(index, (index, *images), graph.blobs)
