"""The times of day at which people are told, and those at which they are not. Pure.

A day on which clocks are changed has these times as well. One that clocks show twice begins a
quiet time when it comes first, and ends it when it comes last; a digest comes once. One that clocks
leave out is taken by the offset before the change, as calendars do (RFC 5545, section 3.3.5).
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from manyfest.watch.recipients import Digest, Quiet, Recipient
from manyfest.watch.values import Kind

_HOUR = 3600.0
_A_DAY = timedelta(days=1)


def due_at(recipient: Recipient, kind: Kind, now: float) -> float:
    """When the recipient is to be told of what happened ``now``; both in seconds since 1970. A
    digest that falls into a quiet time comes at its end."""
    if kind in recipient.urgent:
        return now
    zone = ZoneInfo(recipient.zone)
    due = next_digest(recipient.digest, zone, now) if recipient.digest else now
    return after_quiet(recipient.quiet, zone, due) if recipient.quiet else due


def after_quiet(quiet: Quiet, zone: ZoneInfo, now: float) -> float:
    """The end of the quiet time that it is ``now``, or ``now`` if there is none."""
    today = datetime.fromtimestamp(now, zone).date()
    for day in (today - _A_DAY, today):
        last_day = day if quiet.start < quiet.end else day + _A_DAY
        end = max(_instant(last_day, quiet.end, zone, fold) for fold in (0, 1))
        if _instant(day, quiet.start, zone) <= now < end:
            now = end  # where the next one may have begun, as clocks were put back
    return now


def next_digest(digest: Digest, zone: ZoneInfo, now: float) -> float:
    """When the first digest after ``now`` comes."""
    here = datetime.fromtimestamp(now, zone)
    if digest.every == "hour":
        offset = (here.utcoffset() or timedelta()).total_seconds()
        return ((now + offset) // _HOUR + 1) * _HOUR - offset
    days = (here.date() + _A_DAY * ahead for ahead in range(3))
    return next(at for day in days if (at := _instant(day, digest.at, zone)) > now)


def _instant(day: date, minute: int, zone: ZoneInfo, fold: int = 0) -> float:
    """The moment of a time of that day; with ``fold`` 1 the second, if there are two."""
    clock = time(*divmod(minute, 60), fold=fold)
    return datetime.combine(day, clock, zone).timestamp()
