"""The life of a notice in the history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from manyfest.watch.history.batch import Batch, WaitingNotice
from manyfest.watch.history.history import History
from tests.histories import event, notice


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(str(tmp_path / "history.db")) as opened:
        yield opened


def test_a_notice_waits_from_when_it_is_due(history: History) -> None:
    history.record(Batch(notices=(notice("2.6.1", due=10.0),)))
    assert history.notices.waiting(now=9.9) == []
    assert history.notices.waiting(now=10.0) == [
        WaitingNotice(id=1, recipient="phone", due=10.0, events=(event("2.6.1", at=10.0),))
    ]


def test_the_one_that_waits_longest_comes_first(history: History) -> None:
    due = (30.0, 10.0, 20.0)
    history.record(Batch(notices=tuple(notice("2.6.1", due=each) for each in due)))
    assert [each.due for each in history.notices.waiting(now=99.0)] == [10.0, 20.0, 30.0]
    assert [each.due for each in history.notices.waiting(now=99.0, limit=1)] == [10.0]


def test_one_that_was_delivered_waits_no_more(history: History) -> None:
    only = _one(history)
    history.notices.attempt(only)
    history.notices.delivered(only.id, at=11.0)
    assert history.notices.waiting(now=99.0) == []


def test_an_attempt_that_was_cut_short_shows(history: History) -> None:
    history.notices.attempt(_one(history))
    (again,) = history.notices.waiting(now=99.0)
    assert (again.cut_short, again.tries) == (True, 1)


def test_noting_an_attempt_twice_counts_it_once(history: History) -> None:
    only = _one(history)
    history.notices.attempt(only)
    history.notices.attempt(only)
    assert [each.tries for each in history.notices.waiting(now=99.0)] == [1]


def test_one_that_failed_waits_for_its_next_time_and_says_why(history: History) -> None:
    only = _one(history)
    history.notices.attempt(only)
    history.notices.failed(only.id, "HTTP 500", again_at=60.0)
    assert history.notices.waiting(now=59.0) == []
    (again,) = history.notices.waiting(now=60.0)
    assert (again.fault, again.tries, again.cut_short) == ("HTTP 500", 1, False)


def test_one_that_was_given_up_waits_no_more(history: History) -> None:
    only = _one(history)
    history.notices.give_up(only.id, "no such recipient", at=20.0)
    assert history.notices.waiting(now=99.0) == []


def _one(history: History) -> WaitingNotice:
    history.record(Batch(notices=(notice("2.6.1", due=10.0),)))
    (only,) = history.notices.waiting(now=10.0)
    return only
