"""A repository's tags, which live in its layout's ``index.json``.

The file is parsed once and again only when it has changed, whoever changed it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec

from manyfest.errors import NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_DESCRIPTORS
from manyfest.oci.manifest import Index
from manyfest.oci.reference import is_tag
from manyfest.serve.batches import Batches
from manyfest.serve.errors import Refusal
from manyfest.stores.layout import LayoutStore
from manyfest.stores.names import named, parse_top, with_name

_YOUNG = 50_000_000
"""Nanoseconds, several ticks of the clock that files get their times from."""


@dataclass(frozen=True)
class TagList:
    """What ``index.json`` said at one time."""

    identity: tuple[int, int, int]
    entries: tuple[Descriptor, ...]

    @cached_property
    def by_name(self) -> dict[str, Digest]:
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
        self._path = str(layout.path / "index.json")
        self._known: TagList | None = None
        self._changes: Batches[_Change] = Batches(self._make)

    def known(self) -> TagList | None:
        """What is known from memory, if that is still what the file says. Never waits long."""
        known = self._known
        if known is None:
            return None
        try:
            return known if known.identity == _identity(os.stat(self._path)) else None
        except FileNotFoundError:
            return None

    def read(self) -> TagList:
        """What the file says. Raises :class:`NotFound` if there is no layout."""
        known = self.known()
        if known is not None:
            return known
        try:
            with open(self._path, "rb") as file:
                identity, raw = _identity(os.fstat(file.fileno())), file.read()
        except FileNotFoundError:
            raise NotFound("there is no OCI layout here", where=self._layout.label) from None
        read = TagList(identity, parse_top(raw, where=self._path).index.manifests)
        # A file this young may be replaced by one of the same time: then it is read once more.
        self._known = read if time.time_ns() - identity[1] > _YOUNG else None
        return read

    async def current(self) -> TagList:
        """The same, without holding up the event loop."""
        known = self.known()
        return known if known is not None else await asyncio.to_thread(self.read)

    def point(self, tag: str, manifest: Descriptor) -> None:
        """Make ``tag`` mean this manifest."""
        entry = Descriptor(
            media_type=manifest.media_type, digest=manifest.digest, size=manifest.size
        )
        self._change(lambda index: with_name(index, entry, tag))

    def remove(self, tag: str) -> None:
        """Forget ``tag``."""
        self._change(lambda index: _only(index, lambda entry: named(entry) != tag))

    def remove_manifest(self, digest: Digest) -> None:
        """Forget every name of a manifest."""
        self._change(lambda index: _only(index, lambda entry: entry.digest != digest))

    def _change(self, make: Callable[[Index], Index]) -> None:
        change = _Change(make)
        self._changes.do(change)
        if change.refused:
            raise Refusal(
                "DENIED", f"the repository has {MAX_DESCRIPTORS} tags and can have no more"
            )

    def _make(self, changes: Sequence[_Change]) -> None:
        def make_all(index: Index) -> Index:
            for change in changes:
                changed = change.make(index)
                change.refused = len(changed.manifests) > MAX_DESCRIPTORS
                index = index if change.refused else changed
            return index

        self._layout.update(make_all)


@dataclass(slots=True)
class _Change:
    """A change of ``index.json``, refused if it would have more entries than a reader takes."""

    make: Callable[[Index], Index]
    refused: bool = False


def _only(index: Index, wanted: Callable[[Descriptor], bool]) -> Index:
    return msgspec.structs.replace(index, manifests=tuple(filter(wanted, index.manifests)))


def _identity(state: os.stat_result) -> tuple[int, int, int]:
    """Differs when the file was replaced: each new one has its own inode or time."""
    return state.st_ino, state.st_mtime_ns, state.st_size
