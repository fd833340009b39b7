"""How registries did, by five minutes and by day."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from manyfest.watch.health.latency import histogram
from manyfest.watch.health.values import Histogram
from manyfest.watch.history import tables
from manyfest.watch.history.batch import Batch
from manyfest.watch.history.history import History
from manyfest.watch.values import Sample
from tests.histories import outage

_MIDNIGHT = 20_000 * 86400.0


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(str(tmp_path / "history.db")) as opened:
        yield opened


def test_samples_of_the_same_five_minutes_are_added_up(history: History) -> None:
    history.record(Batch(samples=(_sample(0.0), _sample(1.0, why="no answer"))))
    history.record(Batch(samples=(_sample(299.0), _sample(300.0))))
    assert _periods(history) == [(_MIDNIGHT, 3, 1), (_MIDNIGHT + 300, 1, 0)]


def test_samples_of_the_same_day_are_added_up(history: History) -> None:
    history.record(Batch(samples=(_sample(0.0), _sample(86399.0, why="no answer"))))
    history.record(Batch(samples=(_sample(600.0), _sample(86400.0))))
    assert _days(history) == [(20_000, 3, 1, 0.0), (20_001, 1, 0, 0.0)]


def test_how_long_answers_took_is_added_up(history: History) -> None:
    for seconds in (0.010, 0.010, 0.500):
        history.record(Batch(samples=(_sample(0.0, seconds=seconds),)))
    expected = histogram([0.010, 0.010, 0.500])
    for table in (tables.samples, tables.days):
        with history.reading() as connection:
            kept = connection.scalar(select(table.c.latencies))
        assert msgspec.json.decode(kept or b"", type=Histogram) == expected


def test_registries_are_told_apart(history: History) -> None:
    history.record(Batch(samples=(_sample(0.0), _sample(0.0, registry="quay.io"))))
    with history.reading() as connection:
        found = connection.scalars(select(tables.days.c.registry)).all()
    assert sorted(found) == ["ghcr.io", "quay.io"]


def test_a_registry_was_down_on_each_day_that_its_outage_lasted(history: History) -> None:
    history.record(Batch(samples=(_sample(0.0),)))
    began, ended = _MIDNIGHT + 86300, _MIDNIGHT + 86400 + 50
    history.record(Batch(opened=(outage("ghcr.io", began=began),)))
    assert _days(history) == [(20_000, 1, 0, 0.0)]
    history.record(Batch(closed=(outage("ghcr.io", began=began, ended=ended),)))
    assert _days(history) == [(20_000, 1, 0, 100.0), (20_001, 0, 0, 50.0)]


def test_an_outage_that_began_and_ended_at_once_counts_too(history: History) -> None:
    ended = outage("ghcr.io", began=_MIDNIGHT, ended=_MIDNIGHT + 20)
    history.record(Batch(opened=(ended,)))
    assert _days(history) == [(20_000, 0, 0, 20.0)]
    assert history.open_incidents() == []


def test_a_batch_of_samples_that_is_recorded_again_counts_once(history: History) -> None:
    batch = Batch(samples=(_sample(0.0),))
    history.record(batch)
    history.record(batch)
    assert _days(history) == [(20_000, 1, 0, 0.0)]


def _sample(
    after: float, *, registry: str = "ghcr.io", seconds: float = 0.02, why: str = ""
) -> Sample:
    return Sample(registry=registry, at=_MIDNIGHT + after, seconds=seconds, why=why)


def _periods(history: History) -> list[tuple[float, int, int]]:
    table = tables.samples.c
    with history.reading() as connection:
        query = select(table.start, table.asked, table.failed).order_by(table.start)
        return [(row.start, row.asked, row.failed) for row in connection.execute(query)]


def _days(history: History) -> list[tuple[int, int, int, float]]:
    table = tables.days.c
    with history.reading() as connection:
        query = select(table.day, table.asked, table.failed, table.down).order_by(table.day)
        return [(row.day, row.asked, row.failed, row.down) for row in connection.execute(query)]
