"""What has just happened, told to whoever looks on: open pages, and those that wait for a change.

News only says where to look: what is known is in the history. So nobody misses anything who reads
that again when told that some ``missed``, and a slow reader costs no memory.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Self

from msgspec import Struct

from manyfest.watch.values import Event

_MOST_EVENTS = 1000
"""For one reader that does not come to take them."""


class News(Struct, frozen=True, kw_only=True):
    """What is in the history by now: these events happened, and more is known of these ``tags``
    (image and tag), of these ``registries``, or of what is watched (``images``). If some were
    ``missed``, all may have changed."""

    events: tuple[Event, ...] = ()
    tags: frozenset[tuple[str, str]] = frozenset()
    registries: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    missed: bool = False

    def __add__(self, later: News) -> News:
        """Both, one after the other."""
        events = self.events + later.events
        tags = self.tags | later.tags
        if max(len(events), len(tags)) > _MOST_EVENTS:
            return News(missed=True)
        return News(
            events=events,
            tags=tags,
            registries=self.registries | later.registries,
            images=self.images | later.images,
            missed=self.missed or later.missed,
        )


class Subscription:
    """One reader's news since it last asked. Entered and left, or closed, by whoever asked for it.

    It is read by one thread (:meth:`wait`) or in one event loop (:meth:`next`).
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._changed = threading.Condition()
        self._news: News | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event: asyncio.Event | None = None
        self.closed = False
        """Nothing will come any more: the service stops."""

    def wait(self, seconds: float) -> News | None:
        """All that came since the last time, together; ``None`` if nothing did for so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._news is not None or self.closed, seconds)
            return self._take()

    async def next(self, seconds: float) -> News | None:
        """The same in an event loop."""
        if self._event is None:
            with self._changed:
                self._loop, self._event = asyncio.get_running_loop(), asyncio.Event()
                if self._news is not None or self.closed:
                    self._event.set()
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return None
        with self._changed:
            if not self.closed:
                self._event.clear()
            return self._take()

    def close(self) -> None:
        """Let go of it; whoever waits for it returns. Harmless when repeated."""
        self._live.forget(self)
        with self._changed:
            self.closed = True
            self._wake()

    def offer(self, news: News) -> None:
        """Add what happened. For :class:`Live` alone."""
        with self._changed:
            self._news = news if self._news is None else self._news + news
            self._wake()

    def _take(self) -> News | None:
        news, self._news = self._news, None
        return news

    def _wake(self) -> None:
        self._changed.notify_all()
        if self._loop is not None and self._event is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Live:
    """Hands news on to every subscription. Threads and event loops may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: set[Subscription] = set()
        self._closed = False

    def subscribe(self) -> Subscription:
        """What happens from now on; see :class:`Subscription`."""
        reader = Subscription(self)
        with self._lock:
            if not self._closed:
                self._readers.add(reader)
                return reader
        reader.closed = True
        return reader

    def publish(self, news: News) -> None:
        """Tell everybody. It is in the history already: whoever hears of it reads it there."""
        with self._lock:
            readers = tuple(self._readers)
        for reader in readers:
            reader.offer(news)

    def forget(self, reader: Subscription) -> None:
        """For :class:`Subscription` alone, when it is closed."""
        with self._lock:
            self._readers.discard(reader)

    def close(self) -> None:
        """Let all readers end: the service stops."""
        with self._lock:
            self._closed = True
            readers = tuple(self._readers)
        for reader in readers:
            reader.close()
