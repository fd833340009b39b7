"""How registries did, added to what is known of the same five minutes and the same day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import TypeAlias

import msgspec
from msgspec import Struct
from msgspec.json import encode
from sqlalchemy import Connection, Table, select

from manyfest.watch.health.latency import merged
from manyfest.watch.health.periods import periods
from manyfest.watch.health.uptime import by_day
from manyfest.watch.health.values import DAY, Histogram
from manyfest.watch.history import tables
from manyfest.watch.history.upsert import upsert
from manyfest.watch.values import Incident, Sample

_histogram = msgspec.json.Decoder(Histogram)

_Key: TypeAlias = tuple[str, int]
"""A registry, and which five minutes or which day."""


class _Tally(Struct, frozen=True):
    asked: int = 0
    failed: int = 0
    down: float = 0.0
    latencies: Histogram = Histogram()

    def __add__(self, more: _Tally) -> _Tally:
        return _Tally(
            self.asked + more.asked,
            self.failed + more.failed,
            self.down + more.down,
            merged((self.latencies, more.latencies)),
        )


def add_samples(connection: Connection, samples: Iterable[Sample]) -> None:
    """Add the samples to their five minutes and their days."""
    found = periods(samples)
    tallies = [_Tally(each.asked, each.failed, 0.0, each.latencies) for each in found]
    by_period = ((each.registry, each.start) for each in found)
    by_days = ((each.registry, each.start // DAY) for each in found)
    _add(connection, tables.samples, zip(by_period, tallies, strict=True))
    _add(connection, tables.days, zip(by_days, tallies, strict=True))


def add_downtime(connection: Connection, incidents: Iterable[Incident]) -> None:
    """Add how long registries were unreachable, if that has ended, to the days it lasted."""
    lasted = (
        ((each.registry, day), _Tally(down=seconds))
        for each in incidents
        if each.kind == "unreachable" and each.ended is not None
        for day, seconds in by_day(each.began, each.ended)
    )
    _add(connection, tables.days, lasted)


def _add(connection: Connection, table: Table, tallies: Iterable[tuple[_Key, _Tally]]) -> None:
    sums: defaultdict[_Key, _Tally] = defaultdict(_Tally)
    for key, tally in tallies:
        sums[key] += tally
    for key, tally in _known(connection, table, sums).items():
        sums[key] += tally
    keys = [column.name for column in table.primary_key]
    has_down = "down" in table.c
    rows = [
        {"asked": each.asked, "failed": each.failed, "latencies": encode(each.latencies)}
        | ({"down": each.down} if has_down else {})
        | dict(zip(keys, key, strict=True))
        for key, each in sums.items()
    ]
    upsert(connection, table, keys, rows)


def _known(connection: Connection, table: Table, keys: Collection[_Key]) -> dict[_Key, _Tally]:
    """What is there of these. What is added at one time is of times that are close together."""
    registry, time = table.primary_key
    found: dict[_Key, _Tally] = {}
    for name in {name for name, _ in keys}:
        times = [number for each, number in keys if each == name]
        query = select(table).where(registry == name, time.between(min(times), max(times)))
        for row in connection.execute(query).mappings():
            key = (name, row[time])
            if key in keys:
                latencies = _histogram.decode(row["latencies"])
                found[key] = _Tally(row["asked"], row["failed"], row.get("down", 0.0), latencies)
    return found
