"""For how long a registry answered: by day, and over a span that ends now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from manyfest.watch.health.values import DAY, Day, RegistryState
from manyfest.watch.values import Incident

Status = Literal["up", "degraded", "down", "no data"]

SPANS = {"24 hours": DAY, "7 days": 7 * DAY, "90 days": 90 * DAY}
"""Over which uptime is told, in seconds."""

DOWN = 0.05
"""A day is ``down`` if the registry was unreachable for this share of it,"""

DEGRADED = 0.01
"""and ``degraded`` if it was so at all, or did not answer this share of the requests."""


class Bar(Struct, frozen=True, kw_only=True):
    """One ``day``, counted from 1970, UTC: how it was in one word, how many seconds of it the
    registry was unreachable, and how many of the requests it did not answer."""

    day: int
    status: Status
    down: float
    asked: int
    failed: int


def bars(
    state: RegistryState,
    days: Iterable[Day],
    now: float,
    count: int = 90,
) -> tuple[Bar, ...]:
    """The last ``count`` days, today last. ``days`` are those of which something is known, in any
    order; what goes on now is taken from ``state`` and added."""
    known = {each.day: each for each in days}
    going_on = dict(by_day(state.down_since, now)) if state.down_since is not None else {}
    today = int(now // DAY)
    return tuple(
        _bar(known.get(day, Day(day=day)), going_on.get(day, 0.0), state, now)
        for day in range(today - count + 1, today + 1)
    )


def uptime(
    state: RegistryState,
    days: Iterable[Day],
    outages: Iterable[Incident],
    now: float,
    span: float,
) -> float | None:
    """The share, 0 to 1, of the last ``span`` seconds in which the registry was not unreachable.

    ``outages`` are its incidents of that kind, and those that ended before do not matter. Days in
    which it was not asked count for nothing, nor does what was before it was asked for the first
    time; ``None`` if that is all there is.
    """
    if state.began is None:
        return None
    start = max(now - span, state.began)
    known = [each.day for each in days if each.asked]
    seconds = sum(_overlap(start, now, day * DAY, (day + 1) * DAY) for day in set(known))
    if not seconds:
        return None
    down = 0.0
    for outage in outages:
        began, ended = max(outage.began, start), now if outage.ended is None else outage.ended
        lasting = dict(by_day(began, min(ended, now)))
        down += sum(lasting.get(day, 0.0) for day in set(known))
    return max(0.0, 1.0 - down / seconds)


def by_day(began: float, ended: float) -> Iterator[tuple[int, float]]:
    """The days, counted from 1970, in which something lasted, and for how many seconds of each."""
    for day in range(int(began // DAY), int(ended // DAY) + 1):
        seconds = _overlap(began, ended, day * DAY, (day + 1) * DAY)
        if seconds:
            yield day, seconds


def _bar(day: Day, going_on: float, state: RegistryState, now: float) -> Bar:
    down = day.down + going_on
    return Bar(
        day=day.day,
        status=_status(day, down, _known(day.day, state, now)),
        down=down,
        asked=day.asked,
        failed=day.failed,
    )


def _known(day: int, state: RegistryState, now: float) -> float:
    """Seconds of the day between the first question of all and now."""
    began = day * DAY if state.began is None else state.began
    return _overlap(day * DAY, (day + 1) * DAY, began, now)


def _status(day: Day, down: float, known: float) -> Status:
    if not (day.asked or down):
        return "no data"
    if down and down >= DOWN * known:
        return "down"
    if down or day.failed >= max(1.0, DEGRADED * day.asked):
        return "degraded"
    return "up"


def _overlap(start: float, end: float, began: float, ended: float) -> float:
    return max(0.0, min(end, ended) - max(start, began))
