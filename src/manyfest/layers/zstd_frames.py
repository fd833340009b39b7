"""The outline of a zstd stream: where its frames and blocks begin and end (RFC 8878, section 3.1).

The decompressor does not tell a stream that was cut off from one that has ended: after both it
just gives no more bytes. This reader stands below it and follows the outline of what passes.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from manyfest.errors import InvalidArchive
from manyfest.layers.streams import Reader

_MAGIC = 0xFD2FB528
_SKIPPABLE_MAGIC = 0x184D2A5
_CONTENT_SIZES = (0, 2, 4, 8)
_DICTIONARY_SIZES = (0, 1, 2, 4)
_RLE = 1


class FrameReader:
    """Passes ``source`` through, and raises ``InvalidArchive`` at its end unless it was one whole
    frame or several, and nothing else."""

    def __init__(self, source: Reader) -> None:
        self._source = source
        self._frame: Generator[int, bytes, None] | None = None
        self._wanted = 0
        self._held = b""
        self._frames = 0

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        if not data and (self._frame is not None or not self._frames):
            raise InvalidArchive("is truncated: its last zstd frame is not whole")
        at = 0
        while at < len(data):
            at += self._follow(data, at)
        return data

    def _follow(self, data: bytes, at: int) -> int:
        """Take one step from ``data[at:]``; how many bytes it took."""
        if self._frame is None:
            self._frame = _frame()
            self._frames += 1
            self._wanted = next(self._frame)
        step = min(abs(self._wanted) - len(self._held), len(data) - at)
        if self._wanted < 0:
            self._wanted += step
            done = not self._wanted
        else:
            self._held += data[at : at + step]
            done = len(self._held) == self._wanted
        if done:
            answer, self._held = self._held, b""
            try:
                self._wanted = self._frame.send(answer)
            except StopIteration:
                self._frame = None
        return step


def _frame() -> Generator[int, bytes, None]:
    """One frame. Yields how many bytes it wants to see; below zero, how many to pass over."""
    magic = int.from_bytes((yield 4), "little")
    if magic >> 4 == _SKIPPABLE_MAGIC:
        yield from _pass_over(int.from_bytes((yield 4), "little"))
        return
    if magic != _MAGIC:
        raise InvalidArchive("has data that is no zstd frame")
    descriptor = (yield 1)[0]
    yield from _pass_over(_header_rest(descriptor))
    last = False
    while not last:
        block = int.from_bytes((yield 3), "little")
        last = bool(block & 1)
        yield from _pass_over(1 if block >> 1 & 3 == _RLE else block >> 3)
    if descriptor & 4:
        yield from _pass_over(4)  # the checksum


def _pass_over(size: int) -> Iterator[int]:
    if size:
        yield -size


def _header_rest(descriptor: int) -> int:
    """Bytes of the frame's header after its descriptor (section 3.1.1.1)."""
    single_segment = descriptor >> 5 & 1
    content_size = _CONTENT_SIZES[descriptor >> 6] or single_segment
    return (1 - single_segment) + _DICTIONARY_SIZES[descriptor & 3] + content_size
