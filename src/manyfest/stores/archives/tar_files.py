"""The files in a tar archive, each read where it lies.

The archive's headers are read once; a file is then a stretch of it, and any number of threads
read it at once. Nothing is unpacked, so no name in the archive is ever a path on this machine.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from itertools import pairwise
from typing import BinaryIO, TypeAlias

from msgspec import Struct

from manyfest.errors import InvalidArchive, NotFound
from manyfest.layers.entry import Entry, EntryType, clean_name
from manyfest.layers.read import Limits, scan
from manyfest.layers.streams import read_exactly
from manyfest.oci.limits import MAX_MANIFEST_SIZE

Stretch: TypeAlias = tuple[int, int]
"""Where a file lies: its offset and its size, in bytes."""

MAX_ENTRIES = 100_000
"""Entries of an archive of images. The largest real ones, of some hundred images with four
entries a layer, have a tenth of that."""

MAX_NAMES = 16 * 1024 * 1024
"""Bytes of all names in an archive together, which are in memory together."""

_MAX_LINKS = 8
"""Symbolic links from one to the next, at most."""


class TarFiles(Struct, frozen=True):
    """An open archive. ``where`` names it in errors."""

    file: BinaryIO
    where: str
    stretches: dict[str, Stretch]
    links: dict[str, str]

    @classmethod
    def scanned(cls, file: BinaryIO, where: str) -> TarFiles:
        """The archive in ``file``, which is read from where it stands to its end.

        Raises :class:`~manyfest.errors.InvalidArchive` for one that is damaged, truncated, beyond
        the bounds, or that two programs could unpack differently.
        """
        files = cls(file, where, {}, {})
        folders: set[str] = set()
        length = 0
        for entry, offset in scan(file, where=where, limits=Limits(entries=MAX_ENTRIES)):
            length += len(entry.name) + len(entry.linkname)
            if length > MAX_NAMES:
                raise InvalidArchive(f"has names of more than {MAX_NAMES} bytes", where=where)
            if entry.type is EntryType.DIR:
                folders.add(entry.name)
            else:
                files._add(entry, offset)
        files._check_names([*files.stretches, *files.links, *folders])
        return files

    def stretch(self, name: str) -> Stretch | None:
        """Where the file ``name`` lies; ``None`` if there is none.

        Symbolic links are followed within the archive. Raises
        :class:`~manyfest.errors.InvalidArchive` for one that leads to no file in it.
        """
        found = name
        for _ in range(_MAX_LINKS):
            if found not in self.links:
                break
            found = self._target(found)
        if name in self.links and found not in self.stretches:
            raise InvalidArchive(
                f"{name} is a link to {self.links[name][:300]!r}, which is no file in it",
                where=self.where,
            )
        return self.stretches.get(found)

    def open(self, name: str) -> Slice:
        """The file ``name``, to be read. Raises :class:`~manyfest.errors.NotFound`."""
        stretch = self.stretch(name)
        if stretch is None:
            raise NotFound(f"{name} is missing", where=self.where)
        return Slice(self.file.fileno(), *stretch)

    def small(self, name: str) -> bytes:
        """The whole of a small file: a manifest, an index or a configuration."""
        reader = self.open(name)
        if reader.left > MAX_MANIFEST_SIZE:
            raise InvalidArchive(
                f"{name} is {reader.left} bytes, more than the {MAX_MANIFEST_SIZE} allowed",
                where=self.where,
            )
        try:
            return read_exactly(reader, reader.left)
        except InvalidArchive as error:
            raise InvalidArchive(f"{name} {error.what}", where=self.where) from None

    def _add(self, entry: Entry, offset: int) -> None:
        if entry.type is EntryType.FILE:
            self.stretches[entry.name] = (offset, entry.size)
        elif entry.type is EntryType.SYMLINK:
            self.links[entry.name] = entry.linkname
        elif entry.type is EntryType.HARDLINK:
            if entry.linkname not in self.stretches:
                raise InvalidArchive(
                    f"holds {entry.name!r}, a hard link to {entry.linkname[:300]!r},"
                    " which is no file before it",
                    where=self.where,
                )
            self.stretches[entry.name] = self.stretches[entry.linkname]

    def _check_names(self, names: Iterable[str]) -> None:
        """Refuse a file that others lie below: a link in a folder's place sends them elsewhere.

        No name holds a NUL, so what lies below a name comes right after it.
        """
        ordered = sorted(name.replace("/", "\0") for name in names)
        for name, after in pairwise(ordered):
            own = name.replace("\0", "/")
            is_file = own in self.stretches or own in self.links
            if after == name or (is_file and after.startswith(f"{name}\0")):
                raise InvalidArchive(f"holds {own!r} as a file and as a folder", where=self.where)

    def _target(self, link: str) -> str:
        """The name that a symbolic link leads to. None at all if that is out of the archive, or
        into a folder and out again: where that leads depends on what the folder is."""
        folder, target = posixpath.dirname(link), self.links[link]
        while folder and target.startswith("../"):
            folder, target = posixpath.dirname(folder), target.removeprefix("../")
        if target.startswith("/") or ".." in target.split("/"):
            return ""
        return clean_name(posixpath.join(folder, target))


class Slice:
    """A stretch of an open file, read with ``pread`` so that threads do not share a position."""

    def __init__(self, descriptor: int, offset: int, size: int) -> None:
        self._descriptor = descriptor
        self._offset = offset
        self.left = size

    def read(self, size: int, /) -> bytes:
        chunk = os.pread(self._descriptor, min(size, self.left), self._offset)
        self._offset += len(chunk)
        self.left -= len(chunk)
        return chunk

    def skip(self, count: int, /) -> None:
        """Pass over bytes, which need not be read for that."""
        self._offset += min(count, self.left)
        self.left -= min(count, self.left)

    def close(self) -> None:
        """The file belongs to the store."""
