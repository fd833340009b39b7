"""A repository's tags, which live in its layout's ``index.json``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from manyfest.oci import json
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_LAYOUT_ENTRIES
from manyfest.oci.manifest import Index, Manifest
from manyfest.oci.reference import is_tag
from manyfest.serve.batches import Batches
from manyfest.serve.content import TagNames
from manyfest.serve.tag_change import TagChange
from manyfest.serve.tag_table import TagTable
from manyfest.stores.layout import LayoutStore
from manyfest.stores.names import named, parse_top, with_names
from manyfest.stores.top_file import Identity, NewTop


class TagList(TagNames, Protocol):
    """What ``index.json`` said at one time; names in it that are no tags are passed over."""

    @property
    def index(self) -> Index:
        """The whole of it."""
        ...

    @property
    def entries(self) -> tuple[Descriptor, ...]:
        """All that it names."""
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

    def remove(self, tag: str) -> None:
        """Forget ``tag``."""
        self._changes.do(TagChange(removes=lambda name, _: name == tag))

    def remove_manifest(self, digest: Digest, then: Callable[[], None]) -> None:
        """Forget every name of a manifest, and ``then`` the manifest: nobody names it meanwhile."""
        self._changes.do(TagChange(removes=lambda _, meant: meant == digest, then=then))

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

    def _make(self, changes: Sequence[TagChange]) -> None:
        with self.changed(changes) as new:
            if new is not None:
                new.sync()

    @contextmanager
    def changed(self, changes: Sequence[TagChange]) -> Iterator[NewTop | None]:
        """Make all changes at the end of the block, if there are any. What is given must have been
        synced by then."""
        with self._layout.changing():
            before = self._table()
            table = before.changed(changes) if before else None
            if table is None:
                raw = self._anew(changes)
            else:
                raw = None if table == before else table.written()
            if raw is None:
                yield None
            else:
                with self._layout.replacing(raw) as new:
                    yield new
                    new.put_in_place()
                self._remember(new.identity, table)
            for change in changes:
                change.then()

    def _remember(self, identity: Identity | None, table: TagTable | None) -> None:
        if table is not None and identity is not None:
            self._written = _Written(identity, table)
            self._last = None  # thousands of tags need not be kept twice
            self._layout.top.forget()

    def _table(self) -> TagTable | None:
        """The table of the tags as they are; ``None`` if other entries are among them."""
        written = self._current()
        return written.table if written else TagTable.of(self.read().index)

    def _anew(self, changes: Sequence[TagChange]) -> bytes | None:
        """``index.json`` after all changes; ``None`` if it stays as it is."""
        before = self.read().index
        index = _changed(before, changes)
        return None if index == before else json.dumps(index)


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


def _changed(index: Index, changes: Sequence[TagChange]) -> Index:
    """``index`` after all changes, one after the other."""
    for change in changes:
        if change.removes is not None:
            kept = tuple(
                entry for entry in index.manifests if not change.removes(named(entry), entry.digest)
            )
            index = replace(index, manifests=kept)
            continue
        changed = with_names(index, change.tags)
        change.refused = len(changed.manifests) > MAX_LAYOUT_ENTRIES
        index = index if change.refused else changed
    return index
