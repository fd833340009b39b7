"""Parts of one blob that are fetched at the same time, over several connections.

The calling thread streams one stretch while up to three more threads fetch the stretches after it
into memory. A part that fails costs nothing but time: the calling thread reads that stretch
itself, and it is there that errors come from.
"""

from __future__ import annotations

import threading
from collections import deque
from queue import SimpleQueue

from manyfest.errors import ManyfestError
from manyfest.stores.base import CHUNK_SIZE
from manyfest.stores.registry.admission import NoPlace
from manyfest.stores.registry.ranges import Blob
from manyfest.stores.registry.streams import BlobStream

PART_BYTES = 4 * 1024 * 1024
MORE_CONNECTIONS = 3
"""Of one blob, besides that of the calling thread."""

MOST_IN_MEMORY = 16 * 1024 * 1024
"""Bytes of all parts of all blobs in this process."""

_memory = threading.BoundedSemaphore(MOST_IN_MEMORY // PART_BYTES)


class Parts:
    """Reads a blob from ``start`` on; ``stream`` is the calling thread's own.

    ``failed`` says whether a part could not be fetched, for another reason than a busy host.
    """

    def __init__(self, blob: Blob, stream: BlobStream, start: int) -> None:
        self.at = start
        self.failed = False
        self._blob = blob
        self._stream = stream
        self._planned = start
        self._goes_on = True
        self._stretches: deque[_Own | _Part] = deque()

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; the empty string at the end, and when there are no more parts:
        the stream then goes on at ``at``."""
        while True:
            self._plan()
            if not self._stretches:
                return b""
            stretch = self._stretches[0]
            chunk = stretch.read(size)
            self.at += len(chunk)
            if chunk or (self.at < stretch.until and isinstance(stretch, _Own)):
                return chunk
            self._stretches.popleft()
            if isinstance(stretch, _Part):
                self._done_with(stretch)

    @property
    def is_over(self) -> bool:
        """Whether there are no more parts, and none will come."""
        return not self._stretches

    def finish(self) -> None:
        """Fetch no further parts; those that are under way are read."""
        self._goes_on = False

    def close(self) -> None:
        """Give up what is under way, and wait until it has ended."""
        self._goes_on = False
        parts = [each for each in self._stretches if isinstance(each, _Part)]
        self._stretches.clear()
        for part in parts:
            part.give_up()
        for part in parts:
            part.end()

    def _plan(self) -> None:
        """See to it that one stretch is the calling thread's and the next ones are under way."""
        while self._goes_on and self._planned < self._blob.size:
            end = min(self._planned + PART_BYTES, self._blob.size)
            kinds = [type(each) for each in self._stretches]
            if _Own not in kinds:
                self._stretches.append(_Own(self._stream, self._planned, end))
            elif kinds.count(_Part) < MORE_CONNECTIONS and _memory.acquire(blocking=False):
                self._stretches.append(_Part(self._blob, self._planned, end))
            else:
                return
            self._planned = end

    def _done_with(self, part: _Part) -> None:
        """Let go of a part; what it did not get is read by the calling thread."""
        part.end()
        if self.at < part.until:
            self.finish()
            self.failed = self.failed or not isinstance(part.error, NoPlace)
            self._stretches.appendleft(_Own(self._stream, self.at, part.until))


class _Own:
    """A stretch that the calling thread streams."""

    def __init__(self, stream: BlobStream, start: int, end: int) -> None:
        self.until = end
        self._stream = stream
        self._start: int | None = start

    def read(self, size: int, /) -> bytes:
        if self._start is not None:
            self._stream.move(self._start, self.until)
            self._start = None
        return self._stream.read(size)


class _Part:
    """A stretch that a thread of its own fetches into memory, which was set aside for it."""

    def __init__(self, blob: Blob, start: int, end: int) -> None:
        self.until = end
        self.error: ManyfestError | None = None
        self._blob = blob
        self._start = start
        self._chunks: SimpleQueue[bytes] = SimpleQueue()
        self._rest = memoryview(b"")
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._fetch, name="part", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            _memory.release()
            raise

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes, as soon as some are here; the empty string after the last."""
        if not self._rest:
            self._rest = memoryview(self._chunks.get())
        chunk = bytes(self._rest[:size])
        self._rest = self._rest[size:]
        return chunk

    def give_up(self) -> None:
        """Have the thread end soon, whatever it waits for."""
        self._given_up.set()

    def end(self) -> None:
        """Wait until the thread has ended, and give the memory back."""
        self.give_up()
        self._thread.join()
        self._chunks = SimpleQueue()
        _memory.release()

    def _fetch(self) -> None:
        try:
            with self._blob.part(self._start, self.until, self._given_up.is_set) as response:
                left = self.until - self._start
                while left and not self._given_up.is_set():
                    chunk = response.read(min(left, CHUNK_SIZE))
                    if not chunk:
                        return
                    left -= len(chunk)
                    self._chunks.put(chunk)
        except ManyfestError as error:
            self.error = error
        finally:
            self._chunks.put(b"")
