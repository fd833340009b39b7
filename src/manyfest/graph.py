"""The graph below a manifest: indexes, manifests, configurations and layers, each digest once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace

from manyfest.errors import InvalidManifest, ManyfestError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_GRAPH_NODES, MAX_INDEX_DEPTH
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.parse import parse_manifest
from manyfest.stores.base import Source, read_all

READERS = 8
"""Manifests read at the same time."""


@dataclass(frozen=True, slots=True)
class Graph:
    """What is below ``root``, each manifest and each blob once, however many point at it.

    ``manifests`` has parents before children, the root first.
    """

    root: Manifest
    manifests: tuple[Manifest, ...]
    blobs: tuple[Descriptor, ...]

    @property
    def descriptors(self) -> tuple[Descriptor, ...]:
        """Everything, the root first and blobs last: the order in an archive."""
        return (*(manifest.descriptor for manifest in self.manifests), *self.blobs)

    @property
    def size(self) -> int:
        """Bytes of everything together."""
        return sum(descriptor.size for descriptor in self.descriptors)

    def bottom_up(self) -> list[list[Manifest]]:
        """The manifests in groups: all that one points at is in the groups before its own."""
        height: dict[Digest, int] = {}
        groups: list[list[Manifest]] = []
        for manifest in reversed(self.manifests):
            below = (height.get(child.digest, -1) for child in manifest.children)
            level = 1 + max(below, default=-1)
            height[manifest.descriptor.digest] = level
            groups.extend([] for _ in range(level + 1 - len(groups)))
            groups[level].append(manifest)
        return groups

    def labels(self) -> dict[Digest, str]:
        """For each part the platform it belongs to, for people; the first one, where several
        share it."""
        found = {self.root.descriptor.digest: "index" if self.root.is_index else "image"}
        platforms = {
            entry.digest: _label(entry)
            for manifest in self.manifests
            if isinstance(manifest.body, Index)
            for entry in manifest.body.manifests
        }
        for manifest in self.manifests:
            digest = manifest.descriptor.digest
            own = found.setdefault(digest, platforms.get(digest, "image"))
            for child in manifest.children:
                found.setdefault(child.digest, platforms.get(child.digest, own))
        return found


def _label(entry: Descriptor) -> str:
    if entry.is_attestation:
        return "attestations"
    return str(entry.platform.normalised()) if entry.platform else "image"


def read_manifest(source: Source, descriptor: Descriptor) -> Manifest:
    """The manifest, read and verified, from ``source``.

    Raises :class:`~manyfest.errors.InvalidManifest` if it is not one, or is another kind than
    the descriptor says.
    """
    raw = read_all(source, descriptor)
    try:
        manifest = parse_manifest(
            raw, media_type=descriptor.media_type, algorithm=descriptor.digest.algorithm
        )
    except InvalidManifest as error:
        raise _located(error, source, descriptor) from None
    return replace(manifest, descriptor=descriptor)


def read_graph(
    source: Source, root: Descriptor, *, select: Callable[[Descriptor], bool] | None = None
) -> Graph:
    """Read every manifest below ``root``, verified, several at a time.

    ``select`` may leave entries of indexes out. Raises
    :class:`~manyfest.errors.InvalidManifest` for a graph that is too deep or too large.
    """
    with ThreadPoolExecutor(READERS, thread_name_prefix="graph") as pool:
        return _walk(pool, source, root, select or (lambda _: True))


def _walk(
    pool: Executor, source: Source, root: Descriptor, select: Callable[[Descriptor], bool]
) -> Graph:
    manifests: dict[Digest, Manifest] = {}
    blobs: dict[Digest, Descriptor] = {}
    level = {root.digest: root}
    depth = 0
    while level:
        depth += 1
        if depth > MAX_INDEX_DEPTH + 1:
            raise _refused(source, root, f"has indexes more than {MAX_INDEX_DEPTH} deep")
        below: dict[Digest, Descriptor] = {}
        for manifest in pool.map(lambda each: read_manifest(source, each), level.values()):
            # Reached again further down, it moves there: parents stay before children.
            manifests.pop(manifest.descriptor.digest, None)
            manifests[manifest.descriptor.digest] = manifest
            for child in _children(manifest, select):
                (below if child.is_manifest else blobs).setdefault(child.digest, child)
        level = below
        if len(manifests) + len(level) + len(blobs) > MAX_GRAPH_NODES:
            raise _refused(source, root, f"has more than {MAX_GRAPH_NODES} parts")
    return Graph(manifests[root.digest], tuple(manifests.values()), tuple(blobs.values()))


def _children(manifest: Manifest, select: Callable[[Descriptor], bool]) -> Iterator[Descriptor]:
    return (child for child in manifest.children if not child.is_manifest or select(child))


def _located(error: ManyfestError, source: Source, descriptor: Descriptor) -> InvalidManifest:
    return InvalidManifest(error.what, where=f"{source.label}@{descriptor.digest}", mend=error.mend)


def _refused(source: Source, root: Descriptor, what: str) -> InvalidManifest:
    return InvalidManifest(f"{root.digest} {what}", where=source.label)
