"""How registries did: each day, over the last hours, and now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, bindparam, select

from manyfest.watch.health import latency, uptime
from manyfest.watch.health.uptime import Bar
from manyfest.watch.health.values import DAY, Day, Histogram, RegistryState
from manyfest.watch.history.read import incidents
from manyfest.watch.history.tables import days, registries, samples

DAYS: Final = 90
"""For how many of them registries are shown."""
_OUTAGES: Final = 1000

_STATE = msgspec.json.Decoder(RegistryState)
_HISTOGRAM = msgspec.json.Decoder(Histogram)

_HOSTS = select(registries.c.name).order_by(registries.c.name)
_ONE_STATE = select(registries.c.state).where(registries.c.name == bindparam("host"))
_DAYS = (
    select(days)
    .where(days.c.registry == bindparam("host"), days.c.day > bindparam("after"))
    .order_by(days.c.day)
)
_SAMPLES = (
    select(samples)
    .where(samples.c.registry == bindparam("host"), samples.c.start >= bindparam("start"))
    .order_by(samples.c.start)
)


class Latency(Struct, frozen=True):
    """How long a registry took to answer in the five minutes from ``at`` on, in seconds, as far as
    it did; of the ``asked`` requests so many ``failed``."""

    at: float
    asked: int
    failed: int
    p50: float | None
    p95: float | None


class DayTaken(Struct, frozen=True):
    """A day's bar, and how long the registry took to answer then, in seconds."""

    bar: Bar
    p50: float | None
    p95: float | None


class Standing(Struct, frozen=True):
    """A registry now, ``None`` if it was never asked, its last :data:`DAYS` days, the share of the
    time in which it was within reach over 24 hours, 7 and 90 days, and how long it took to answer
    over the last 24 hours, in seconds."""

    host: str
    state: RegistryState | None
    days: tuple[DayTaken, ...]
    uptimes: tuple[float | None, float | None, float | None]
    p50: float | None
    p95: float | None


def hosts(connection: Connection) -> list[str]:
    """All registries that were ever asked, by name."""
    return list(connection.execute(_HOSTS).scalars())


def standing(connection: Connection, host: str, now: float) -> Standing:
    """How ``host`` does and did."""
    row = connection.execute(_ONE_STATE, {"host": host}).first()
    state = None if row is None else _STATE.decode(row.state)
    known = state or RegistryState(registry=host)
    rows = _days(connection, host, now)
    measured = [_day(row) for row in rows]
    outages = [
        each.incident
        for each in incidents.of_registry(connection, host, _OUTAGES)
        if each.incident.kind == "unreachable"
    ]
    taken = latency.merged(each for _, each in _periods(connection, host, now))
    times = {row.day: _HISTOGRAM.decode(row.latencies) for row in rows}
    day, week, quarter = (
        uptime.uptime(known, measured, outages, now, span) for span in uptime.SPANS.values()
    )
    return Standing(
        host=host,
        state=state,
        days=tuple(_taken(bar, times) for bar in uptime.bars(known, measured, now, DAYS)),
        uptimes=(day, week, quarter),
        p50=latency.quantile(taken, 0.5),
        p95=latency.quantile(taken, 0.95),
    )


def latencies(connection: Connection, host: str, now: float) -> list[Latency]:
    """How long ``host`` took to answer over the last 24 hours, for each five minutes."""
    return [
        Latency(
            row.start,
            row.asked,
            row.failed,
            latency.quantile(taken, 0.5),
            latency.quantile(taken, 0.95),
        )
        for row, taken in _periods(connection, host, now)
    ]


def _days(connection: Connection, host: str, now: float) -> Sequence[Any]:
    after = int(now // DAY) - DAYS
    return connection.execute(_DAYS, {"host": host, "after": after}).all()


def _day(row: Any) -> Day:
    return Day(day=row.day, asked=row.asked, failed=row.failed, down=row.down)


def _taken(bar: Bar, times: dict[int, Histogram]) -> DayTaken:
    taken = times.get(bar.day, Histogram())
    return DayTaken(bar, latency.quantile(taken, 0.5), latency.quantile(taken, 0.95))


def _periods(connection: Connection, host: str, now: float) -> Iterable[tuple[Any, Histogram]]:
    rows = connection.execute(_SAMPLES, {"host": host, "start": int(now) - DAY})
    return [(row, _HISTOGRAM.decode(row.latencies)) for row in rows]
