"""Where an archive's bytes go: into a file, each blob in its place, or out one after the other.

Both write the same tar: headers are those of :mod:`manyfest.layers.write`, and folders come right
before the first file in them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import PurePosixPath
from typing import BinaryIO, Protocol, TypeAlias

from manyfest.errors import StoreError
from manyfest.layers.entry import Entry, EntryType
from manyfest.layers.header import BLOCK
from manyfest.layers.write import headers
from manyfest.stores.files import write_errors

Write: TypeAlias = Callable[[bytes], object]
"""Takes all the bytes it is given, or raises."""

_END = bytes(2 * BLOCK)


class Medium(Protocol):
    """A tar archive that is being written."""

    def reserve(self, name: str, size: int) -> object:
        """Say that a file will come, before those that have not been spoken of."""
        ...

    def file(self, name: str, size: int) -> AbstractContextManager[Write]:
        """What writes a file's ``size`` bytes, in portions."""
        ...

    def end(self) -> None:
        """Write what ends the archive."""
        ...


class InPlace:
    """A file in which whatever is reserved has its place, so that several threads can write at
    once and the order in which they do so does not show."""

    def __init__(self, file: BinaryIO, where: str) -> None:
        self._file = file
        self._where = where
        self._folders: set[str] = set()
        self._starts: dict[str, int] = {}
        self._end = 0
        self._lock = threading.Lock()

    def reserve(self, name: str, size: int) -> int:
        """Where the file's bytes go; its header is written now."""
        with self._lock, write_errors(self._where):
            if name not in self._starts:
                head = _head(name, size, self._folders)
                _write_at(self._file, head, self._end)
                self._starts[name] = self._end + len(head)
                self._end += len(head) + _padded(size)
                # The padding is a hole until the next header is written, and reads as zeros.
                self._file.truncate(self._end)
            return self._starts[name]

    @contextmanager
    def file(self, name: str, size: int) -> Iterator[Write]:
        offset = self.reserve(name, size)

        def write(data: bytes) -> None:
            nonlocal offset
            with write_errors(self._where):
                _write_at(self._file, data, offset)
            offset += len(data)

        yield write

    def end(self) -> None:
        with write_errors(self._where):
            _write_at(self._file, _END, self._end)


class InOrder:
    """A stream: one file is written whole before the next begins. One that broke off cannot be
    made good, and nothing can come after it."""

    def __init__(self, write: Write, where: str) -> None:
        self._sink = write
        self._where = where
        self._folders: set[str] = set()
        self._torn = ""

    def reserve(self, name: str, size: int) -> None:
        """Nothing to do: each file comes in its turn."""

    @contextmanager
    def file(self, name: str, size: int) -> Iterator[Write]:
        self._write(_head(name, size, self._folders))
        self._torn = name
        yield self._write_part
        self._torn = ""
        self._write(bytes(-size % BLOCK))

    def end(self) -> None:
        self._write(_END)

    def _write(self, data: bytes) -> None:
        if self._torn:
            raise StoreError(f"{self._torn} broke off in the middle", where=self._where)
        self._write_part(data)

    def _write_part(self, data: bytes) -> None:
        with write_errors(self._where):
            self._sink(data)


def _head(name: str, size: int, folders: set[str]) -> bytes:
    """A file's header, after those of the folders that it is the first in."""
    above = [str(folder) for folder in reversed(PurePosixPath(name).parents[:-1])]
    new = [folder for folder in above if folder not in folders]
    folders.update(new)
    entries = [Entry(name=folder, type=EntryType.DIR, mode=0o755) for folder in new]
    return b"".join(map(headers, (*entries, Entry(name=name, size=size))))


def _padded(size: int) -> int:
    return size + -size % BLOCK


def _write_at(file: BinaryIO, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        # A closed file has no number; that of another one must not be written to.
        written = os.pwrite(file.fileno(), view, offset)
        view, offset = view[written:], offset + written
