"""What was wrong, and is."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, Integer, bindparam, func, select

from manyfest.watch.history.read.events import Mark, earlier, equal
from manyfest.watch.history.tables import incidents
from manyfest.watch.values import Incident, Kind

_OPEN = select(incidents).where(incidents.c.ended.is_(None)).order_by(incidents.c.began.desc())
_PAST = select(incidents).where(incidents.c.ended.is_not(None)).order_by(incidents.c.began.desc())
_MOST: Final = bindparam("most", type_=Integer)
_NEWEST_OPEN = _OPEN.limit(_MOST)
_COUNT = select(incidents.c.kind, func.count().label("amount")).where(
    incidents.c.ended.is_(None)
).group_by(incidents.c.kind)  # fmt: skip
_NEWEST_PAST = _PAST.limit(_MOST)
_OF_TAG = (
    select(incidents)
    .where(incidents.c.image == bindparam("of"), incidents.c.tag == bindparam("named"))
    .order_by(incidents.c.began.desc())
    .limit(_MOST)
)
_OF_REGISTRY = (
    select(incidents)
    .where(incidents.c.registry == bindparam("host"))
    .order_by(incidents.c.began.desc())
    .limit(_MOST)
)


class Known(Struct, frozen=True):
    """An incident, and its number in the history."""

    number: int
    incident: Incident


def ongoing(connection: Connection, most: int) -> list[Known]:
    """At most so many that have not ended, the latest first."""
    return [_known(row) for row in connection.execute(_NEWEST_OPEN, {"most": most})]


def ongoing_counts(connection: Connection) -> dict[str, int]:
    """How many of each kind have not ended."""
    return {row.kind: row.amount for row in connection.execute(_COUNT)}


def past(connection: Connection, most: int) -> list[Known]:
    """At most so many that have ended, the latest first."""
    return [_known(row) for row in connection.execute(_NEWEST_PAST, {"most": most})]


def of_tag(connection: Connection, image: str, tag: str, most: int) -> list[Known]:
    """Those of one version, the latest first."""
    rows = connection.execute(_OF_TAG, {"of": image, "named": tag, "most": most})
    return [_known(row) for row in rows]


def of_registry(connection: Connection, host: str, most: int) -> list[Known]:
    """Those of one registry, the latest first."""
    rows = connection.execute(_OF_REGISTRY, {"host": host, "most": most})
    return [_known(row) for row in rows]


def wrong(
    connection: Connection,
    most: int,
    *,
    is_open: bool | None = None,
    image: str = "",
    registry: str = "",
    before: Mark | None = None,
) -> list[Known]:
    """At most so many, the latest first, from right after ``before`` on; with ``is_open`` those
    alone that have not ended, or that have."""
    found = select(incidents).where(*equal(incidents, {"image": image, "registry": registry}))
    if is_open is not None:
        ended = incidents.c.ended
        found = found.where(ended.is_(None) if is_open else ended.is_not(None))
    if before is not None:
        found = found.where(earlier(incidents, "began", before))
    found = found.order_by(incidents.c.began.desc(), incidents.c.id.desc()).limit(most)
    return [_known(row) for row in connection.execute(found)]


def one(connection: Connection, number: int) -> Known | None:
    """The one with that number in the history."""
    row = connection.execute(select(incidents).where(incidents.c.id == number)).first()
    return None if row is None else _known(row)


def _known(row: Any) -> Known:
    kind: Kind = row.kind
    incident = Incident(
        kind=kind,
        began=row.began,
        cause=row.cause,
        registry=row.registry,
        image=row.image,
        tag=row.tag,
        place=row.place,
        ended=row.ended,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
    )
    return Known(row.id, incident)
