"""Writes an OCI archive: an image layout in one tar file, the same bytes for the same content.

Every blob's place in the file is fixed before its bytes come, since a descriptor says how many
they are. So blobs are written as they arrive, several at a time, straight into place, and the
file does not depend on which came first.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from manyfest.errors import DigestMismatch, InvalidArchive, NotFound
from manyfest.layers.entry import Entry, EntryType
from manyfest.layers.header import BLOCK
from manyfest.layers.write import headers
from manyfest.oci import json
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Index
from manyfest.oci.mediatypes import OCI_INDEX
from manyfest.stores.base import CHUNK_SIZE, Content, VerifyingReader
from manyfest.stores.files import new_file, remove_abandoned, write_errors
from manyfest.stores.layout import LAYOUT_FILE
from manyfest.stores.names import with_name

_END = bytes(2 * BLOCK)


class ArchiveWriter:
    """The archive at ``path``, being written.

    It takes its name when it is closed after success, in the place of an older file; until then,
    and for ever if an error comes out of the ``with`` block, what was there stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._index = Index(schema_version=2, media_type=OCI_INDEX, manifests=())
        self._places: dict[Digest, tuple[int, int]] = {}
        self._written: set[Digest] = set()
        self._folders: set[str] = set()
        self._end = 0
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._file: BinaryIO | None = None
        self._is_closed = False

    @property
    def label(self) -> str:
        return f"oci-archive:{self.path}"

    def plan(self, descriptors: Sequence[Descriptor]) -> None:
        """Give each descriptor its place, in this order."""
        with write_errors(self.label), self._lock:
            for descriptor in descriptors:
                self._reserve(descriptor)

    def resolve(self, name: str) -> Descriptor:
        raise NotFound(f"{name!r} is not in it: it is being written", where=self.label)

    def has(self, descriptor: Descriptor) -> bool:
        return descriptor.digest in self._written

    def put(self, content: Content) -> None:
        descriptor = content.descriptor
        with write_errors(self.label):
            with self._lock:
                offset = self._reserve(descriptor)
                file = self._opened().fileno()
            if descriptor.digest in self._written:
                return
            reader = VerifyingReader(content.open(), descriptor, where=self.label)
            with closing(reader):
                while chunk := reader.read(CHUNK_SIZE):
                    _write_at(file, chunk, offset)
                    offset += len(chunk)
        self._written.add(descriptor.digest)

    def tag(self, name: str, manifest: Content) -> None:
        self.put(manifest)
        self._index = with_name(self._index, manifest.descriptor, name)

    def close(self) -> None:
        """Write the index, sync, and give the file its name. Harmless when repeated.

        Raises :class:`~manyfest.errors.InvalidArchive` if something planned never came; then, as
        after any error, the file is given up.
        """
        if self._is_closed:
            return
        self._is_closed = True
        with write_errors(self.label), self._open:
            missing = self._places.keys() - self._written
            if missing:
                raise InvalidArchive(f"{min(missing)} never came", where=self.label)
            self._append("index.json", json.dumps(self._index))
            _write_at(self._opened().fileno(), _END, self._end)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        if error is None:
            self.close()
        else:
            self._is_closed = True
            self._open.__exit__(kind, error, trace)

    def _opened(self) -> BinaryIO:
        if self._file is None:
            remove_abandoned(self.path.parent)
            self._file = self._open.enter_context(new_file(self.path))
            self._append("oci-layout", LAYOUT_FILE)
        return self._file

    def _reserve(self, descriptor: Descriptor) -> int:
        """Where the blob's bytes go; its header is written now.

        Raises :class:`~manyfest.errors.DigestMismatch` if its size was said to be another one:
        there is no room for it then.
        """
        file = self._opened()
        digest = descriptor.digest
        if digest not in self._places:
            self._add_folder("blobs")
            self._add_folder(f"blobs/{digest.algorithm}")
            name = f"blobs/{digest.algorithm}/{digest.hex}"
            start = self._add_header(Entry(name=name, size=descriptor.size))
            self._places[digest] = (start, descriptor.size)
            self._end += -(-descriptor.size // BLOCK) * BLOCK
            # The padding is a hole until the next header is written, and reads as zeros.
            os.truncate(file.fileno(), self._end)
        start, size = self._places[digest]
        if size != descriptor.size:
            raise DigestMismatch(
                f"{digest} has {size} bytes in one place and {descriptor.size} in another",
                where=self.label,
            )
        return start

    def _append(self, name: str, data: bytes) -> None:
        offset = self._add_header(Entry(name=name, size=len(data)))
        padded = data + bytes(-len(data) % BLOCK)
        _write_at(self._opened().fileno(), padded, offset)
        self._end += len(padded)

    def _add_folder(self, name: str) -> None:
        if name not in self._folders:
            self._folders.add(name)
            self._add_header(Entry(name=name, type=EntryType.DIR, mode=0o755))

    def _add_header(self, entry: Entry) -> int:
        block = headers(entry)
        _write_at(self._opened().fileno(), block, self._end)
        self._end += len(block)
        return self._end


def _write_at(file: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written
