"""Which tag something is due for, and when. Pure: the time is told.

Times are seconds since 1970, by a clock that may be set: what is due is asked for by that time.
"""

from __future__ import annotations

import heapq

from msgspec import Struct

from manyfest.watch.health.incidents import Tag

CONFIRM_EVERY = 30.0
"""Seconds after which is asked again what must be confirmed and was not answered."""


class _Asked(Struct, frozen=True):
    """That what was due ``at`` a moment was to be confirmed, and ``when`` that was asked."""

    at: float
    when: float


class Dues:
    """Each tag is due once at most. It belongs to one thread at a time."""

    def __init__(self) -> None:
        self._coming: list[tuple[float, Tag]] = []
        self._due: dict[Tag, float] = {}
        self._asked: dict[Tag, _Asked] = {}

    def plan(self, tag: Tag, at: float | None) -> None:
        """Something is due for the tag ``at`` that moment, and not when it was before; or nothing
        is. What was asked for in vain is due again after :data:`CONFIRM_EVERY` seconds."""
        if at is None:
            self._due.pop(tag, None)
            self._asked.pop(tag, None)
            return
        asked = self._asked.get(tag)
        if asked is not None and asked.at == at:
            at = asked.when + CONFIRM_EVERY
        if self._due.get(tag) != at:
            self._due[tag] = at
            heapq.heappush(self._coming, (at, tag))

    def note_asked(self, tag: Tag, at: float, now: float) -> None:
        """What was due ``at`` a moment is asked for ``now``."""
        self._asked[tag] = _Asked(at, now)
        self.plan(tag, at)

    def take(self, now: float) -> list[Tag]:
        """Those for which something is due by now, each once. It is so no more then."""
        tags: list[Tag] = []
        while self._coming and self._coming[0][0] <= now:
            at, tag = heapq.heappop(self._coming)
            if self._due.get(tag) == at:
                del self._due[tag]
                tags.append(tag)
        return tags

    def first(self) -> float | None:
        """When something may be due next."""
        return self._coming[0][0] if self._coming else None
