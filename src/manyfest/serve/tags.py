"""A repository's tags, which live in its layout's ``index.json``.

The file is parsed once and again only when it has changed, whoever changed it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import msgspec

from manyfest.errors import NotFound
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_DESCRIPTORS
from manyfest.oci.manifest import Index
from manyfest.oci.reference import is_tag
from manyfest.serve.errors import Refusal
from manyfest.stores.layout import LayoutStore
from manyfest.stores.names import named, parse_top, with_name


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
        entries = parse_top(raw, where=self._path).index.manifests
        self._known = read = TagList(identity, entries)
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
        self._layout.update(lambda index: _within_limits(with_name(index, entry, tag)))

    def remove(self, tag: str) -> None:
        """Forget ``tag``."""
        self._keep_if(lambda entry: named(entry) != tag)

    def remove_manifest(self, digest: Digest) -> None:
        """Forget every name of a manifest."""
        self._keep_if(lambda entry: entry.digest != digest)

    def _keep_if(self, wanted: Callable[[Descriptor], bool]) -> None:
        def change(index: Index) -> Index:
            return msgspec.structs.replace(index, manifests=tuple(filter(wanted, index.manifests)))

        self._layout.update(change)


def _within_limits(index: Index) -> Index:
    if len(index.manifests) > MAX_DESCRIPTORS:
        raise Refusal("DENIED", f"the repository has {MAX_DESCRIPTORS} tags and can have no more")
    return index


def _identity(state: os.stat_result) -> tuple[int, int, int]:
    """Differs whenever the file was replaced: each new one has its own inode and time."""
    return state.st_ino, state.st_mtime_ns, state.st_size
