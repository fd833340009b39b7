"""What happened, newest first, a page at a time."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, and_, or_, select

from manyfest.watch.history.tables import events
from manyfest.watch.values import Event, Kind


class Filter(Struct, frozen=True, kw_only=True):
    """Which events are asked for; what is empty does not matter."""

    image: str = ""
    tag: str = ""
    kind: str = ""
    registry: str = ""


class Mark(Struct, frozen=True):
    """Where a page of events ends: the last one's time and number."""

    at: float
    number: int


class Recorded(Struct, frozen=True):
    """An event, and its number in the history."""

    event: Event
    mark: Mark


def recorded(
    connection: Connection, wanted: Filter, most: int, before: Mark | None = None
) -> list[Recorded]:
    """At most so many events, the newest first, from right after ``before`` on."""
    given = {"image": wanted.image, "tag": wanted.tag, "kind": wanted.kind}
    given["registry"] = wanted.registry
    query = select(events).where(
        *(events.c[name] == value for name, value in given.items() if value)
    )
    if before is not None:
        at = events.c.at
        same = and_(at == before.at, events.c.id < before.number)
        query = query.where(at <= before.at, or_(at < before.at, same))
    query = query.order_by(events.c.at.desc(), events.c.id.desc()).limit(most)
    return [_recorded(row) for row in connection.execute(query)]


def _recorded(row: Any) -> Recorded:
    kind: Kind = row.kind
    event = Event(
        kind=kind,
        at=row.at,
        image=row.image,
        tag=row.tag,
        place=row.place,
        registry=row.registry,
        platform=row.platform,
        what=row.what,
        was=row.was,
        why=row.why,
        lag=row.lag,
    )
    return Recorded(event, Mark(row.at, row.id))
