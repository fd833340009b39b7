"""What was found out and is taken to be so for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_MOST = 20_000


class Timed(Generic[K, V]):
    """Remembers the last of what it is told, ``most`` entries of it, and when. Threads may share
    it."""

    def __init__(self, *, most: int = _MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._entries: OrderedDict[K, tuple[V, float]] = OrderedDict()
        self._guard = Lock()

    def put(self, key: K, value: V) -> None:
        """Remember this, as of now."""
        with self._guard:
            self._entries[key] = value, self._clock()
            self._entries.move_to_end(key)
            if len(self._entries) > self._most:
                self._entries.popitem(last=False)

    def get(self, key: K, within: float = float("inf")) -> V | None:
        """What was told in the last so many seconds."""
        with self._guard:
            value, since = self._entries.get(key, (None, 0.0))
        return value if self._clock() - since < within else None
