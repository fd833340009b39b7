"""How much may come out of what is compressed, so that a small archive neither fills a disk nor
keeps a processor busy for hours."""

from __future__ import annotations

import threading
from collections.abc import Callable

from manyfest.errors import InvalidArchive
from manyfest.layers.streams import Reader

MAX_RATIO = 200
FREE = 256 * 1024**2
"""What is compressed in an archive may unpack to ``MAX_RATIO`` bytes for each of its own, and to
``FREE`` bytes more. Programs and text shrink to a third or a tenth; above a hundred there is next
to nothing but zeros, which gzip shrinks to a thousandth. An image may hold some of those, hence
the bytes that are free."""

MAX_UNPACKED = 1024**4
"""Bytes of any one thing unpacked: 1 TiB, far above the images there are, below what only fills
disks."""


class Allowance:
    """What one archive may unpack to, all that is compressed in it together.

    Several threads may unpack parts of it. Errors have this ``where`` and ``mend``.
    """

    def __init__(self, where: str, *, mend: str = "") -> None:
        self._where = where
        self._mend = mend
        self._lock = threading.Lock()
        self._packed = 0
        self._unpacked = 0

    def unpacked(self, source: Reader, unpack: Callable[[Reader], Reader]) -> Reader:
        """What ``unpack`` makes of ``source``, counted.

        Reading raises :class:`~manyfest.errors.InvalidArchive` as soon as it is too much.
        """
        return _Counted(unpack(_Counted(source, self._take)), self._give)

    def _take(self, count: int) -> None:
        with self._lock:
            self._packed += count

    def _give(self, count: int) -> None:
        with self._lock:
            self._unpacked += count
            packed, unpacked = self._packed, self._unpacked
        if unpacked > FREE + MAX_RATIO * packed:
            raise InvalidArchive(
                f"{packed} compressed bytes unpack to over {unpacked}: it is a decompression bomb",
                where=self._where,
                mend=self._mend,
            )


class _Counted:
    """Tells how many bytes were read of a stream."""

    def __init__(self, source: Reader, count: Callable[[int], None]) -> None:
        self._source = source
        self._count = count

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        self._count(len(data))
        return data
