"""A repository's tags, which live in its layout's ``index.json``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Protocol, Self

import msgspec
from msgspec import Struct

from manyfest.oci import json
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_DESCRIPTORS
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.reference import is_tag
from manyfest.serve.batches import Batches
from manyfest.serve.errors import Refusal
from manyfest.serve.tag_table import TagTable
from manyfest.stores.layout import LayoutStore
from manyfest.stores.names import named, parse_top, with_names, without_manifest
from manyfest.stores.top_file import Identity, NewTop


class TagList(Protocol):
    """What ``index.json`` said at one time."""

    @property
    def index(self) -> Index:
        """The whole of it."""
        ...

    @property
    def entries(self) -> tuple[Descriptor, ...]:
        """All that it names."""
        ...

    @property
    def by_name(self) -> Mapping[str, Digest]:
        """Each tag's manifest; names that are no tags are passed over."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """The tags in ASCII order, as the specification lists them."""
        ...


class Tags:
    """The tags of one layout. Threads and processes may share them."""

    def __init__(self, layout: LayoutStore) -> None:
        self._layout = layout
        self._last: _Parsed | None = None
        self._written: _Written | None = None
        self._changes: Batches[TagChange] = Batches(self._make)

    def known(self) -> TagList | None:
        """What is known from memory, if that is still what the file says. Never waits long."""
        written = self._current()
        if written is not None:
            return written
        top = self._layout.top.known()
        return self._parsed(top) if top is not None else None

    def read(self) -> TagList:
        """What the file says. Raises :class:`~manyfest.errors.NotFound` if there is no layout."""
        return self._current() or self._parsed(self._layout.top.read())

    async def current(self) -> TagList:
        """The same, without holding up the event loop."""
        known = self.known()
        return known if known is not None else await asyncio.to_thread(self.read)

    def point(self, tags: Sequence[str], manifest: Descriptor) -> None:
        """Make all of ``tags`` mean this manifest, at the same moment."""
        self._change(TagChange.pointing(tags, manifest))

    def remove(self, tag: str) -> None:
        """Forget ``tag``."""
        self._change(TagChange(removal=lambda index: _without_tag(index, tag)))

    def remove_manifest(self, digest: Digest) -> None:
        """Forget every name of a manifest."""
        self._change(TagChange(removal=lambda index: without_manifest(index, digest)))

    def _current(self) -> _Written | None:
        """What this process wrote, if it is still there."""
        written = self._written
        is_there = written is not None and written.identity == self._layout.top.identity()
        return written if is_there else None

    def _parsed(self, top: Manifest) -> _Parsed:
        last = self._last
        if last is None or last.top is not top:
            last = self._last = _Parsed(top)
        return last

    def _change(self, change: TagChange) -> None:
        self._changes.do(change)
        change.check()

    def _make(self, changes: Sequence[TagChange]) -> None:
        with self.changed(changes) as new:
            if new is not None:
                new.sync()

    @contextmanager
    def changed(self, changes: Sequence[TagChange]) -> Iterator[NewTop | None]:
        """Make all changes at the end of the block, if there are any. What is given must have been
        synced by then."""
        with self._layout.changing():
            table = self._table_with(changes)
            raw = self._anew(changes) if table is None else table.written()
            if raw is None:
                yield None
                return
            with self._layout.replacing(raw) as new:
                yield new
                new.put_in_place()
            if table is not None and new.identity is not None:
                self._written = _Written(new.identity, table)

    def _anew(self, changes: Sequence[TagChange]) -> bytes | None:
        before = self.read().index
        index = _changed(before, changes)
        return None if index == before else json.dumps(index)

    def _table_with(self, changes: Sequence[TagChange]) -> TagTable | None:
        """A table of the tags with those that are set; ``None`` if that is not possible."""
        if any(change.removal is not None for change in changes):
            return None
        written = self._current()
        table = written.table if written else TagTable.of(self.read().index)
        if table is None:
            return None
        tags = {tag: entry for change in changes for tag, entry in change.tags.items()}
        table = table.with_tags(tags)
        return table if len(table) <= MAX_DESCRIPTORS else None


class _Parsed(Struct, frozen=True, dict=True):
    """Read from the file."""

    top: Manifest

    @property
    def index(self) -> Index:
        return self.top.index

    @property
    def entries(self) -> tuple[Descriptor, ...]:
        return self.index.manifests

    @cached_property
    def by_name(self) -> dict[str, Digest]:
        return {tag: entry.digest for entry in self.entries if is_tag(tag := named(entry))}

    @cached_property
    def names(self) -> list[str]:
        return sorted(self.by_name)


class _Written(Struct, frozen=True, dict=True):
    """Written by this process, to a file that can be told by its identity."""

    identity: Identity
    table: TagTable

    @cached_property
    def index(self) -> Index:
        return parse_top(self.table.written(), where="index.json").index

    @property
    def entries(self) -> tuple[Descriptor, ...]:
        return self.index.manifests

    @property
    def by_name(self) -> Mapping[str, Digest]:
        return self.table.digests

    @cached_property
    def names(self) -> list[str]:
        return sorted(self.by_name)


class TagChange(Struct):
    """Tags to set, refused if ``index.json`` would have more entries than a reader takes; or a
    ``removal``."""

    tags: Mapping[str, Descriptor] = {}
    removal: Callable[[Index], Index] | None = None
    refused: bool = False

    @classmethod
    def pointing(cls, tags: Sequence[str], manifest: Descriptor) -> Self:
        """All of ``tags`` are to mean this manifest."""
        entry = Descriptor(
            media_type=manifest.media_type, digest=manifest.digest, size=manifest.size
        )
        return cls(tags=dict.fromkeys(tags, entry))

    def check(self) -> None:
        """Raises :class:`Refusal` if it was refused."""
        if self.refused:
            raise Refusal(
                "DENIED", f"the repository has {MAX_DESCRIPTORS} tags and can have no more"
            )


def _changed(index: Index, changes: Sequence[TagChange]) -> Index:
    """``index`` after all changes, one after the other."""
    for change in changes:
        if change.removal is not None:
            index = change.removal(index)
            continue
        changed = with_names(index, change.tags)
        change.refused = len(changed.manifests) > MAX_DESCRIPTORS
        index = index if change.refused else changed
    return index


def _without_tag(index: Index, tag: str) -> Index:
    kept = tuple(entry for entry in index.manifests if named(entry) != tag)
    return msgspec.structs.replace(index, manifests=kept)
