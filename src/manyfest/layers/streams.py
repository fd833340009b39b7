"""The two shapes of byte stream that this package works on, and reading an exact amount."""

from __future__ import annotations

from typing import Protocol

from manyfest.errors import InvalidArchive

CHUNK = 256 * 1024
"""Bytes read at a time where the amount does not matter."""


class Reader(Protocol):
    """Bytes in. ``read`` returns 1 to ``size`` bytes, or none at the end; it need not seek."""

    def read(self, size: int, /) -> bytes: ...


class Sink(Protocol):
    """Bytes out. ``write`` takes all of them or raises."""

    def write(self, data: bytes, /) -> object: ...


class Rejoined:
    """A stream again from its start, when its first bytes have been read."""

    def __init__(self, head: bytes, rest: Reader) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int, /) -> bytes:
        if not self._head:
            return self._rest.read(size)
        part, self._head = self._head[:size], self._head[size:]
        return part


def read_head(source: Reader, size: int) -> bytes:
    """The first ``size`` bytes; fewer only if there are no more."""
    head = b""
    while len(head) < size and (part := source.read(size - len(head))):
        head += part
    return head


def read_exactly(source: Reader, size: int) -> bytes:
    """``size`` bytes of ``source``, however it portions them.

    Raises ``InvalidArchive`` when it ends before that.
    """
    first = source.read(size)
    if len(first) == size:
        return first
    parts = [first]
    missing = size - len(first)
    while missing and (part := source.read(missing)):
        parts.append(part)
        missing -= len(part)
    if missing:
        raise InvalidArchive(f"is truncated: {missing} of {size} bytes are missing at its end")
    return b"".join(parts)
