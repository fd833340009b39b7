"""How much a client may ask for, so that nobody keeps others out."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from manyfest.serve.errors import Refusal

_MOST_CLIENTS = 10_000
"""Clients whose requests are counted; the one that asked longest ago is forgotten first."""


class Limits(Struct, frozen=True, kw_only=True):
    """What is allowed at a time. ``rate`` is requests a second of one client, 0 for any number."""

    uploads: int = 512
    uploads_per_client: int = 64
    rate: float = 0.0


class Turnstile:
    """Counts what is under way. Made for one event loop, in which nothing comes between the look
    at a number and its change."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._uploads: Counter[str] = Counter()
        self._allowances: OrderedDict[str, tuple[float, float]] = OrderedDict()

    @property
    def uploads(self) -> int:
        """Requests that are sending blobs just now."""
        return self._uploads.total()

    @contextmanager
    def uploading(self, client: str) -> Iterator[None]:
        """One more request that sends a blob, until the block ends. Raises
        :class:`~manyfest.serve.errors.Refusal` if there are too many."""
        own, limits = self._uploads[client], self._limits
        if own >= limits.uploads_per_client or self.uploads >= limits.uploads:
            whose = "of yours " if own >= limits.uploads_per_client else ""
            raise _too_many(f"{own if whose else self.uploads} uploads {whose}are under way")
        self._uploads[client] += 1
        try:
            yield
        finally:
            self._uploads[client] -= 1
            if not self._uploads[client]:
                del self._uploads[client]

    def request(self, client: str) -> None:
        """One more request. Raises :class:`~manyfest.serve.errors.Refusal` if the client sends
        them faster than it may; what it did not use for ten seconds it may use at once."""
        rate = self._limits.rate
        if not rate:
            return
        now, most = self._clock(), rate * 10
        left, then = self._allowances.pop(client, (most, now))
        left = min(most, left + (now - then) * rate)
        self._allowances[client] = (max(left - 1, 0), now)
        if len(self._allowances) > _MOST_CLIENTS:
            self._allowances.popitem(last=False)
        if left < 1:
            raise _too_many(f"more than {rate:g} requests a second come from you")


def _too_many(what: str) -> Refusal:
    return Refusal("TOOMANYREQUESTS", what, headers={"Retry-After": "1"})
