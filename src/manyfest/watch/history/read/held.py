"""What each place held of a version, from when to when."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, bindparam, select

from manyfest.check.readiness import Readiness
from manyfest.watch.history.tables import observations

_ANSWER = msgspec.json.Decoder(Readiness)
_OF_TAG = (
    select(observations)
    .where(observations.c.image == bindparam("of"), observations.c.tag == bindparam("named"))
    .order_by(observations.c.at.desc(), observations.c.id.desc())
    .limit(bindparam("most"))
)


class Held(Struct, frozen=True):
    """What one place answered from ``start`` to ``end``, or still does. ``digest`` is empty if it
    did not have the tag; ``silence`` is why it could not tell, or empty. Of the ``asked`` platforms
    so many were ``ready``."""

    place: str
    start: float
    end: float | None
    digest: str
    ready: int
    asked: int
    silence: str


def held(connection: Connection, image: str, tag: str, most: int) -> list[Held]:
    """The latest so many answers that differed from the ones before, the latest first."""
    rows = connection.execute(_OF_TAG, {"of": image, "named": tag, "most": most})
    until: dict[str, float] = {}
    found = []
    for row in rows:
        found.append(_held(row, until.get(row.place)))
        until[row.place] = row.at
    return found


def _held(row: Any, end: float | None) -> Held:
    answer = None if row.answer is None else _ANSWER.decode(row.answer)
    platforms = answer.platforms if answer else ()
    ready = sum(each.state == "ready" for each in platforms)
    return Held(row.place, row.at, end, row.digest, ready, len(platforms), row.silence)
