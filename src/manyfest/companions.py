"""What goes along with an image: its signatures, bills of materials and attestations.

They are found in three ways: by the list of referrers (OCI distribution specification 1.1,
"Listing Referrers"), which a store answers from its own index or from the fallback tag; by
cosign's tags, ``sha256-<hex>.sig``, ``.att`` and ``.sbom``; and inside an index, where they are
among its manifests and copied with them anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from manyfest.copy import Item
from manyfest.errors import AccessDenied, InvalidManifest, NotFound
from manyfest.graph import READERS, Graph, read_graph
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_GRAPH_NODES
from manyfest.oci.manifest import Manifest
from manyfest.stores.base import Refers, Source
from manyfest.threads import workers

COSIGN_SUFFIXES = ("sig", "att", "sbom")

MAX_DEPTH = 4
"""Signatures of bills of materials of images, and so on."""


def companions(source: Source, graphs: Iterable[Graph]) -> list[Item]:
    """Everything that refers to a manifest in ``graphs``, and what refers to that, to be copied
    with them.

    Raises :class:`~manyfest.errors.InvalidManifest` if there is no end to it.
    """
    found: dict[tuple[Digest, str, str], Item] = {}
    manifests = _manifests(graphs)
    seen = {manifest.descriptor.digest for manifest in manifests}
    with workers(READERS, "referrers") as pool:
        for _ in range(MAX_DEPTH):
            layers = pool.map(lambda manifest: list(_of(source, manifest.descriptor)), manifests)
            new = [item for items in layers for item in items]
            found |= {_key(item): item for item in new}
            if len(found) > MAX_GRAPH_NODES:
                break
            manifests = [
                manifest
                for manifest in _manifests(item.graph for item in new)
                if manifest.descriptor.digest not in seen
            ]
            seen |= {manifest.descriptor.digest for manifest in manifests}
            if not manifests:
                return list(found.values())
    raise InvalidManifest(
        f"what refers to it goes more than {MAX_DEPTH} deep, or has no end", where=source.label
    )


def _manifests(graphs: Iterable[Graph]) -> list[Manifest]:
    each = {m.descriptor.digest: m for graph in graphs for m in graph.manifests}
    return list(each.values())


def _of(source: Source, subject: Descriptor) -> Iterator[Item]:
    """What refers to one manifest."""
    for referrer in _referrers(source, subject.digest):
        # A list of referrers may name what was deleted since: nobody tidies fallback tags.
        with suppress(NotFound):
            yield Item(graph=read_graph(source, referrer), subject=subject, accompanies=True)
    for tag in cosign_tags(subject.digest):
        # Some registries deny a tag that is not there (Artifactory).
        with suppress(NotFound, AccessDenied):
            root = source.resolve(tag)
            yield Item(graph=read_graph(source, root), tags=(tag,), accompanies=True)


def cosign_tags(subject: Digest) -> tuple[str, ...]:
    """Under which tags cosign puts what it says of an image."""
    return tuple(f"{subject.algorithm}-{subject.hex}.{suffix}" for suffix in COSIGN_SUFFIXES)


def _referrers(source: Source, subject: Digest) -> Sequence[Descriptor]:
    return source.referrers(subject) if isinstance(source, Refers) else ()


def _key(item: Item) -> tuple[Digest, str, str]:
    """What makes an item another one: a manifest may refer to one and be tagged for another."""
    subject = str(item.subject.digest) if item.subject else ""
    return item.graph.root.descriptor.digest, "".join(item.tags), subject
