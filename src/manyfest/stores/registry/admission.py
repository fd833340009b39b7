"""So many requests at a time to one host, and no deadlock whatever is nested."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable

from manyfest.stores.base import Reader
from manyfest.stores.registry.http import Origin, Request, Response, Transport

REQUESTS_PER_HOST = 8


class LimitedTransport:
    """Lets a number of threads use one host at once; the others wait their turn.

    A request holds its place until its answer is closed or read to its end. A thread that already
    holds a place, at whichever host, never waits for a second one: an upload that reads from a
    download goes straight on. So nobody waits while others wait for him, and there can be no
    deadlock, between two hosts that are copied to each other neither. Nested requests do not add
    up: there are at most as many as there are threads with a place. An answer is to be read and
    closed by the thread that asked for it.
    """

    def __init__(self, inner: Transport, *, per_host: int = REQUESTS_PER_HOST) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._places = defaultdict[Origin, threading.Semaphore](
            lambda: threading.Semaphore(per_host)
        )
        self._held = Counter[int]()

    def send(self, request: Request) -> Response:
        """See :class:`~manyfest.stores.registry.http.Transport`; may wait for a place."""
        leave = self._enter(request)
        try:
            response = self._inner.send(request)
        except BaseException:
            leave()
            raise
        response.reader = _Admitted(response.reader, leave)
        return response

    def close(self) -> None:
        self._inner.close()

    def _enter(self, request: Request) -> Callable[[], None]:
        """Take a place, if one is needed; the answer gives it up, once."""
        thread = threading.get_ident()
        with self._lock:
            waits = not request.urgent and not self._held[thread]
            places = self._places[request.origin]
        if not waits:
            return _nothing
        places.acquire()
        with self._lock:
            self._held[thread] += 1

        def leave() -> None:
            with self._lock:
                self._held[thread] -= 1
                if not self._held[thread]:
                    del self._held[thread]
            places.release()

        return leave


class _Admitted:
    """A body that gives up its place when it ends."""

    def __init__(self, reader: Reader, leave: Callable[[], None]) -> None:
        self._reader = reader
        self._leave = leave

    def read(self, size: int, /) -> bytes:
        try:
            chunk = self._reader.read(size)
        except BaseException:
            self._end()
            raise
        if not chunk and size:
            self._end()
        return chunk

    def close(self) -> None:
        try:
            self._reader.close()
        finally:
            self._end()

    def _end(self) -> None:
        leave, self._leave = self._leave, _nothing
        leave()


def _nothing() -> None:
    """The place of those that need none."""
