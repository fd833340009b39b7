"""The one reader of tar archives: strict, streaming, bounded.

It reads POSIX (ustar and PAX) and GNU archives without sparse files. What two known readers would
take differently is refused rather than guessed, because what is checked here must be what a
runtime unpacks: a size told twice in two ways, a record told twice, data behind a directory, global
records that rename or resize.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from msgspec import Struct

from manyfest.errors import InvalidArchive
from manyfest.layers import header as blocks
from manyfest.layers.entry import Entry, EntryType
from manyfest.layers.extend import Extensions, to_entry
from manyfest.layers.header import BLOCK, ZEROS
from manyfest.layers.streams import CHUNK, Reader, read_exactly


class Limits(Struct, frozen=True, kw_only=True):
    """What an archive may ask of its reader, far above what real ones do."""

    entries: int = 2_000_000
    extension: int = 1024 * 1024
    """Bytes of one extended header: long names, extended attributes."""


DEFAULT_LIMITS = Limits()


class Content:
    """The bytes of one file in a stream, readable until the next entry is asked for."""

    __slots__ = ("_end", "_stream")

    def __init__(self, stream: _Stream, end: int) -> None:
        self._stream = stream
        self._end = end

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes, none at the end of the file.

        Raises ``InvalidArchive`` when the archive ends inside the file.
        """
        left = self._end - self._stream.offset
        if left < 0:
            raise ValueError("the archive has been read past this file")
        return self._stream.take(min(size, left)) if left else b""

    def close(self) -> None:
        """The stream goes on."""


def read_entries(
    source: Reader, *, where: str = "", limits: Limits = DEFAULT_LIMITS
) -> Iterator[tuple[Entry, Content]]:
    """Every entry of the tar stream ``source`` with its content, to the stream's very end.

    ``source`` need not seek; content that is not read is skipped. A name may come twice: the last
    one stands, as in every unpacker. ``where`` names the archive in errors. Raises
    ``InvalidArchive`` for what is damaged, truncated, ambiguous or beyond ``limits``.
    """
    stream = _Stream(source, where)
    for entry in _entries(stream, limits):
        yield entry, Content(stream, stream.offset + entry.size)


def scan(
    file: BinaryIO, *, where: str = "", limits: Limits = DEFAULT_LIMITS, unique: bool = True
) -> Iterator[tuple[Entry, int]]:
    """Every entry of an uncompressed archive on disk, and the offset of its content in ``file``.

    It seeks over contents, so it takes as long as there are headers. If names are to be ``unique``,
    a file, link or device whose name comes twice is refused: an index by name could find only one
    of them. Raises as ``read_entries`` does.
    """
    seen: set[str] = set()
    stream = _File(file, where)
    for entry in _entries(stream, limits):
        if unique and entry.type is not EntryType.DIR:
            if entry.name in seen:
                raise InvalidArchive(f"holds {entry.name!r} twice", where=where)
            seen.add(entry.name)
        yield entry, stream.offset


def _entries(stream: _Stream, limits: Limits) -> Iterator[Entry]:
    """The entries, with ``stream`` at each one's content while the caller has it."""
    count = 0
    while True:
        start = stream.offset
        try:
            entry = _next(stream, limits)
        except InvalidArchive as error:
            where = error.where or stream.place(start)
            raise InvalidArchive(error.what, where=where, mend=error.mend) from None
        if entry is None:
            return
        count += 1
        if count > limits.entries:
            raise InvalidArchive(f"has over {limits.entries} entries", where=stream.place(start))
        end = stream.offset + -(-entry.size // BLOCK) * BLOCK
        yield entry
        stream.skip_to(end)


def _next(stream: _Stream, limits: Limits) -> Entry | None:
    """The entry whose headers come next, or none at the archive's end."""
    extensions = Extensions()
    while True:
        block = stream.take(BLOCK)
        if block == ZEROS:
            extensions.refuse_any()
            _finish(stream)
            return None
        header = blocks.decode(block)
        if header.typeflag not in Extensions.TYPES:
            return to_entry(header, extensions)
        if header.size > limits.extension:
            raise InvalidArchive(f"has an extended header of {header.size} bytes")
        body = stream.take(-(-header.size // BLOCK) * BLOCK)
        extensions.add(header.typeflag, body[: header.size])


def _finish(stream: _Stream) -> None:
    """The end is two blocks of zeros and then nothing but zeros.

    An archive without it may have been cut off between two entries, and of what follows it some
    readers would see entries that others do not.
    """
    if stream.take(BLOCK) != ZEROS:
        raise InvalidArchive("has a single block of zeros between entries")
    while rest := stream.take_some(CHUNK):
        if rest.count(0) != len(rest):
            raise InvalidArchive("has data after its end")


class _Stream:
    """Where the reader stands in an archive, ``offset`` bytes into it."""

    __slots__ = ("_source", "_where", "offset")

    def __init__(self, source: Reader, where: str) -> None:
        self._source = source
        self._where = where
        self.offset = 0

    def place(self, offset: int) -> str:
        return f"{self._where or 'tar archive'}, byte {offset}"

    def take(self, size: int) -> bytes:
        """Exactly ``size`` bytes. Raises ``InvalidArchive`` at the end."""
        try:
            data = read_exactly(self._source, size)
        except InvalidArchive as error:
            raise InvalidArchive(error.what, where=self.place(self.offset)) from None
        self.offset += size
        return data

    def take_some(self, size: int) -> bytes:
        return self._source.read(size)

    def skip_to(self, offset: int) -> None:
        while self.offset < offset:
            self.take(min(CHUNK, offset - self.offset))


class _File(_Stream):
    """The same in a file on disk, where skipping is seeking."""

    __slots__ = ("_end", "_file")

    def __init__(self, file: BinaryIO, where: str) -> None:
        super().__init__(file, where)
        self._file = file
        self.offset = file.tell()
        self._end = file.seek(0, os.SEEK_END)
        file.seek(self.offset)

    def skip_to(self, offset: int) -> None:
        missing = offset - self._end
        if missing > 0:
            raise InvalidArchive(
                f"is truncated: {missing} bytes are missing at its end",
                where=self.place(self.offset),
            )
        if offset > self.offset:
            self._file.seek(offset)
            self.offset = offset
