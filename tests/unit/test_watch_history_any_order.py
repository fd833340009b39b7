"""Whatever happens between them, batches are there once each, whole, and in their order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.pool import PoolProxiedConnection

from manyfest.errors import HistoryAway
from manyfest.watch.history import tables
from manyfest.watch.history.batch import Batch
from manyfest.watch.history.history import History
from manyfest.watch.values import Event
from tests.histories import change, notice

_STEPS = st.sampled_from(["written", "answer lost", "not written", "opened again", "told twice"])


@settings(max_examples=15, deadline=None)
@given(st.lists(_STEPS, max_size=8))
def test_each_batch_is_there_once_and_in_its_order(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "history.db")
        history = History.open(path)
        for number, step in enumerate(steps):
            batch = _batch(number)
            if step == "opened again":
                history.close()
                history = History.open(path)
            elif step in ("answer lost", "not written"):
                with _commit_fails(history, made=step == "answer lost"):
                    for _ in range(2):  # the one that is tried again may fail as well
                        with pytest.raises(HistoryAway):
                            history.record(batch)
            elif step == "told twice":
                history.record(batch)
            history.record(batch)
        with history.reading() as connection:
            events = connection.scalars(select(tables.events.c.what).order_by(tables.events.c.id))
            assert list(events) == [str(number) for number in range(len(steps))]
            told = connection.scalars(select(tables.notices.c.due).order_by(tables.notices.c.id))
            assert list(told) == [float(number) for number in range(len(steps))]
        assert len(history.states()) == len(steps)
        history.close()


def _batch(number: int) -> Batch:
    tag = f"1.0.{number}"
    seen = change(tag, at=float(number))
    happened = Event(kind="complete", at=0.0, image="app", tag=tag, what=str(number))
    return Batch(
        changes=(type(seen)(state=seen.state, observations=seen.observations),),
        events=(happened,),
        notices=(notice(tag, due=float(number)),),
    )


@contextmanager
def _commit_fails(history: History, *, made: bool) -> Iterator[None]:
    """Commits are ``made`` or not, and either way an error is all that we hear."""
    dialect = history._database._writing_engine.dialect
    commit = dialect.do_commit

    def lost(connection: PoolProxiedConnection) -> None:
        if made:
            commit(connection)
        raise HistoryAway("the database does not answer")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialect, "do_commit", lost)
        yield
