"""What an index is made of, read from wherever it lies, and brought to one place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Self

import msgspec
from msgspec import Struct

from manyfest.copy import meaning, point
from manyfest.errors import NotFound, StoreError, Unsupported, UsageError
from manyfest.graph import Graph, read_manifest
from manyfest.images.index import Held, Offer, placed
from manyfest.images.selection import entries_of, select
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from manyfest.stores.base import Reader, Source, Target


class Part(Struct, frozen=True):
    """Images from one source, for an index: what points at them, and all that they consist of."""

    source: Source
    offers: tuple[Offer, ...]
    images: tuple[Graph, ...]


def read_part(source: Source, name: str, wanted: Sequence[Platform], where: str) -> Part:
    """The images that ``name`` means in ``source``: of an index those for the platforms ``wanted``,
    or all of them, and what attests to them; or one image, which ``wanted`` may say the platform
    of. ``where`` is how a person would write it.

    Raises :class:`~manyfest.errors.NotFound`, naming the platforms there are, unless every platform
    wanted is there, and :class:`~manyfest.errors.UsageError` if an image is for another one.
    """
    root = source.resolve(name)
    is_subset = wanted and read_manifest(source, root).is_index
    chosen = select(source, root, wanted if is_subset else ())
    graph, entries = chosen.graph, chosen.entries
    if not graph.root.is_index:
        kind = graph.root.body.artifact_type
        entry = msgspec.structs.replace(entries[0], artifact_type=kind)
        entries = (placed(entry, wanted, where),)
    offers = tuple(Offer(entry, where) for entry in entries)
    return Part(source, offers, tuple(_images(graph, entries, where)))


def read_held(source: Source, root: Descriptor, where: str) -> Held:
    """The index at ``root``; :class:`~manyfest.errors.UsageError` if an image is there."""
    manifest = read_manifest(source, root)
    if not manifest.is_index:
        raise UsageError(
            "it is one image, and no index",
            where=where,
            mend=f"make one: manyfest index create {where} {where} SOURCE",
        )
    return Held(manifest, tuple(entries_of(source, root, known=[manifest])), where)


def move(target: Target, tag: str, before: Digest | None, index: Manifest) -> bool:
    """Make ``tag`` name the index, all of which is there, unless it no longer means what it did
    ``before``; ``False`` if it names the index already.

    Raises :class:`~manyfest.errors.StoreError` if it was moved by somebody else.
    """
    now = meaning(target, tag)
    if now not in (before, index.descriptor.digest):
        raise StoreError(
            f"{tag or 'its image'} was {before or 'not there'} when it was read,"
            f" and now is {now or 'gone'}",
            where=target.label,
            mend="it was left so; run the same command again to change what is there now",
        )
    return point(target, tag, index)


class Gathered:
    """Several sources as one: each thing is read from where it was found first.

    The sources stay with who opened them: closing this closes none of them.
    """

    def __init__(self, found: Iterable[tuple[Source, Graph]]) -> None:
        self._origins: dict[Digest, Source] = {}
        for source, graph in found:
            for descriptor in graph.descriptors:
                self._origins.setdefault(descriptor.digest, source)

    @property
    def label(self) -> str:
        return ", ".join(dict.fromkeys(source.label for source in self._origins.values()))

    def resolve(self, name: str) -> Descriptor:
        raise NotFound(f"{name!r} is not in it: it has no names", where=self.label)

    def origin(self, descriptor: Descriptor) -> Source:
        """Where the content was found. Raises :class:`~manyfest.errors.NotFound`."""
        try:
            return self._origins[descriptor.digest]
        except KeyError:
            raise NotFound(f"{descriptor.digest} is not in it", where=self.label) from None

    def open(self, descriptor: Descriptor) -> Reader:
        return self.origin(descriptor).open(descriptor)

    def has(self, descriptor: Descriptor) -> bool:
        return descriptor.digest in self._origins

    def close(self) -> None:
        """Nothing is held open here."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _images(graph: Graph, entries: Iterable[Descriptor], where: str) -> Iterator[Graph]:
    """The graph of each manifest that an entry points at, once."""
    read = {manifest.descriptor.digest: manifest for manifest in graph.manifests}
    for digest in dict.fromkeys(entry.digest for entry in entries):
        if digest not in read:
            raise Unsupported(f"it names {digest}, which is no manifest", where=where)
        yield Graph(read[digest], (read[digest],), read[digest].children)
