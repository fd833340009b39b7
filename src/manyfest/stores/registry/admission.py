"""So many requests at a time to one host, and no deadlock whatever is nested."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable

from manyfest.stores.base import Reader
from manyfest.stores.registry.http import LastingFailure, Origin, Request, Response, Transport

TRANSFERS_PER_HOST = 8

LOOKS_PER_HOST = 32
"""Small requests: nearly all of their time they wait for the network."""


class NoPlace(LastingFailure):
    """All places at the host are taken, and the request was one that does not wait."""


class LimitedTransport:
    """Lets a number of threads use one host at once; the others wait their turn.

    Transfers (``bulk``) and small requests, here called looks, have places of their own, so that a
    look at a tag never waits behind layers. A request holds its place until its answer is closed or
    read to its end.

    A thread that already holds a place, at whichever host, never waits for a second one: an upload
    that reads from a download goes straight on. So nobody waits while others wait for him, and
    there can be no deadlock, between two hosts that are copied to each other neither. What goes
    straight on takes a place all the same, if need be one too many, and others wait for it: nested
    requests do not add up, there are at most as many too many as there are threads with a place.
    A ``spare`` request takes only what is free and nobody waits for. An answer is to be read and
    closed by the thread that asked for it.
    """

    def __init__(
        self,
        inner: Transport,
        *,
        transfers: int = TRANSFERS_PER_HOST,
        looks: int = LOOKS_PER_HOST,
    ) -> None:
        """``transfers`` and ``looks`` are how many of each kind one host gets at a time."""
        self._inner = inner
        self._lock = threading.Lock()
        self._places = {
            True: defaultdict[Origin, _Places](lambda: _Places(transfers, self._lock)),
            False: defaultdict[Origin, _Places](lambda: _Places(looks, self._lock)),
        }
        self._held: dict[int, int] = {}

    def send(self, request: Request) -> Response:
        """See :class:`~manyfest.stores.registry.http.Transport`; may wait for a place.

        Raises :class:`NoPlace` for a spare request that would have to.
        """
        leave = _nothing if request.urgent else self._enter(request)
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
        """Take a place; the answer gives it up, once."""
        thread, origin = threading.get_ident(), request.origin
        with self._lock:
            places = self._places[request.bulk][origin]
            if request.spare:
                if not places.take_free():
                    raise NoPlace("it is busy", where=str(origin))
            else:
                places.take(wait=thread not in self._held)
            self._held[thread] = self._held.get(thread, 0) + 1

        def leave() -> None:
            with self._lock:
                self._held[thread] -= 1
                if not self._held[thread]:
                    del self._held[thread]
                places.give_back()

        return leave


class _Places:
    """The places of one kind at one host. All of it is called with ``lock`` held, and lets go of
    that only to wait."""

    def __init__(self, count: int, lock: threading.Lock) -> None:
        self._count = count
        self._taken = 0
        self._waiting = 0
        self._changed = threading.Condition(lock)

    def take(self, *, wait: bool) -> None:
        """Take a place once one is free, or without ``wait`` one more than there are."""
        if wait and self._taken >= self._count:
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: self._taken < self._count)
            finally:
                self._waiting -= 1
        self._taken += 1

    def take_free(self) -> bool:
        """Take a place that is free and that nobody waits for, if there is one."""
        if self._taken + self._waiting >= self._count:
            return False
        self._taken += 1
        return True

    def give_back(self) -> None:
        self._taken -= 1
        if self._waiting:
            self._changed.notify()


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
