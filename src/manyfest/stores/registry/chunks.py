"""What is sent piece by piece: chunks of one blob, cut from readers of all of it."""

from __future__ import annotations

from collections.abc import Callable

from manyfest.stores.base import Content, Reader, pass_over
from manyfest.stores.registry.http import Body


class Chunks:
    """Content cut into chunks: one reader goes on from each to the next. A chunk that is sent a
    second time, as with a new token, gets another reader."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._reader: Reader | None = None
        self._at = 0

    def body(self, start: int, size: int) -> Body:
        """``size`` bytes from ``start`` on."""
        return Body(size, lambda: _Chunk(self._reader_at(start), size, self._advance))

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _reader_at(self, start: int) -> Reader:
        if self._reader is None or self._at != start:
            self.close()
            self._reader, self._at = self._content.open(), 0
            pass_over(self._reader, start)  # what the registry has
            self._at = start
        return self._reader

    def _advance(self, count: int) -> None:
        self._at += count


class _Chunk:
    """The next ``size`` bytes of a reader that goes on after them."""

    def __init__(self, reader: Reader, size: int, advance: Callable[[int], None]) -> None:
        self._reader = reader
        self._left = size
        self._advance = advance

    def read(self, size: int, /) -> bytes:
        chunk = self._reader.read(min(size, self._left)) if self._left else b""
        self._left -= len(chunk)
        self._advance(len(chunk))
        return chunk

    def close(self) -> None:
        """The reader is used for the next chunk."""
