"""What an archive's bytes are read from: its file, or a copy of what cannot be read in place.

A stream is read once and a compressed file from its start only, while the blobs of an image are
read from many places at once. Such an archive is first written, uncompressed, to an unnamed file
in TMPDIR, which vanishes with this process whatever becomes of it.
"""

from __future__ import annotations

import io
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from manyfest.errors import InvalidArchive, NotFound, StoreError, UsageError
from manyfest.layers import header
from manyfest.layers.header import BLOCK
from manyfest.layers.streams import Rejoined, read_head
from manyfest.layers.unwrap import Wrapping, unwrap
from manyfest.stores.archives.allowance import MAX_UNPACKED, Allowance
from manyfest.stores.base import CHUNK_SIZE, Reader
from manyfest.stores.files import open_file

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def open_archive(path: Path, where: str) -> BinaryIO:
    """The plain tar at ``path``: the file itself, or its spooled content if it is compressed.

    ``where`` names it in errors, which are :class:`~manyfest.errors.NotFound`,
    :class:`~manyfest.errors.StoreError` and :class:`~manyfest.errors.InvalidArchive`.
    """
    try:
        file = open_file(path)
    except FileNotFoundError:
        raise NotFound("there is no such file", where=where) from None
    except OSError as error:
        raise StoreError(
            f"cannot be read: {error.strerror}", where=where, mend=_mend(path)
        ) from None
    return _plain(BufferedReader(file), where)


def open_standard_input(descriptor: int, where: str) -> BinaryIO:
    """The plain tar on standard input, which is ``descriptor``: a file is read where it lies, from
    its start; anything else is spooled.

    Raises as :func:`open_archive` does, and :class:`~manyfest.errors.UsageError` if there is
    nothing but a terminal.
    """
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        raise UsageError(
            "standard input is closed", where=where, mend="send an archive into it"
        ) from None
    if os.isatty(descriptor):
        raise UsageError(
            "standard input is a terminal", where=where, mend="send an archive into it"
        )
    if stat.S_ISREG(mode):
        return _plain(BufferedReader(_Positioned(descriptor)), where)
    return spooled(_Pipe(descriptor), where)


def spooled(source: Reader, where: str) -> BinaryIO:
    """The tar in ``source``, unpacked if it is compressed, in an unnamed temporary file.

    ``source`` is closed. What begins like no tar is refused before anything is written, and a
    bomb as soon as it is seen: see :mod:`manyfest.stores.archives.allowance`.
    """
    with closing(source):
        allowance = Allowance(where, mend="if you know better, unpack it first")
        reader = allowance.unpacked(
            _Labelled(source, where), lambda raw: unwrap(raw, limit=MAX_UNPACKED, where=where)
        )
        first = read_head(reader, BLOCK)
        _check_begins(first, where)
        with _room(where):
            # Unbuffered, since what is written is large, and is read through its descriptor.
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - the caller closes it
        try:
            _write(Rejoined(first, reader), file, where)
            file.seek(0)
        except BaseException:
            file.close()
            raise
    return BufferedReader(file)


def _mend(path: Path) -> str:
    """What helps with a path that no archive can be read from."""
    if path.is_dir():
        return "an image layout is read with oci:FOLDER"
    if path.is_fifo():
        return "a stream is read from standard input, which is called -"
    return ""


def _plain(file: BufferedReader, where: str) -> BinaryIO:
    """``file``, if it is not compressed; else what is in it."""
    try:
        head = os.pread(file.fileno(), BLOCK, 0)
        if Wrapping.sniff(head) is Wrapping.NONE:
            _check_begins(head, where)
            return file
    except BaseException:
        file.close()
        raise
    return spooled(file, where)


def _check_begins(block: bytes, where: str) -> None:
    """Refuse what begins like no tar archive, in words that say so."""
    if not block:
        raise InvalidArchive("it is empty", where=where)
    if len(block) < BLOCK:
        raise InvalidArchive("it is no tar archive, or a truncated one", where=where)
    if not any(block):
        raise InvalidArchive("it is an archive with nothing in it, or no archive", where=where)
    try:
        header.decode(block)
    except InvalidArchive as error:
        what = f"it is no tar archive, or a damaged one: {error.what}"
        raise InvalidArchive(what, where=where, mend=error.mend) from None


def _write(reader: Rejoined, file: io.RawIOBase, where: str) -> None:
    while chunk := reader.read(CHUNK_SIZE):
        left = memoryview(chunk)
        with _room(where):
            while left:
                left = left[file.write(left) :]


@contextmanager
def _room(where: str) -> Iterator[None]:
    """Says of a temporary file that cannot be written where it would be."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        folder = tempfile.tempdir or "any folder for temporary files"
        raise StoreError(
            f"it must be unpacked to be read, which cannot be done in {folder}: {reason}",
            where=where,
            mend="set TMPDIR to a folder with more room",
        ) from None


class _Labelled:
    """A stream whose errors name the archive that it is."""

    def __init__(self, source: Reader, where: str) -> None:
        self._source = source
        self._where = where

    def read(self, size: int, /) -> bytes:
        try:
            return self._source.read(size)
        except OSError as error:
            raise StoreError(f"cannot be read: {error.strerror}", where=self._where) from None


class _Positioned(io.RawIOBase):
    """An open file with a position of its own, so that whoever shares it is not disturbed.

    It stays open when this is closed.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._position = 0

    def fileno(self) -> int:
        return self._descriptor

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._position}
        start = starts.get(whence)
        if start is None:
            start = os.fstat(self._descriptor).st_size
        self._position = start + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        return count


class _Pipe:
    """An open stream, which stays open."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, size: int, /) -> bytes:
        return os.read(self._descriptor, size)

    def close(self) -> None:
        """It belongs to the process."""
