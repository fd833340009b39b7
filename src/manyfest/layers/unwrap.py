"""A whole file that is compressed: told by its first bytes, whichever of four ways it is.

Layers are compressed in two ways (:mod:`manyfest.layers.decompress`); files that people hand over
are compressed with bzip2 and xz as well.
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from manyfest.errors import InvalidArchive
from manyfest.layers.compression import Compression
from manyfest.layers.decompress import MAX_UNPACKED, MAX_ZSTD_WINDOW, decompress
from manyfest.layers.streams import Reader, Rejoined, read_head

SNIFF_SIZE = 6
"""Bytes that ``sniff`` needs."""

_INPUT = 64 * 1024
_BZIP2 = b"BZh"
_XZ = b"\xfd7zXZ\0"


class Wrapping(StrEnum):
    """How a file is compressed as a whole."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"
    BZIP2 = "bzip2"
    XZ = "xz"

    @classmethod
    def sniff(cls, head: bytes) -> Wrapping:
        """How a file is compressed that begins with ``head``; ``NONE`` if in no known way."""
        if head.startswith(_BZIP2):
            return cls.BZIP2
        if head.startswith(_XZ):
            return cls.XZ
        return cls(Compression.sniff(head))


def unwrap(source: Reader, *, limit: int = MAX_UNPACKED, where: str = "") -> Reader:
    """A reader of what is in ``source``, whichever way it is compressed, or not at all.

    Bounds and errors are those of ``decompress``.
    """
    head = read_head(source, SNIFF_SIZE)
    whole = Rejoined(head, source)
    wrapping = Wrapping.sniff(head)
    if wrapping is Wrapping.BZIP2:
        unpacked: Reader = _Streams(whole, bz2.BZ2Decompressor)
    elif wrapping is Wrapping.XZ:
        unpacked = _Streams(whole, _xz)
    else:
        return decompress(whole, Compression(wrapping), limit=limit, where=where)
    return decompress(unpacked, Compression.NONE, limit=limit, where=where)


class _Decompressor(Protocol):
    """What the standard library's decompressors have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=2 * MAX_ZSTD_WINDOW)


class _Streams:
    """Every bzip2 or xz stream of a file, one after the other."""

    def __init__(self, source: Reader, make: Callable[[], _Decompressor]) -> None:
        self._source = source
        self._make = make
        self._stream = make()
        self._input = b""

    def read(self, size: int, /) -> bytes:
        while True:
            if self._stream.eof:
                self._input = self._next_stream()
                if not self._input:
                    return b""
                self._stream = self._make()
            elif self._stream.needs_input and not self._input:
                self._input = self._source.read(_INPUT)
                if not self._input:
                    raise InvalidArchive("is truncated: its compressed data is not whole")
            data = self._decompress(size)
            if data:
                return data

    def _next_stream(self) -> bytes:
        """What follows a stream, but for zeros that pad it; none at the end."""
        data = self._stream.unused_data.lstrip(b"\0")
        while not data:
            more = self._source.read(_INPUT)
            if not more:
                return b""
            data = more.lstrip(b"\0")
        return data

    def _decompress(self, size: int) -> bytes:
        data, self._input = self._input, b""
        try:
            return self._stream.decompress(data, size)
        except (OSError, lzma.LZMAError) as error:
            raise InvalidArchive(f"is damaged, or cannot be unpacked: {error}") from None
