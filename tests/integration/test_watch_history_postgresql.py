"""The history on a real PostgreSQL: the same as on SQLite, and through the server's absences."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from msgspec.structs import replace
from sqlalchemy import select

from manyfest.errors import HistoryAway, HistoryInUse
from manyfest.watch.config.values import TagChoice
from manyfest.watch.history import database, tables
from manyfest.watch.history import migrate as migrating
from manyfest.watch.history.batch import Batch, Session, Token, User, WasListed, WasRead
from manyfest.watch.history.history import History
from manyfest.watch.history.migrate import STEPS, VERSION_TABLE
from manyfest.watch.values import Change, Event, Facts, Sample
from tests.chaos.history import batch, kill_server, kill_writers, look
from tests.histories import amount, asked_of, change, event, notice, outage, state
from tests.lost_answers import way_to
from tests.postgresql import Server, running_postgresql
from tests.unit.test_watch_history_indices import QUESTIONS


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_postgresql() as started:
        yield started


@pytest.fixture(scope="module")
def plans(server: Server) -> Iterator[History]:
    with History.open(server.new_database()) as history:
        yield history


@pytest.fixture
def url(server: Server) -> str:
    return server.new_database()


def test_the_steps_lead_to_the_tables_that_are_used(url: str) -> None:
    with History.open(url) as history, history.reading() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, tables.metadata) == []


def test_a_database_of_the_first_step_is_brought_up_to_date(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = shutil.copytree(STEPS, tmp_path / "migrations")
    (steps / "versions" / "0002_lists.py").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(migrating, "STEPS", steps)
        with History.open(url) as history:
            history.record(Batch(changes=(change("2.6.1", at=1.0),)))
    listed = WasListed("gotify/server", "docker.io/gotify/server", TagChoice(versions="*"))
    for _ in range(2):
        with History.open(url) as history:
            assert history.states() == [state("2.6.1", at=1.0)]
            history.record(Batch(lists=(listed,)))
            assert history.lists_read() == [listed]


def test_all_that_is_recorded_is_there_once(url: str) -> None:
    with History.open(url) as history:
        for number in range(12):
            history.record(batch(number))
    with History.open(url) as history:
        assert look(history, acknowledged=11) == 12


def test_what_is_known_of_tags_is_there_after_it_was_closed(url: str) -> None:
    with History.open(url) as history:
        history.record(Batch(changes=(change("2.6.0", at=10.0), change("2.6.1", at=20.0))))
    with History.open(url) as history:
        assert history.states() == [state("2.6.0", at=10.0), state("2.6.1", at=20.0)]


def test_what_a_version_consists_of_is_forgotten_with_it(url: str) -> None:
    known = Facts(digest=state("2.6.1", at=1.0).digest, platforms=(), read_at=1.0)
    with History.open(url) as history:
        history.record(Batch(facts=(known,), changes=(change("2.6.1", at=1.0),)))
        history.record(Batch(facts=(replace(known, is_last=True),)))
        history.forget(before=9.0)
        assert history.facts_read() == [WasRead(known.digest, 1.0, is_last=True)]

        gone = replace(state("2.6.1", at=2.0), digest="", first_seen=None, complete_at=None)
        history.record(Batch(changes=(Change(state=gone),)))
        history.forget(before=9.0)
        assert history.facts_read() == []


def test_tags_sort_as_versions_whatever_the_order_of_the_databases_language(url: str) -> None:
    """The server's language puts ``a`` before ``B``, and skips ``-`` and ``~``."""
    rising = ["Edge", "latest", "1.0.0-B", "1.0.0-a", "1.0.0-a.1", "1.0.0", "1.2.0", "1.10.0"]
    with History.open(url) as history:
        history.record(Batch(changes=tuple(change(tag, at=1.0) for tag in reversed(rising))))
        with history.reading() as connection:
            query = select(tables.tags.c.tag).order_by(tables.tags.c.rank)
            assert list(connection.scalars(query)) == rising


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_index_can_answer(plans: History, name: str) -> None:
    """Of tables as small as in tests PostgreSQL reads all, unless it is told that this is slow."""
    with plans.reading() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        with asked_of(plans.engine) as asked:
            QUESTIONS[name](connection)
        steps = [
            step
            for statement, parameters in asked
            for (step,) in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        ]
    assert [step for step in steps if "Seq Scan" in step] == []


def test_text_that_it_has_no_place_for_is_marked(url: str) -> None:
    odd = Event(kind="unreachable", at=1.0, registry="ghcr.io", why="a\0b \ud800 é")
    with History.open(url) as history:
        history.record(Batch(events=(odd,)))
        with history.reading() as connection:
            assert connection.scalar(select(tables.events.c.why)) == "a\ufffdb ? é"
            sought = select(tables.events.c.id).where(tables.events.c.why == "a\0")
            assert connection.scalar(sought) is None


def test_users_tokens_and_sessions_are_kept(url: str) -> None:
    ada = User(name="ada", password="hash", made_at=1.0)
    token = Token(digest="d", name="ci", user="ada", may_write=False, made_at=1.0, id=1)
    session = Session(digest="s", user="ada", csrf="word", ends_at=9.0)
    with History.open(url) as history:
        history.people.keep_user(ada)
        history.people.add_token(token)
        history.people.keep_session(session, now=1.0)
        assert history.people.users() == [ada]
        assert history.people.token("d") == token
        assert history.people.session("s", now=2.0) == session
        assert history.people.remove_user("ada")
        assert history.people.token("d") is None


def test_what_is_old_is_forgotten(url: str) -> None:
    with History.open(url) as history:
        history.record(Batch(changes=tuple(change(f"1.0.{n}", at=float(n)) for n in range(2500))))
        history.record(
            Batch(
                samples=(Sample(registry="ghcr.io", at=1.0, seconds=0.1),),
                opened=(outage("ghcr.io", began=1.0, ended=2.0),),
            )
        )
        assert history.forget(before=2000.0) == 4002
        assert amount(history, "observations") == 500


def test_a_notice_is_attempted_and_delivered(url: str) -> None:
    with History.open(url) as history:
        history.record(Batch(notices=(notice("2.6.1", due=10.0),)))
        (waiting,) = history.notices.waiting(now=10.0)
        history.notices.attempt(waiting)
        assert [each.cut_short for each in history.notices.waiting(now=10.0)] == [True]
        history.notices.delivered(waiting.id, at=11.0)
        assert history.notices.waiting(now=99.0) == []


def test_a_second_watch_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.2)
    with History.open(url) as history:
        with pytest.raises(HistoryInUse, match="another process has it open; stop that one"):
            History.open(url)
        history.record(Batch(events=(event("2.6.1", at=1.0),)))
    History.open(url).close()


def test_a_command_adds_a_user_beside_the_watch(url: str) -> None:
    ada = User(name="ada", password="hash", made_at=1.0)
    with History.open(url) as watch:
        with History.open(url, alone=False) as command:
            command.people.keep_user(ada)
        assert watch.people.user("ada") == ada


def test_what_cannot_be_written_while_the_server_is_away_is_written_later(server: Server) -> None:
    with History.open(server.new_database()) as history:
        history.record(batch(0))
        server.stop()
        try:
            for _ in range(3):
                with pytest.raises(HistoryAway, match="does not answer"):
                    history.record(batch(1))
            with pytest.raises(HistoryAway):
                history.states()
        finally:
            server.start()
        history.record(batch(1))
        assert look(history, acknowledged=1) == 2


def test_the_lock_is_taken_again_when_the_server_is_back(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.2)
    url = server.new_database()
    with History.open(url) as first:
        server.crash()
        server.start()
        with History.open(url) as second:  # was quicker
            with pytest.raises(HistoryAway, match="does not answer"):
                first.record(batch(0))
            with pytest.raises(HistoryInUse):
                first.record(batch(0))
            second.record(batch(0))
        first.record(batch(1))
        with pytest.raises(HistoryInUse):
            History.open(url)
        assert look(first, acknowledged=1) == 2


def test_a_server_that_is_not_there_is_told(server: Server) -> None:
    with pytest.raises(HistoryAway) as caught:
        History.open("postgresql://ada:hunter2@127.0.0.1:1/watch")
    said = str(caught.value)
    assert said.startswith("postgresql://127.0.0.1:1/watch: the database does not answer: ")
    assert "hunter2" not in said


def test_a_database_that_is_not_there_is_told(server: Server) -> None:
    with pytest.raises(HistoryAway, match=r'database "nowhere" does not exist$'):
        History.open(f"postgresql://manyfest@/nowhere?host={server.folder}")


def test_a_user_that_is_not_let_in_is_told(server: Server) -> None:
    with pytest.raises(HistoryAway, match=r'does not let us in: role "nobody" does not exist$'):
        History.open(f"postgresql://nobody@/postgres?host={server.folder}")


def test_a_batch_whose_acknowledgement_was_lost_is_there_once(server: Server, url: str) -> None:
    """The server writes it, and the connection breaks before we hear so."""
    with (
        way_to(server.folder, server.folder / "way") as way,
        History.open(url.replace(str(server.folder), str(way.folder))) as history,
    ):
        history.record(batch(0))
        doubtful = batch(1)
        way.lose_next(b"COMMIT")
        with pytest.raises(HistoryAway):
            history.record(doubtful)
        assert way.lost == 1
        assert amount(history, "notices") == 2  # written all the same
        history.record(doubtful)
        assert look(history, acknowledged=1) == 2


def test_nothing_is_written_while_it_is_not_known_who_has_the_lock(
    server: Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks, and so does the next one when it asks for the lock."""
    monkeypatch.setattr(database, "PATIENCE", 0.2)
    with (
        way_to(server.folder, server.folder / "unsure") as way,
        History.open(url.replace(str(server.folder), str(way.folder))) as first,
    ):
        for answer in (b"COMMIT", b"pg_try_advisory_lock"):
            way.lose_next(answer)
            with pytest.raises(HistoryAway):
                first.record(Batch(events=(event("2.6.1", at=1.0),)))
        assert way.lost == 2
        with History.open(url), pytest.raises(HistoryInUse):
            first.record(Batch(events=(event("2.6.1", at=1.0),)))


def test_many_threads_read_while_one_writes(url: str) -> None:
    with History.open(url) as history:
        faults: list[Exception] = []

        def read() -> None:
            try:
                for _ in range(20):
                    history.states()
            except Exception as error:  # noqa: BLE001 - told below
                faults.append(error)

        threads = [threading.Thread(target=read) for _ in range(12)]
        for thread in threads:
            thread.start()
        for number in range(20):
            history.record(batch(number))
        for thread in threads:
            thread.join()
        assert faults == []
        assert look(history, acknowledged=19) == 20


def test_killed_watches_lose_nothing_and_write_nothing_twice(url: str) -> None:
    tally = kill_writers(url, 4, seed=20261126)
    assert tally.kills == 4
    assert tally.written > 0


def test_a_server_that_fails_again_and_again_loses_nothing(server: Server) -> None:
    tally = kill_server(server, 3, seed=20261126)
    assert tally.kills == 3
    assert tally.written > 0
