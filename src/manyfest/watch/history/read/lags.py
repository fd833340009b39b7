"""How long past versions took, from their first sighting until a platform was ready in a place, and
until they were complete everywhere."""

from __future__ import annotations

from collections import defaultdict

from msgspec import Struct
from sqlalchemy import Connection, bindparam, select

from manyfest.watch.health.lags import Lags, lags
from manyfest.watch.history.tables import events

_MOST = 4000
"""Events that a statistic is made of, the latest."""

_LAGS = (
    select(events.c.tag, events.c.place, events.c.platform, events.c.lag)
    .where(
        events.c.image == bindparam("of"),
        events.c.kind == bindparam("kind"),
        events.c.lag.is_not(None),
    )
    .order_by(events.c.at.desc())
    .limit(_MOST)
)


class Lag(Struct, frozen=True):
    """What versions took until ``platform`` was ready in ``place``; both are empty for what they
    took until they were complete everywhere."""

    platform: str
    place: str
    took: Lags


def lags_of(connection: Connection, image: str) -> list[Lag]:
    """Of ``image`` everywhere first, then of each place and platform. Empty if nothing is known."""
    everywhere = _by_place(connection, image, "complete")
    each = _by_place(connection, image, "platform ready")
    return [
        Lag(platform, place, took)
        for found in (everywhere, each)
        for (place, platform), seconds in sorted(found.items())
        if (took := lags(seconds.values()))
    ]


def _by_place(
    connection: Connection, image: str, kind: str
) -> dict[tuple[str, str], dict[str, float]]:
    """What each version took, the first time that it came so far."""
    found: defaultdict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for tag, place, platform, lag in connection.execute(_LAGS, {"of": image, "kind": kind}):
        where = ("", "") if kind == "complete" else (place, platform)
        taken = found[where]
        taken[tag] = min(lag, taken.get(tag, lag))
    return found
