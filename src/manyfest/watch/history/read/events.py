"""What happened, the latest first, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, RowMapping, Table, and_, or_, select

from manyfest.watch.history.tables import events
from manyfest.watch.values import Event


class About(Struct, frozen=True, kw_only=True):
    """Which events are asked for: those that have all that is not empty, of any of ``kinds``, from
    ``since`` on and before ``until``."""

    image: str = ""
    tag: str = ""
    place: str = ""
    registry: str = ""
    platform: str = ""
    kinds: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None


class Mark(Struct, frozen=True):
    """Where a page of events ends: the last one's time and number."""

    at: float
    number: int


class Recorded(Struct, frozen=True):
    """An event, and its number in the history."""

    event: Event
    mark: Mark


def happened(
    connection: Connection, about: About, most: int, before: Mark | None = None
) -> list[Recorded]:
    """At most so many events, the latest first, from right after ``before`` on."""
    names = ("image", "tag", "place", "registry", "platform")
    found = select(events).where(*equal(events, {name: getattr(about, name) for name in names}))
    if about.kinds:
        found = found.where(events.c.kind.in_(about.kinds))
    if about.since is not None:
        found = found.where(events.c.at >= about.since)
    if about.until is not None:
        found = found.where(events.c.at < about.until)
    if before is not None:
        found = found.where(earlier(events, "at", before))
    found = found.order_by(events.c.at.desc(), events.c.id.desc()).limit(most)
    return [_recorded(row) for row in connection.execute(found).mappings()]


def _recorded(row: RowMapping) -> Recorded:
    event = Event(**{name: row[name] for name in Event.__struct_fields__})
    return Recorded(event, Mark(event.at, row["id"]))


def equal(table: Table, wanted: Mapping[str, str]) -> list[ColumnElement[bool]]:
    """That a row has all of what is ``wanted`` in these columns and is not empty."""
    return [table.c[name] == value for name, value in wanted.items() if value]


def earlier(table: Table, time: str, mark: Mark) -> ColumnElement[bool]:
    """That a row comes after ``mark`` where the latest come first; in a form that an index on the
    time alone serves."""
    at = table.c[time]
    same = and_(at == mark.at, table.c.id < mark.number)
    return and_(at <= mark.at, or_(at < mark.at, same))
