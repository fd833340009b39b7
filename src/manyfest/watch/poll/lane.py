"""What one registry is asked next, and when. Pure: the time is told, and nothing is sent.

Each registry has a lane of its own, so that one that hangs holds up no other. Times are seconds of
a clock that is never set.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from itertools import count
from random import random
from typing import Literal

from msgspec import Struct

from manyfest.watch.config.values import Budget

PLACES = 8
"""Requests to one registry at a time."""

FIRST_REST, LONGEST_REST = 5.0, 300.0
"""Seconds for which a registry that does not answer is left alone: twice as many each time."""

ECHO = 1.0
"""Seconds after which it is looked once more at what is hinted at: Docker's registry says that a
tag was pushed just before it is there, and caches give old answers."""

SPARE = 5
"""From this rank on, looks are made by what is left over: one at a time, while nothing else is due
and hardly any of the budget is used up."""

_AT_ONCE = 0.25
"""The part of a budget that may be used up at once; the rest comes evenly over its time, so that
no span of that length sees more than the budget."""

_UNUSED = 0.75
"""The part of what may be used up at once that is there still when something is left over."""


class Look(Struct, frozen=True):
    """A tag of an image in a repository; without a tag, the list of its tags. With ``facts``, what
    the index with that digest consists of, which the tag means."""

    image: str
    repository: str
    tag: str = ""
    facts: str = ""


Outcome = Literal["answered", "failed", "refused"]
"""``failed``: the registry does not answer, so others need not ask now. ``refused``: it answers,
and not what was asked."""


class _Plan(Struct, frozen=True):
    due: float
    rank: int


class Lane:
    """The looks at one registry.

    Of those that are due, hinted ones come first, then those that something is expected of, by
    ``rank``, lowest first. Between two that are :data:`SPARE` there are ``gap`` seconds. It belongs
    to one thread at a time.
    """

    def __init__(
        self,
        *,
        budget: Budget | None = None,
        now: float,
        jitter: Callable[[], float] = random,
        gap: float = 0.0,
    ) -> None:
        self._jitter = jitter
        self._gap = gap
        self._spare: Look | None = None
        self._spare_at = now
        self._plans: dict[Look, _Plan] = {}
        self._coming: list[tuple[float, int, Look]] = []
        self._due: list[tuple[int, float, int, Look]] = []
        self._number = count()
        self._running: set[Look] = set()
        self._hinted: set[Look] = set()
        self._echoes: set[Look] = set()
        self._failures = 0
        self._rests_until = 0.0
        self._budget: Budget | None = None
        self._left = 0.0
        self._filled_at = now
        self.limit(budget, now)

    def limit(self, budget: Budget | None, now: float) -> None:
        """Keep within this budget from now on."""
        if budget != self._budget:
            self._budget = budget
            self._left = budget.requests * _AT_ONCE if budget else 0.0
            self._filled_at = now

    def plan(self, look: Look, due: float, rank: int = 1) -> None:
        """Look at it when it is ``due``, and not when it was to be before. If it is being looked at
        just now, that is done once more."""
        if look in self._running:
            self._hinted.add(look)
        self._plans[look] = _Plan(due, rank)
        heapq.heappush(self._coming, (due, next(self._number), look))

    def plan_again(self, look: Look, now: float, after: float, rank: int) -> None:
        """Look at it about ``after`` seconds from ``now``, or at once if there was a hint
        meanwhile; unless it was dropped."""
        if look not in self._plans:
            return
        if look in self._hinted:
            self._hinted.discard(look)
            self.plan(look, now, rank=0)
        elif look in self._echoes:
            self._echoes.discard(look)
            self.plan(look, now + min(after, ECHO), rank=0)
        else:
            self.plan(look, now + after * (0.9 + 0.2 * self._jitter()), rank)

    def hint(self, look: Look, now: float, *, twice: bool = False) -> None:
        """Look at it as soon as may be; once more, if it is being looked at. ``twice``: and once
        more after :data:`ECHO` seconds."""
        if twice:
            self._echoes.add(look)
        self.plan(look, now, rank=0)

    def drop(self, look: Look) -> None:
        """Do not look at it any more."""
        self._plans.pop(look, None)
        self._hinted.discard(look)
        self._echoes.discard(look)

    def take(self, now: float) -> Look | None:
        """What is to be asked now, if anything; :meth:`done` is told when that is over."""
        if not self._may_ask(now):
            return None
        self._gather(now)
        while self._due:
            rank, due, _, look = self._due[0]
            is_planned = self._plans.get(look) == _Plan(due, rank) and look not in self._running
            if is_planned and self._askable_at(now, rank) > now:
                return None
            heapq.heappop(self._due)
            if is_planned:
                self._running.add(look)
                self._spare = look if rank >= SPARE else self._spare
                return look
        return None

    def done(self, look: Look, outcome: Outcome, now: float, requests: int = 1) -> None:
        """A look that was taken is over, and took so many requests."""
        self._running.discard(look)
        self._left -= requests
        if look == self._spare:
            self._spare = None
            self._spare_at = now + self._gap if requests else now
        if outcome == "answered":
            self._failures = 0
        elif outcome == "failed" and now >= self._rests_until:
            longest = min(FIRST_REST * 2.0 ** min(self._failures, 10), LONGEST_REST)
            self._failures += 1
            self.rest(now + longest * (0.75 + 0.25 * self._jitter()))

    def rest(self, until: float) -> None:
        """Ask nothing before ``until``."""
        self._rests_until = max(self._rests_until, until)

    def wait(self, now: float) -> float | None:
        """Seconds until something may have to be asked; ``None`` if nothing will be before
        something else happens: a look is over, or is planned."""
        self._gather(now)
        if self._is_full() or not (self._due or self._coming):
            return None
        times = [self._askable_at(now, self._due[0][0])] if self._due else []
        if self._coming:
            times.append(max(self._coming[0][0], self._affordable_at(now)))
        at = max(min(times), self._rests_until)
        return None if at == math.inf else at - now

    def _is_full(self) -> bool:
        # Whether one that did not answer is back, one look tells.
        return len(self._running) >= (1 if self._failures else PLACES)

    def _may_ask(self, now: float) -> bool:
        return not self._is_full() and now >= self._rests_until and self._affordable_at(now) <= now

    def _askable_at(self, now: float, rank: int) -> float:
        """When something of that rank which is due may be asked."""
        if rank < SPARE:
            return self._affordable_at(now)
        if self._spare is not None:
            return math.inf
        return max(self._spare_at, self._affordable_at(now, _UNUSED))

    def _affordable_at(self, now: float, unused: float = 0.0) -> float:
        """When the budget has a request left, more than those that are under way; and besides it
        that part of what may be used up at once."""
        if self._budget is None:
            return now
        rate = self._budget.requests * (1 - _AT_ONCE) / self._budget.seconds
        most = max(self._budget.requests * _AT_ONCE, 1.0)
        self._left = min(self._left + (now - self._filled_at) * rate, most)
        self._filled_at = now
        lacking = 1.0 + len(self._running) + unused * (most - 1.0) - self._left
        return now + max(lacking, 0.0) / rate

    def _gather(self, now: float) -> None:
        """Move what is due to where it is taken from; what was planned anew is passed over."""
        while self._coming and self._coming[0][0] <= now:
            due, number, look = heapq.heappop(self._coming)
            plan = self._plans.get(look)
            if plan is not None and plan.due == due and look not in self._running:
                heapq.heappush(self._due, (plan.rank, due, number, look))
