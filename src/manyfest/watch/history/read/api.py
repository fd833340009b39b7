"""What programs ask for beyond what pages show: all versions, events and incidents, by more of what
they are about, one page after the other.

Each page begins after what the last one ended with, so nothing is told twice or left out while new
things come in front of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select, Table, and_, case, func, or_, select

from manyfest.watch.history.read.events import Mark, Recorded
from manyfest.watch.history.read.incidents import Known
from manyfest.watch.history.read.versions import Version
from manyfest.watch.history.tables import events, incidents, notices, tags
from manyfest.watch.values import Event, Incident, Kind, TagState

_STATE = msgspec.json.Decoder(TagState)


class About(Struct, frozen=True, kw_only=True):
    """Which events are asked for: those that have all that is not empty, of any of ``kinds``, from
    ``since`` on and before ``until``."""

    image: str = ""
    tag: str = ""
    place: str = ""
    registry: str = ""
    platform: str = ""
    kinds: tuple[Kind, ...] = ()
    since: float | None = None
    until: float | None = None


class Waiting(Struct, frozen=True, kw_only=True):
    """What a recipient was not told: so many ``notices`` that wait, of which so many ``failing``
    were tried in vain, and so many that were ``given_up``. ``fault`` is why the last attempt
    failed, ``oldest`` when the first of those that wait was or is due."""

    recipient: str
    notices: int = 0
    failing: int = 0
    given_up: int = 0
    fault: str = ""
    oldest: float | None = None


def newest(connection: Connection) -> dict[str, Version]:
    """The highest version of each image, of those that are there."""
    highest = (
        select(tags.c.image, func.max(tags.c.rank).label("rank"))
        .where(tags.c.standing != "gone")
        .group_by(tags.c.image)
        .subquery()
    )
    found = select(tags.c.image, tags.c.state, tags.c.standing, tags.c.rank).join(
        highest, and_(tags.c.image == highest.c.image, tags.c.rank == highest.c.rank)
    )
    return {
        row.image: Version(_STATE.decode(row.state), row.standing, row.rank)
        for row in connection.execute(found)
    }


def versions(
    connection: Connection,
    image: str,
    most: int,
    *,
    standing: Sequence[str] = (),
    below: str | None = None,
) -> list[Version]:
    """At most so many versions of ``image``, the highest first, below the rank ``below``."""
    found = select(tags.c.state, tags.c.standing, tags.c.rank).where(tags.c.image == image)
    if standing:
        found = found.where(tags.c.standing.in_(standing))
    if below is not None:
        found = found.where(tags.c.rank < below)
    rows = connection.execute(found.order_by(tags.c.rank.desc()).limit(most))
    return [Version(_STATE.decode(row.state), row.standing, row.rank) for row in rows]


def happened(
    connection: Connection, about: About, most: int, before: Mark | None = None
) -> list[Recorded]:
    """At most so many events, the latest first, from right after ``before`` on."""
    wanted = {name: getattr(about, name) for name in ("image", "tag", "place", "registry")}
    found = select(events).where(*_equal(events, wanted | {"platform": about.platform}))
    if about.kinds:
        found = found.where(events.c.kind.in_(about.kinds))
    if about.since is not None:
        found = found.where(events.c.at >= about.since)
    if about.until is not None:
        found = found.where(events.c.at < about.until)
    if before is not None:
        found = found.where(_earlier(events, "at", before))
    found = found.order_by(events.c.at.desc(), events.c.id.desc()).limit(most)
    return [
        Recorded(msgspec.convert(row, Event), Mark(row["at"], row["id"]))
        for row in _rows(connection, found)
    ]


def wrong(
    connection: Connection,
    most: int,
    *,
    is_open: bool | None = None,
    image: str = "",
    registry: str = "",
    before: Mark | None = None,
) -> list[Known]:
    """At most so many incidents, the latest first, from right after ``before`` on; with ``is_open``
    those alone that have not ended, or that have."""
    found = select(incidents).where(*_equal(incidents, {"image": image, "registry": registry}))
    if is_open is not None:
        ended = incidents.c.ended
        found = found.where(ended.is_(None) if is_open else ended.is_not(None))
    if before is not None:
        found = found.where(_earlier(incidents, "began", before))
    found = found.order_by(incidents.c.began.desc(), incidents.c.id.desc()).limit(most)
    return [_known(row) for row in _rows(connection, found)]


def incident(connection: Connection, number: int) -> Known | None:
    """One incident."""
    found = select(incidents).where(incidents.c.id == number)
    return next(map(_known, _rows(connection, found)), None)


def waiting(connection: Connection) -> list[Waiting]:
    """What was not told, by recipient."""
    found: dict[str, dict[str, Any]] = {}
    for query in (_LEFT, _GIVEN_UP, _FAULTS):
        for row in _rows(connection, query):
            found.setdefault(row["recipient"], {}).update(row)
    return [msgspec.convert(found[name], Waiting, strict=False) for name in sorted(found)]


_WAITS = notices.c.delivered_at.is_(None) & notices.c.given_up_at.is_(None)

_LEFT = (
    select(
        notices.c.recipient,
        func.count().label("notices"),
        func.sum(case((notices.c.fault != "", 1), else_=0)).label("failing"),
        func.min(notices.c.due).label("oldest"),
    )
    .where(_WAITS)
    .group_by(notices.c.recipient)
)
_GIVEN_UP = (
    select(notices.c.recipient, func.count().label("given_up"))
    .where(notices.c.given_up_at.is_not(None))
    .group_by(notices.c.recipient)
)
_FAULTS = select(notices.c.recipient, notices.c.fault).where(
    notices.c.id.in_(
        select(func.max(notices.c.id))
        .where(notices.c.fault != "", notices.c.delivered_at.is_(None))
        .group_by(notices.c.recipient)
    )
)
"""The last fault of each, as far as it matters still."""


def _equal(table: Table, wanted: Mapping[str, str]) -> list[ColumnElement[bool]]:
    return [table.c[name] == value for name, value in wanted.items() if value]


def _earlier(table: Table, time: str, mark: Mark) -> ColumnElement[bool]:
    """That a row comes after ``mark`` where the latest come first; in a form that an index on the
    time alone serves."""
    at = table.c[time]
    same = and_(at == mark.at, table.c.id < mark.number)
    return and_(at <= mark.at, or_(at < mark.at, same))


def _known(row: Mapping[str, Any]) -> Known:
    return Known(row["id"], msgspec.convert(row, Incident))


def _rows(connection: Connection, found: Select[Any]) -> list[dict[str, Any]]:
    return [
        {str(name): value for name, value in row.items()}  # not SQLAlchemy's own kind of text
        for row in connection.execute(found).mappings()
    ]
