"""Reading a compressed layer: bounded in memory and output, and whole or an error."""

from __future__ import annotations

from typing import BinaryIO, cast

from manyfest.errors import InvalidArchive
from manyfest.layers.compression import SNIFF_SIZE, Compression
from manyfest.layers.streams import Reader, Rejoined, read_head
from manyfest.layers.zstd_frames import FrameReader

MAX_UNPACKED = 32 * 1024**3
"""Bytes that a layer may unpack to unless the caller says otherwise."""

MAX_ZSTD_WINDOW = 128 * 1024**2
"""The largest window, in bytes, that zstd's own command takes unless it is told to take more."""

_INPUT = 64 * 1024
_GZIP_FORMAT = 16 + 15  # zlib's number for "gzip, with the largest window"


def decompress(
    source: Reader,
    compression: Compression | None = None,
    *,
    limit: int = MAX_UNPACKED,
    where: str = "",
) -> Reader:
    """A reader of what ``source`` unpacks to; without ``compression`` its first bytes tell.

    Members and frames may follow one another; whatever else follows them is refused, padding too,
    as Go's readers do. ``where`` names the layer in errors. Reading raises ``InvalidArchive`` for
    what is damaged, truncated, unpacks to more than ``limit`` bytes, or needs a zstd window above
    ``MAX_ZSTD_WINDOW``.
    """
    if compression is None:
        head = read_head(source, SNIFF_SIZE)
        source = Rejoined(head, source)
        compression = Compression.sniff(head)
    unpacked: Reader = source
    if compression is Compression.GZIP:
        unpacked = _GzipReader(source)
    elif compression is Compression.ZSTD:
        unpacked = _ZstdReader(source)
    return _Bounded(unpacked, limit, where)


class _Bounded:
    """Stops at ``limit`` bytes, and says in errors which layer it was."""

    def __init__(self, source: Reader, limit: int, where: str) -> None:
        self._source = source
        self._limit = limit
        self._left = limit
        self._where = where

    def read(self, size: int, /) -> bytes:
        try:
            data = self._source.read(size)
        except InvalidArchive as error:
            raise InvalidArchive(error.what, where=self._where, mend=error.mend) from error
        self._left -= len(data)
        if self._left < 0:
            raise InvalidArchive(
                f"unpacks to more than the {self._limit} bytes allowed", where=self._where
            )
        return data


class _GzipReader:
    """Every gzip member of a stream, inflated one after the other."""

    def __init__(self, source: Reader) -> None:
        from isal import isal_zlib

        self._source = source
        self._isal = isal_zlib
        self._input = b""
        self._member = isal_zlib.decompressobj(wbits=_GZIP_FORMAT)
        self._error = cast("type[Exception]", isal_zlib.error)

    def read(self, size: int, /) -> bytes:
        while True:
            if self._member.eof:
                self._input = self._member.unused_data or self._source.read(_INPUT)
                if not self._input:
                    return b""
                self._member = self._isal.decompressobj(wbits=_GZIP_FORMAT)
            data = self._inflate(size)
            if data:
                return data
            if not self._input and not self._member.eof:
                self._input = self._source.read(_INPUT)
                if not self._input:
                    raise InvalidArchive("is truncated: its last gzip member is not whole")

    def _inflate(self, size: int) -> bytes:
        try:
            data: bytes = self._member.decompress(self._input, size)
        except self._error as error:
            raise InvalidArchive(f"is not gzip, or damaged: {error}") from error
        self._input = self._member.unconsumed_tail
        return data


class _ZstdReader:
    """Every zstd frame of a stream, decompressed one after the other."""

    def __init__(self, source: Reader) -> None:
        import zstandard

        self._error = zstandard.ZstdError
        # Only read() is called on it, whatever the library's types ask for.
        frames = cast("BinaryIO", FrameReader(source))
        decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW)
        self._frames = decompressor.stream_reader(frames, read_across_frames=True)

    def read(self, size: int, /) -> bytes:
        try:
            return self._frames.read(size)
        except self._error as error:
            raise InvalidArchive(f"is not zstd, or damaged: {error}") from error
