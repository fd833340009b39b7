"""Every question that pages and programs ask is answered by an index, however large the history."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from manyfest.watch.history.history import History
from manyfest.watch.history.read import (
    api,
    events,
    facts,
    held,
    incidents,
    lags,
    registries,
    versions,
)
from manyfest.watch.history.read.events import About, Mark
from tests.histories import asked_of, state

_MARK = Mark(5.0, 7)

QUESTIONS: dict[str, Callable[[Connection], Any]] = {
    "newest versions": lambda it: versions.newest(it, "app", 10),
    "older versions": lambda it: versions.older(it, "app", "1", 10),
    "newer versions": lambda it: versions.newer(it, "app", "1", 10),
    "one version": lambda it: versions.version(it, "app", "1.0.0"),
    "what a version consists of": lambda it: facts.facts_of(it, state("1.0.0", at=1.0)),
    "counts": versions.counts,
    "counts of an image": lambda it: versions.counts_of(it, "app"),
    "versions for programs": lambda it: api.versions(it, "app", 10, below="1"),
    "all events": lambda it: events.happened(it, About(), 10),
    "all events, on": lambda it: events.happened(it, About(), 10, _MARK),
    "events of an image": lambda it: events.happened(it, About(image="app"), 10, _MARK),
    "events of a tag": lambda it: events.happened(it, About(image="app", tag="1"), 10, _MARK),
    "events of a kind": lambda it: events.happened(it, About(kinds=("late",)), 10, _MARK),
    "an image's of a kind": lambda it: events.happened(it, About(image="a", kinds=("late",)), 10),
    "events of a registry": lambda it: events.happened(it, About(registry="hub"), 10, _MARK),
    "happened": lambda it: events.happened(it, About(), 10, _MARK),
    "happened since": lambda it: events.happened(it, About(since=1.0, until=9.0), 10),
    "happened to an image": lambda it: events.happened(it, About(image="app", since=1.0), 10),
    "answers of a tag": lambda it: held.held(it, "app", "1.0.0", 10),
    "lags": lambda it: lags.lags_of(it, "app"),
    "incidents that last": lambda it: incidents.ongoing(it, 10),
    "how many last": incidents.ongoing_counts,
    "incidents that are over": lambda it: incidents.past(it, 10),
    "incidents of a tag": lambda it: incidents.of_tag(it, "app", "1.0.0", 10),
    "incidents of a registry": lambda it: incidents.of_registry(it, "hub", 10),
    "one incident": lambda it: incidents.one(it, 7),
    "what was wrong": lambda it: incidents.wrong(it, 10, before=_MARK),
    "what is wrong": lambda it: incidents.wrong(it, 10, is_open=True),
    "notices that wait": api.waiting,
    "how a registry does": lambda it: registries.standing(it, "hub", 1e9),
    "how long it takes": lambda it: registries.latencies(it, "hub", 1e9),
}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with History.open(str(tmp_path_factory.mktemp("history") / "history.db")) as opened:
        yield opened


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_index_answers(history: History, name: str) -> None:
    def ask() -> None:
        with history.reading() as connection:
            QUESTIONS[name](connection)

    assert [step for step in _plan(history, history.engine, ask) if _is_slow(step)] == []


def test_notices_that_are_due_are_found_among_those_that_wait(history: History) -> None:
    (step,) = _plan(history, history.engine, lambda: history.notices.waiting(1.0))
    assert step.endswith("INDEX notices_waiting") or "INDEX notices_waiting (" in step


def test_what_is_old_is_found_by_its_age(history: History) -> None:
    engine = history._database._writing_engine
    steps = _plan(history, engine, lambda: history.forget(before=1.0))
    assert len(steps) > 10
    # There are as many days and tags as people can look at.
    assert {step for step in steps if _is_slow(step)} <= {"SCAN days", "SCAN tags", "SCAN samples"}


def _plan(history: History, engine: Engine, ask: Callable[[], object]) -> list[str]:
    """The steps of all statements that this makes."""
    with asked_of(engine) as asked:
        ask()
    with history.reading() as connection:
        return [
            row[3]
            for statement, parameters in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]


def _is_slow(step: str) -> bool:
    """A scan in the order of an index ends with the page."""
    return bool(re.match(r"SCAN (?!.*USING)", step)) or "TEMP B-TREE FOR ORDER" in step
