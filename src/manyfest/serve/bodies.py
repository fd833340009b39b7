"""Bodies of answers that are too large to be in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

from msgspec import Struct

from manyfest.stores.base import Reader, pass_over


class FilePart(Struct, frozen=True):
    """Bytes of a file: all of it, or a range within."""

    path: Path
    size: int
    part: range | None = None

    def opened(self) -> Reader:
        """Ready to read the first byte that is wanted."""
        file = self.path.open("rb", 0)
        if self.part is not None:
            file.seek(self.part.start)
        return file


class StreamPart(Struct, frozen=True):
    """Bytes of what ``open`` gives a reader of: all ``size`` of them, or a range within."""

    open: Callable[[], Reader]
    size: int
    part: range | None = None

    def opened(self) -> Reader:
        """Ready to read the first byte that is wanted."""
        reader = self.open()
        if self.part is not None:
            pass_over(reader, self.part.start)
        return reader


class LivePart(Struct, frozen=True):
    """Bytes that are still arriving: all ``size`` of them, or a range within. ``chunks`` gives
    those of a range as they come, and raises if they never will."""

    chunks: Callable[[range], AsyncIterator[bytes]]
    size: int
    part: range | None = None


Body = FilePart | StreamPart | LivePart
