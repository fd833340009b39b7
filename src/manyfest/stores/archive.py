"""An OCI archive: an image layout in one tar file, read where it lies.

The file's headers are read once; a blob is then a stretch of the file at an offset, and any
number of threads read it at once. Nothing is unpacked. :mod:`manyfest.stores.archive_writer`
writes such files.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Self

from manyfest.errors import InvalidArchive, NotFound, StoreError
from manyfest.layers.entry import EntryType
from manyfest.layers.read import scan
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_MANIFEST_SIZE
from manyfest.oci.manifest import Manifest
from manyfest.stores.base import Reader
from manyfest.stores.files import open_file
from manyfest.stores.names import as_digest, described, parse_top, pick, tags_in

_COMPRESSED = {
    b"\x1f\x8b": ("gzip", "gunzip"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd"),
    b"BZh": ("bzip2", "bunzip2"),
    b"\xfd7zXZ": ("xz", "unxz"),
}


class ArchiveStore:
    """The archive at ``path``, to read from. The file is opened when something is first asked."""

    local = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._archive: _Archive | None = None

    @property
    def label(self) -> str:
        return f"oci-archive:{self.path}"

    def resolve(self, name: str) -> Descriptor:
        archive = self._opened()
        try:
            return pick(archive.top, name, where=self.label)
        except NotFound:
            digest = as_digest(name)
            if digest is None:
                raise
        return described(archive.small(_blob_name(digest)), digest, where=self.label)

    def open(self, descriptor: Descriptor) -> Reader:
        archive = self._opened()
        name = _blob_name(descriptor.digest)
        if descriptor.digest == archive.top.descriptor.digest and name not in archive.places:
            return io.BytesIO(archive.top.raw)
        return archive.slice(name)

    def has(self, descriptor: Descriptor) -> bool:
        place = self._opened().places.get(_blob_name(descriptor.digest))
        return place is not None and place[1] == descriptor.size

    def tags(self) -> Iterator[str]:
        return tags_in(self._opened().top)

    def close(self) -> None:
        with self._lock:
            if self._archive is not None:
                self._archive.file.close()
                self._archive = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self) -> _Archive:
        """The archive with its headers read: once, whichever thread is first."""
        with self._lock:
            if self._archive is None:
                self._archive = _open(self.path, self.label)
            return self._archive


@dataclass(frozen=True)
class _Archive:
    """An open archive. ``places`` has the offset and size of each file in it, in bytes."""

    file: BinaryIO
    places: dict[str, tuple[int, int]]
    where: str

    @cached_property
    def top(self) -> Manifest:
        """``index.json``."""
        if "index.json" not in self.places:
            what = "it has no index.json, so it is not an OCI archive"
            if "manifest.json" in self.places:
                what += "; it looks like one that docker save wrote before Docker 25"
            raise InvalidArchive(what, where=self.where)
        return parse_top(self.small("index.json"), where=f"{self.where}, index.json")

    def small(self, name: str) -> bytes:
        """The whole of a small file."""
        reader = self.slice(name)
        if reader.left > MAX_MANIFEST_SIZE:
            raise InvalidArchive(
                f"{name} is {reader.left} bytes, more than the {MAX_MANIFEST_SIZE} allowed",
                where=self.where,
            )
        return reader.read(reader.left)

    def slice(self, name: str) -> _Slice:
        """Where a file lies, to be read."""
        if name not in self.places:
            raise NotFound(f"{name} is missing", where=self.where)
        offset, size = self.places[name]
        return _Slice(self.file.fileno(), offset, size)


def _open(path: Path, where: str) -> _Archive:
    try:
        file = BufferedReader(open_file(path))
    except FileNotFoundError:
        raise NotFound("there is no such file", where=where) from None
    except OSError as error:
        raise StoreError(f"cannot be read: {error.strerror}", where=where) from None
    try:
        _check_compression(file, where)
        return _Archive(file, _places(file, where), where)
    except BaseException:
        file.close()
        raise


def _check_compression(file: BinaryIO, where: str) -> None:
    head = os.pread(file.fileno(), 6, 0)
    for magic, (name, tool) in _COMPRESSED.items():
        if head.startswith(magic):
            raise InvalidArchive(
                f"the file is compressed with {name}, and reading it in place needs it plain",
                where=where,
                mend=f"run {tool} on it first",
            )


def _places(file: BinaryIO, where: str) -> dict[str, tuple[int, int]]:
    """Where every file in the archive lies. A hard link is the file it names."""
    places: dict[str, tuple[int, int]] = {}
    for entry, offset in scan(file, where=where):
        if entry.type is EntryType.FILE:
            places[entry.name] = (offset, entry.size)
        elif entry.type is EntryType.HARDLINK and entry.linkname in places:
            places[entry.name] = places[entry.linkname]
    return places


class _Slice:
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

    def close(self) -> None:
        """The file belongs to the store."""


def _blob_name(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"
