"""The graph below a manifest: indexes, manifests, configurations and layers, each digest once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor

from msgspec import Struct
from msgspec.structs import replace

from manyfest.errors import InvalidManifest, ManyfestError
from manyfest.oci.config import ImageConfig
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_GRAPH_NODES, MAX_INDEX_DEPTH
from manyfest.oci.manifest import Image, Index, Manifest
from manyfest.oci.parse import parse_config, parse_manifest
from manyfest.stores.base import Source, read_all
from manyfest.threads import workers

READERS = 8
"""Manifests read at the same time."""

MAX_MANIFEST_BYTES = 64 * 1024 * 1024
"""Bytes of all manifests below one root, which are in memory together."""


class Graph(Struct, frozen=True):
    """What is below ``root``, each manifest and each blob once, however many point at it.

    ``manifests`` has parents before children, the root first.
    """

    root: Manifest
    manifests: tuple[Manifest, ...]
    blobs: tuple[Descriptor, ...]

    @property
    def descriptors(self) -> tuple[Descriptor, ...]:
        """Everything, the root first and blobs last."""
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
    # index.json may call a manifest anything; what it is said to be must be what is sent.
    return replace(manifest, descriptor=descriptor) if descriptor.is_manifest else manifest


def read_config(source: Source, image: Image) -> ImageConfig:
    """The image's configuration, read and verified, from ``source``.

    Raises :class:`~manyfest.errors.InvalidManifest` if it is not one.
    """
    raw = read_all(source, image.config)
    try:
        return parse_config(raw)
    except InvalidManifest as error:
        raise _located(error, source, image.config) from None


def read_graph(
    source: Source,
    root: Descriptor,
    *,
    select: Callable[[Descriptor], bool] | None = None,
    known: Iterable[Manifest] = (),
) -> Graph:
    """Read every manifest below ``root``, verified, several at a time.

    ``select`` may leave entries of indexes out; those that are ``known`` were read from ``source``
    a moment ago, and are not read again. Raises
    :class:`~manyfest.errors.InvalidManifest` for a graph that is too deep or too large, or that
    contradicts itself.
    """
    with workers(READERS, "graph") as pool:
        return _walk(pool, _Found(source, root, known), root, select or (lambda _: True))


def _walk(
    pool: Executor, found: _Found, root: Descriptor, select: Callable[[Descriptor], bool]
) -> Graph:
    level = {root.digest: root}
    depth = 0
    while level:
        depth += 1
        if depth > MAX_INDEX_DEPTH + 1:
            raise found.refused(f"has indexes more than {MAX_INDEX_DEPTH} deep")
        unread = [each for each in level.values() if each.digest not in found.manifests]
        found.expect(unread)
        several = pool.map if len(unread) > 1 else map  # one alone needs no thread of its own
        read = {each.descriptor.digest: each for each in several(found.read, unread)}
        below: dict[Digest, Descriptor] = {}
        for digest in level:
            # Reached again further down, it moves there: parents stay before children.
            manifest = read.get(digest) or found.manifests.pop(digest)
            found.manifests[digest] = manifest
            for child in _children(manifest, select):
                found.note(child)
                (below if child.is_manifest else found.blobs).setdefault(child.digest, child)
        level = below
    manifests, blobs = found.manifests, found.blobs
    return Graph(manifests[root.digest], tuple(manifests.values()), tuple(blobs.values()))


class _Found:
    """What a walk has met so far, kept within bounds."""

    def __init__(self, source: Source, root: Descriptor, known: Iterable[Manifest]) -> None:
        self._source = source
        self._root = root
        self._known = {manifest.descriptor: manifest for manifest in known}
        self._sizes: dict[Digest, int] = {}
        self._bytes = 0
        self.manifests: dict[Digest, Manifest] = {}
        self.blobs: dict[Digest, Descriptor] = {}

    def read(self, descriptor: Descriptor) -> Manifest:
        return self._known.get(descriptor) or read_manifest(self._source, descriptor)

    def expect(self, unread: Sequence[Descriptor]) -> None:
        """These manifests are about to be read, and will be kept in memory."""
        self._bytes += sum(each.size for each in unread)
        if self._bytes > MAX_MANIFEST_BYTES:
            raise self.refused(f"has manifests of more than {MAX_MANIFEST_BYTES} bytes together")

    def note(self, part: Descriptor) -> None:
        """One more part, or one that was met before."""
        if self._sizes.setdefault(part.digest, part.size) != part.size:
            raise self.refused(
                f"says that {part.digest} has {part.size} bytes,"
                f" and elsewhere {self._sizes[part.digest]}"
            )
        if len(self._sizes) > MAX_GRAPH_NODES:
            raise self.refused(f"has more than {MAX_GRAPH_NODES} parts")

    def refused(self, what: str) -> InvalidManifest:
        return InvalidManifest(f"{self._root.digest} {what}", where=self._source.label)


def _children(manifest: Manifest, select: Callable[[Descriptor], bool]) -> Iterator[Descriptor]:
    return (child for child in manifest.children if not child.is_manifest or select(child))


def _located(error: ManyfestError, source: Source, descriptor: Descriptor) -> InvalidManifest:
    return InvalidManifest(error.what, where=f"{source.label}@{descriptor.digest}", mend=error.mend)
