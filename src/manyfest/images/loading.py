"""Which images a container runtime is given, and under which names."""

from __future__ import annotations

from collections.abc import Sequence

from manyfest.copy import Item
from manyfest.graph import read_graph
from manyfest.images.selection import narrowed_graph, narrowed_image
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.mediatypes import INDEXES
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name
from manyfest.stores.base import Source
from manyfest.stores.runtimes.runtime import Info


def items_to_load(
    source: Source,
    root: Descriptor,
    names: Sequence[str],
    wanted: Sequence[Platform],
    runtime: Info,
) -> list[Item]:
    """What is ``root`` in ``source``, as the runtime keeps it under ``names``; the last item has
    those very names.

    A runtime that keeps indexes is given the index, with the platforms ``wanted`` if any are
    named. Any other keeps one platform under a name: of an index that is the runtime's own unless
    others are wanted. Several are each known by their processor, ``app:v1-arm64``, and the first
    by the plain name too.

    Raises :class:`~manyfest.errors.NotFound`, naming the platforms there are, unless every one of
    them is there.
    """
    if runtime.keeps_indexes and len(wanted) != 1:
        graph = narrowed_graph(source, root, wanted)
        return [Item(graph=graph, tags=tuple(names))]
    if root.media_type not in INDEXES and not wanted:
        return [Item(graph=read_graph(source, root), tags=tuple(names))]
    platforms = wanted or (runtime.platform,)
    graphs = [narrowed_image(source, root, platform) for platform in platforms]
    if len(platforms) == 1:
        return [Item(graph=graphs[0], tags=tuple(names))]
    items = [
        Item(graph=graph, tags=tuple(_by_processor(name, platform) for name in names))
        for graph, platform in zip(graphs, platforms, strict=True)
    ]
    first = items[0]
    return [*items[1:], Item(graph=first.graph, tags=(*names, *first.tags))]


def _by_processor(name: str, platform: Platform) -> str:
    """``app:v1-arm64`` for ``app:v1``."""
    plain = Name.parse(name)
    return plain.with_tag(f"{plain.tag}-{platform.suffix}").familiar
