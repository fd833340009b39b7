"""How often registries want to be asked, as their answers tell: for those who ask again and again.

``Retry-After`` (RFC 9110, section 10.2.3), and what Docker Hub, GitHub and others say of a limit:
``RateLimit-Limit``, ``RateLimit-Remaining`` and ``RateLimit-Reset`` (IETF draft "RateLimit header
fields for HTTP"), with or without ``X-`` before them.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Origin, Request, Response, Transport
from manyfest.stores.registry.repository import address_of
from manyfest.stores.registry.retry import retry_after

SPARING = 300.0
"""Seconds between two looks at a registry where little of our share is left."""

LONGEST = 6 * 3600.0
"""Seconds for which one answer may silence us: Docker Hub counts by six hours, and nobody by more.
Who was told of a year by mistake would never look again."""

_LITTLE = 0.1
_DATES_FROM = 1e9  # a smaller reset is a number of seconds, a larger one a date since 1970
_NUMBER = re.compile(r"\s*([0-9]{1,12})\s*(?:[;,]|$)")


def pause_wanted(response: Response, now: float) -> float:
    """Seconds for which the registry wants not to be asked; ``now`` is the time since 1970."""
    told = retry_after(response, now) if response.status in (429, 503) else None
    if told is not None:
        return told
    left = _figure(response.headers, "Remaining")
    if left is None:
        return 0.0
    limit, reset = (_figure(response.headers, name) for name in ("Limit", "Reset"))
    if left == 0 and reset is not None:
        return max(reset - now if reset >= _DATES_FROM else reset, 0.0)
    return SPARING if left == 0 or (limit and left < limit * _LITTLE) else 0.0


def _figure(headers: Headers, name: str) -> float | None:
    """``76`` of ``ratelimit-remaining: 76;w=21600``."""
    value = headers.get(f"RateLimit-{name}") or headers.get(f"X-RateLimit-{name}")
    found = _NUMBER.match(value)
    return float(found[1]) if found else None


class Pacing:
    """Remembers until when each registry wants to be left alone. Threads may share it."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._now = now
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def heed(self, origin: Origin, response: Response) -> None:
        """Note what an answer says of it."""
        pause = min(pause_wanted(response, self._now()), LONGEST)
        if pause:
            with self._lock:
                until = self._until.get(str(origin), 0.0)
                self._until[str(origin)] = max(until, self._clock() + pause)

    def pause(self, registry: str) -> float:
        """Seconds for which ``registry`` still wants to be left alone."""
        origin = str(Origin.of(address_of(registry, "https")))
        with self._lock:
            return max(self._until.get(origin, 0.0) - self._clock(), 0.0)


class HeedingTransport:
    """Lets a :class:`Pacing` see each answer."""

    def __init__(self, inner: Transport, pacing: Pacing) -> None:
        self._inner = inner
        self._pacing = pacing

    def send(self, request: Request) -> Response:
        """See :class:`~manyfest.stores.registry.http.Transport`."""
        response = self._inner.send(request)
        self._pacing.heed(request.origin, response)
        return response

    def close(self) -> None:
        self._inner.close()
