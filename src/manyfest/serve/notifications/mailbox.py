"""What waits to be told to one receiver: a bounded number of events, the oldest of which go first,
also when there are too many."""

from __future__ import annotations

import threading
from collections import deque

from manyfest.serve.notifications.events import Event

MOST_WAITING = 10_000
"""Events for one receiver; with more, the oldest are lost, and counted."""

MOST_AT_ONCE = 100
"""Events in one request."""


class Mailbox:
    """Any thread may add to it; one takes from it."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._events: deque[Event] = deque()
        self._closed = False
        self.lost = 0
        """Events that nobody was told of."""

    def add(self, event: Event) -> None:
        """Does not wait for anything but another such call."""
        with self._changed:
            if len(self._events) >= self._most:
                self._events.popleft()
                self.lost += 1
            self._events.append(event)
            self._changed.notify()

    def take(self) -> tuple[Event, ...]:
        """The next events, once there are some; none if it is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._closed)
            count = min(len(self._events), MOST_AT_ONCE)
            return tuple(self._events.popleft() for _ in range(count))

    def close(self) -> None:
        """Nothing more comes."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def __len__(self) -> int:
        return len(self._events)
