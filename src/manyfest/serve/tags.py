"""A repository's tags, which live in its layout's ``index.json``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import msgspec
from msgspec import Struct

from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_DESCRIPTORS
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.reference import is_tag
from manyfest.serve.batches import Batches
from manyfest.serve.errors import Refusal
from manyfest.stores.layout import LayoutStore
from manyfest.stores.names import named, with_names, without_manifest


class TagList(Struct, frozen=True, dict=True):
    """What ``index.json`` said at one time."""

    top: Manifest

    @property
    def entries(self) -> tuple[Descriptor, ...]:
        """All that it names."""
        return self.top.index.manifests

    @cached_property
    def by_name(self) -> Mapping[str, Digest]:
        """Each tag's manifest; names that are no tags are passed over."""
        return {tag: entry.digest for entry in self.entries if is_tag(tag := named(entry))}

    @cached_property
    def names(self) -> list[str]:
        """The tags in ASCII order, as the specification lists them."""
        return sorted(self.by_name)


class Tags:
    """The tags of one layout. Threads and processes may share them."""

    def __init__(self, layout: LayoutStore) -> None:
        self._layout = layout
        self._last: TagList | None = None
        self._changes: Batches[_Change] = Batches(self._make)

    def known(self) -> TagList | None:
        """What is known from memory, if that is still what the file says. Never waits long."""
        top = self._layout.top.known()
        return self._list_of(top) if top is not None else None

    def read(self) -> TagList:
        """What the file says. Raises :class:`~manyfest.errors.NotFound` if there is no layout."""
        return self._list_of(self._layout.top.read())

    def _list_of(self, top: Manifest) -> TagList:
        last = self._last
        if last is None or last.top is not top:
            last = self._last = TagList(top)
        return last

    async def current(self) -> TagList:
        """The same, without holding up the event loop."""
        known = self.known()
        return known if known is not None else await asyncio.to_thread(self.read)

    def point(self, tags: Sequence[str], manifest: Descriptor) -> None:
        """Make all of ``tags`` mean this manifest, at the same moment."""
        entry = Descriptor(
            media_type=manifest.media_type, digest=manifest.digest, size=manifest.size
        )
        self._change(_Change(entries=dict.fromkeys(tags, entry)))

    def remove(self, tag: str) -> None:
        """Forget ``tag``."""
        self._change(_Change(removal=lambda index: _without_tag(index, tag)))

    def remove_manifest(self, digest: Digest) -> None:
        """Forget every name of a manifest."""
        self._change(_Change(removal=lambda index: without_manifest(index, digest)))

    def _change(self, change: _Change) -> None:
        self._changes.do(change)
        if change.refused:
            raise Refusal(
                "DENIED", f"the repository has {MAX_DESCRIPTORS} tags and can have no more"
            )

    def _make(self, changes: Sequence[_Change]) -> None:
        self._layout.update(lambda index: _changed(index, changes))


class _Change(Struct):
    """Tags to set, refused if ``index.json`` would have more entries than a reader takes; or a
    ``removal``."""

    entries: Mapping[str, Descriptor] = {}
    removal: Callable[[Index], Index] | None = None
    refused: bool = False


def _changed(index: Index, changes: Sequence[_Change]) -> Index:
    """``index`` after all changes, in their order. Tags that are set one after the other are set
    together: to go through thousands of entries costs the same for one as for twenty."""
    pointings: list[_Change] = []
    for change in changes:
        if change.removal is None:
            pointings.append(change)
        else:
            index = change.removal(_pointed(index, pointings))
            pointings = []
    return _pointed(index, pointings)


def _pointed(index: Index, pointings: Sequence[_Change]) -> Index:
    merged: dict[str, Descriptor] = {}
    for change in pointings:
        merged |= change.entries
    changed = with_names(index, merged) if merged else index
    if len(changed.manifests) <= MAX_DESCRIPTORS:
        return changed
    for change in pointings:
        changed = with_names(index, change.entries)
        change.refused = len(changed.manifests) > MAX_DESCRIPTORS
        index = index if change.refused else changed
    return index


def _without_tag(index: Index, tag: str) -> Index:
    kept = tuple(entry for entry in index.manifests if named(entry) != tag)
    return msgspec.structs.replace(index, manifests=kept)
