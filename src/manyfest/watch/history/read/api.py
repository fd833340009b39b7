"""What programs ask for beyond what pages show: versions by how they stand, the newest of each
image, and what recipients were not told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Select, and_, case, func, select

from manyfest.watch.history.read.versions import Version
from manyfest.watch.history.tables import notices, tags
from manyfest.watch.values import TagState

_STATE = msgspec.json.Decoder(TagState)


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


def _rows(connection: Connection, found: Select[Any]) -> list[dict[str, Any]]:
    return [
        {str(name): value for name, value in row.items()}  # not SQLAlchemy's own kind of text
        for row in connection.execute(found).mappings()
    ]
