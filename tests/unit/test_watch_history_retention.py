"""What is old is forgotten, and what is not over is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import select, text

from manyfest.watch.history import retention, tables
from manyfest.watch.history.batch import Batch
from manyfest.watch.history.history import History
from manyfest.watch.values import Change, Sample
from tests.histories import amount, change, notice, observation, outage, state

_DAY = 86400.0
_YEARS = 20_000 * _DAY


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(str(tmp_path / "history.db")) as opened:
        yield opened


def test_what_was_seen_and_happened_before_is_forgotten(history: History) -> None:
    history.record(Batch(changes=(change("2.6.0", at=10.0), change("2.6.1", at=20.0))))
    assert history.forget(before=20.0) == 2
    for table in (tables.observations, tables.events):
        with history.reading() as connection:
            assert connection.scalars(select(table.c.tag)).all() == ["2.6.1"]


def test_what_is_known_of_tags_stays(history: History) -> None:
    history.record(Batch(changes=(change("2.6.0", at=10.0),)))
    history.forget(before=99.0)
    assert history.states() == [state("2.6.0", at=10.0)]


def test_tags_that_are_gone_are_forgotten_after_the_time(history: History) -> None:
    gone = replace(state("2.6.0", at=10.0), digest="", places=())
    seen = (observation("2.6.0", at=15.0),)
    history.record(Batch(changes=(Change(state=gone, observations=seen),)))
    history.forget(before=15.0)
    assert history.states() == [gone]
    history.forget(before=16.0)
    assert history.states() == []


def test_incidents_stay_while_they_last(history: History) -> None:
    lasting = outage("ghcr.io", began=1.0)
    history.record(Batch(opened=(lasting, outage("quay.io", began=1.0, ended=2.0))))
    history.forget(before=99.0)
    assert history.open_incidents() == [lasting]
    assert amount(history, "incidents") == 1


def test_notices_stay_until_they_are_delivered_or_given_up(history: History) -> None:
    history.record(Batch(notices=tuple(notice("2.6.1", due=1.0) for _ in range(3))))
    history.notices.delivered(1, at=2.0)
    history.notices.give_up(2, "no such recipient", at=2.0)
    history.forget(before=99.0)
    assert [each.id for each in history.notices.waiting(now=99.0)] == [3]
    assert amount(history, "notices") == 1


def test_days_of_registries_stay_400_days_longer_than_the_rest(history: History) -> None:
    samples = (Sample(registry="ghcr.io", at=_YEARS + n * _DAY, seconds=0.1) for n in range(3))
    history.record(Batch(samples=tuple(samples)))
    history.forget(before=_YEARS + 401 * _DAY)
    assert amount(history, "samples") == 0
    with history.reading() as connection:
        assert connection.scalars(select(tables.days.c.day)).all() == [20_001, 20_002]


def test_many_rows_go_in_many_transactions(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 10)
    history.record(Batch(changes=tuple(change(f"1.0.{n}", at=1.0) for n in range(35))))
    transactions = 0
    writing = history._database.writing

    def counted() -> object:
        nonlocal transactions
        transactions += 1
        return writing()

    monkeypatch.setattr(history._database, "writing", counted)
    assert history.forget(before=2.0) == 70
    assert transactions >= 8


def test_it_ends_early_when_the_watch_stops(history: History) -> None:
    history.record(Batch(changes=(change("2.6.0", at=10.0),)))
    assert history.forget(before=99.0, stopped=lambda: True) == 0
    assert amount(history, "events") == 1


def test_a_file_that_is_mostly_empty_becomes_smaller(tmp_path: Path, history: History) -> None:
    many = tuple(change(f"1.0.{n}", at=1.0) for n in range(3000))
    history.record(Batch(changes=many))
    history.close()
    before = (tmp_path / "history.db").stat().st_size
    with History.open(str(tmp_path / "history.db")) as again:
        again.forget(before=2.0)
        with again.reading() as connection:
            pages = connection.scalar(text("PRAGMA page_count"))
            free = connection.scalar(text("PRAGMA freelist_count"))
    assert 0 < free <= pages / 4
    assert (tmp_path / "history.db").stat().st_size < 0.9 * before
