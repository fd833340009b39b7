"""An OCI archive: an image layout in one tar file, read where it lies.

The file's headers are read once; a blob is then a stretch of the file at an offset, and any
number of threads read it at once. Nothing is unpacked. :mod:`manyfest.stores.archive_writer`
writes such files.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Self

from manyfest.errors import InvalidArchive, NotFound, StoreError
from manyfest.layers.entry import EntryType
from manyfest.layers.read import scan
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.limits import MAX_MANIFEST_SIZE
from manyfest.oci.manifest import Manifest
from manyfest.oci.parse import parse_manifest
from manyfest.stores.base import Reader
from manyfest.stores.names import named, parse_top, pick

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

    @property
    def label(self) -> str:
        return f"oci-archive:{self.path}"

    def resolve(self, name: str) -> Descriptor:
        try:
            return pick(self._top, name, where=self.label)
        except NotFound:
            if ":" not in name:
                raise
        digest = Digest.parse(name)
        raw = self._small(f"blobs/{digest.algorithm}/{digest.hex}")
        return parse_manifest(raw, algorithm=digest.algorithm).descriptor

    def open(self, descriptor: Descriptor) -> Reader:
        if descriptor.digest == self._top.descriptor.digest:
            return io.BytesIO(self._top.raw)
        return self._slice(_blob_name(descriptor.digest))

    def has(self, descriptor: Descriptor) -> bool:
        place = self._places.get(_blob_name(descriptor.digest))
        return place is not None and place[1] == descriptor.size

    def tags(self) -> Iterator[str]:
        names = map(named, self._top.index.manifests)
        return iter(dict.fromkeys(name for name in names if name))

    def close(self) -> None:
        if "_file" in self.__dict__:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def _file(self) -> BinaryIO:
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            raise NotFound("there is no such file", where=self.label) from None
        except OSError as error:
            raise StoreError(f"cannot be read: {error.strerror}", where=self.label) from None
        return file

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        """Offset and size of every file in the archive. A hard link is the file it names."""
        self._check_compression()
        self._file.seek(0)
        places: dict[str, tuple[int, int]] = {}
        for entry, offset in scan(self._file, where=self.label):
            if entry.type is EntryType.FILE:
                places[entry.name] = (offset, entry.size)
            elif entry.type is EntryType.HARDLINK and entry.linkname in places:
                places[entry.name] = places[entry.linkname]
        return places

    @cached_property
    def _top(self) -> Manifest:
        if "index.json" not in self._places:
            what = "it has no index.json, so it is not an OCI archive"
            if "manifest.json" in self._places:
                what += "; it looks like one that docker save wrote before Docker 25"
            raise InvalidArchive(what, where=self.label)
        return parse_top(self._small("index.json"), where=f"{self.label}, index.json")

    def _check_compression(self) -> None:
        head = os.pread(self._file.fileno(), 6, 0)
        for magic, (name, tool) in _COMPRESSED.items():
            if head.startswith(magic):
                raise InvalidArchive(
                    f"the file is compressed with {name}, and reading it in place needs it plain",
                    where=self.label,
                    mend=f"run {tool} on it first",
                )

    def _small(self, name: str) -> bytes:
        reader = self._slice(name)
        if reader.left > MAX_MANIFEST_SIZE:
            raise InvalidArchive(
                f"{name} is {reader.left} bytes, more than the {MAX_MANIFEST_SIZE} allowed",
                where=self.label,
            )
        return reader.read(reader.left)

    def _slice(self, name: str) -> _Slice:
        if name not in self._places:
            raise NotFound(f"{name} is missing", where=self.label)
        offset, size = self._places[name]
        return _Slice(self._file.fileno(), offset, size)


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
