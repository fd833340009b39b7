"""A blob on its way out of a registry: one stream that goes on where it broke off, or several
connections where one is slow and more are faster."""

from __future__ import annotations

import time
from collections.abc import Callable

from manyfest.stores.registry.parts import Parts
from manyfest.stores.registry.ranges import Blob
from manyfest.stores.registry.streams import BlobStream, Patience

LARGE = 64 * 1024 * 1024
"""Bytes that must be left for more connections to be worth their while."""

SLOW = 80 * 1000 * 1000
"""Bytes a second. One connection that is faster is bounded by hashing, or by a network that more
connections do not widen: a gigabit is 117 MB/s."""

BETTER = 1.25
"""How many times as fast several connections must be, not to be left for one again."""

_PROBE = 8 * 1024 * 1024
_TRIAL = 64 * 1024 * 1024
_TRIALS = 2


class Download:
    """A blob's bytes, unverified, as a :class:`~manyfest.stores.base.Reader` that can skip.

    It begins with one stream. If that is slow, much is left, and the registry takes ranges and has
    places free, parts are fetched over more connections; if that is no faster, it is given up
    again. Only the time spent waiting for the registry counts: a slow reader makes nothing slow.
    To be used by one thread.
    """

    def __init__(
        self,
        blob: Blob,
        *,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is asked for before :meth:`open`."""
        self._size = blob.size
        self._blob = blob
        self._stream = BlobStream(blob, patience or Patience())
        self._parts: Parts | None = None
        self._clock = clock
        self._at = 0
        self._pace = _Pace()
        self._pace_of_one = 0.0
        self._trials = 0

    def open(self) -> Download:
        """Ask the registry for it. Raises :class:`~manyfest.errors.NotFound`, and what refusals
        raise."""
        self._stream.open()
        return self

    def skip(self, count: int, /) -> None:
        """Pass over the next ``count`` bytes, which are not asked for."""
        self._leave_parts()
        self._at += count
        self._stream.move(self._at)

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; the empty string at the end.

        Raises :class:`~manyfest.errors.ConnectionFailed` when it breaks off too often, and
        :class:`~manyfest.errors.RegistryError` when the registry cannot go on with it.
        """
        begun = self._clock()
        chunk = self._read(size)
        self._at += len(chunk)
        self._pace.add(len(chunk), self._clock() - begun)
        self._adapt()
        return chunk

    def close(self) -> None:
        """Let go of all connections, and of the threads; they have ended then."""
        try:
            self._leave_parts()
        finally:
            self._stream.close()

    def _read(self, size: int) -> bytes:
        if self._parts is not None and size:
            chunk = self._parts.read(size)
            if chunk or not self._parts.is_over:
                return chunk
            self._leave_parts()
            self._stream.move(self._at)
        return self._stream.read(size)

    def _leave_parts(self) -> None:
        """Go on with one stream."""
        if self._parts is not None:
            self._trials += self._parts.failed
            self._parts.close()
            self._parts = None
            self._pace = _Pace()

    def _adapt(self) -> None:
        """Begin with parts, or end it, once there is enough to judge by."""
        if self._parts is None and self._pace.amount >= _PROBE:
            if self._may_try() and self._pace.rate < SLOW:
                self._pace_of_one = self._pace.rate
                self._parts = Parts(self._blob, self._stream, self._at)
            self._pace = _Pace()
        elif self._parts is not None and self._pace.amount >= _TRIAL:
            if self._pace.rate < BETTER * self._pace_of_one:
                self._parts.finish()
                self._trials = _TRIALS
            self._pace = _Pace()

    def _may_try(self) -> bool:
        return (
            self._trials < _TRIALS and self._stream.takes_ranges and self._size - self._at > LARGE
        )


class _Pace:
    """Bytes that came, and the seconds that were waited for them."""

    def __init__(self) -> None:
        self.amount = 0
        self._seconds = 0.0

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self.amount / max(self._seconds, 1e-9)

    def add(self, amount: int, seconds: float) -> None:
        self.amount += amount
        self._seconds += seconds
