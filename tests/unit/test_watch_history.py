"""The history in a file of SQLite's: what is recorded is there, once and whole."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import json
from msgspec.structs import replace
from sqlalchemy import insert, select
from sqlalchemy.pool import PoolProxiedConnection

from manyfest.errors import HistoryAway, HistoryError, UsageError
from manyfest.watch.config.pattern import Pattern
from manyfest.watch.config.values import TagChoice
from manyfest.watch.health.values import RegistryState
from manyfest.watch.history import tables
from manyfest.watch.history.batch import Batch, User, WasListed
from manyfest.watch.history.history import History
from manyfest.watch.values import Change, Event
from tests.histories import (
    DIGEST,
    HUB,
    amount,
    change,
    event,
    notice,
    observation,
    outage,
    state,
)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(str(tmp_path / "history.db")) as opened:
        yield opened


def test_what_is_known_of_tags_is_there_after_it_was_closed(tmp_path: Path) -> None:
    with History.open(str(tmp_path / "history.db")) as history:
        history.record(Batch(changes=(change("2.6.0", at=10.0), change("2.6.1", at=20.0))))
    with History.open(str(tmp_path / "history.db")) as history:
        assert history.states() == [state("2.6.0", at=10.0), state("2.6.1", at=20.0)]


def test_what_is_known_of_registries_is_there_after_it_was_closed(tmp_path: Path) -> None:
    known = RegistryState(registry="ghcr.io", at=20.0, failures=2, why="no answer")
    with History.open(str(tmp_path / "history.db")) as history:
        history.record(Batch(registries=(RegistryState(registry="ghcr.io", at=10.0),)))
        history.record(Batch(registries=(known,)))
    with History.open(str(tmp_path / "history.db")) as history:
        assert history.registry_states() == [known]


def test_by_which_choice_a_list_was_read_last_is_there_after_it_was_closed(tmp_path: Path) -> None:
    by_names = WasListed("app", HUB, TagChoice(names=("edge",)))
    described = TagChoice(versions="1", match=Pattern.parse("v.*"), newest=3)
    with History.open(str(tmp_path / "history.db")) as history:
        history.record(Batch(lists=(by_names, replace(by_names, image="other"))))
        history.record(Batch(lists=(WasListed("app", HUB, described),)))
    with History.open(str(tmp_path / "history.db")) as history:
        assert history.lists_read() == [
            WasListed("app", HUB, described),
            WasListed("other", HUB, TagChoice(names=("edge",))),
        ]


@pytest.mark.parametrize("kept", [{"match": "(?=a)"}, {"versions": "one"}])
def test_a_choice_that_is_not_understood_is_as_one_that_is_not_known(
    history: History, kept: dict[str, str]
) -> None:
    row = {"image": "app", "repository": HUB, "choice": json.encode(kept)}
    with history.engine.begin() as connection:
        connection.execute(insert(tables.lists), row)
    assert history.lists_read() == []


def test_an_observation_is_kept_with_its_answer_or_with_why_there_is_none(
    history: History,
) -> None:
    silent = observation("2.6.1", at=2.0, silence="no route to host")
    seen = (observation("2.6.1", at=1.0), silent)
    history.record(Batch(changes=(Change(state=state("2.6.1", at=1.0), observations=seen),)))
    table = tables.observations.c
    with history.reading() as connection:
        rows = connection.execute(
            select(table.at, table.place, table.digest, table.answer, table.silence)
        ).all()
    assert [tuple(row) for row in rows] == [
        (
            1.0,
            HUB,
            DIGEST,
            b'{"reference":"docker.io/gotify/server:2.6.1","digest":"%s","ready":true,"platforms":'
            b'[{"platform":"linux/amd64","state":"ready","digest":"sha256:%s","why":""}]}'
            % (DIGEST.encode(), b"c" * 64),
            "",
        ),
        (2.0, HUB, "", None, "no route to host"),
    ]


def test_events_keep_their_order(history: History) -> None:
    tags = [f"1.0.{number}" for number in range(50)]
    history.record(Batch(changes=tuple(change(tag, at=5.0) for tag in tags)))
    with history.reading() as connection:
        found = connection.scalars(select(tables.events.c.tag).order_by(tables.events.c.id)).all()
    assert list(found) == tags


def test_events_of_registries_are_kept_too(history: History) -> None:
    history.record(Batch(events=(Event(kind="unreachable", at=5.0, registry="ghcr.io"),)))
    with history.reading() as connection:
        row = connection.execute(select(tables.events.c.kind, tables.events.c.registry)).one()
    assert tuple(row) == ("unreachable", "ghcr.io")


def test_of_several_changes_of_a_tag_the_last_one_is_what_is_known(history: History) -> None:
    later = replace(state("2.6.1", at=1.0), late_at=7.0)
    history.record(Batch(changes=(change("2.6.1", at=1.0), Change(state=later))))
    assert history.states() == [later]


def test_a_tag_changed_when_something_happened_and_not_when_it_was_looked_at(
    history: History,
) -> None:
    history.record(Batch(changes=(change("2.6.1", at=5.0),)))
    history.record(Batch(changes=(Change(state=state("2.6.1", at=99.0)),)))
    with history.reading() as connection:
        assert connection.scalars(select(tables.tags.c.changed_at)).all() == [5.0]


def test_a_batch_that_is_recorded_again_is_there_once(history: History) -> None:
    batch = Batch(
        changes=(change("2.6.1", at=5.0),),
        events=(Event(kind="recovered", at=5.0, registry="ghcr.io"),),
        notices=(notice("2.6.1", due=5.0),),
        opened=(outage("ghcr.io", began=1.0),),
    )
    history.record(batch)
    history.record(batch)
    assert [
        amount(history, table) for table in ("observations", "events", "notices", "incidents")
    ] == [1, 2, 1, 1]


def test_two_batches_of_the_same_things_are_two(history: History) -> None:
    history.record(Batch(events=(event("2.6.1", at=5.0),)))
    history.record(Batch(events=(event("2.6.1", at=5.0),)))
    assert amount(history, "events") == 2


def test_keys_of_what_was_acknowledged_do_not_pile_up(history: History) -> None:
    for number in range(20):
        history.record(Batch(events=(event("2.6.1", at=float(number)),)))
    assert amount(history, "batches") == 1


def test_a_batch_whose_acknowledgement_was_lost_is_there_once(history: History) -> None:
    """The database has written it, and we hear of an error."""
    lost = Batch(changes=(change("2.6.1", at=5.0),), notices=(notice("2.6.1", due=5.0),))
    with _after_commit(history, HistoryAway("the answer was lost")), pytest.raises(HistoryAway):
        history.record(lost)
    history.record(Batch(events=(event("2.6.0", at=6.0),)))
    history.record(lost)
    assert [amount(history, table) for table in ("observations", "events", "notices")] == [1, 2, 1]


@contextmanager
def _after_commit(history: History, error: Exception) -> Iterator[None]:
    """The next commit is made, and then this is raised all the same."""
    dialect = history._database._writing_engine.dialect
    commit = dialect.do_commit

    def lost(connection: PoolProxiedConnection) -> None:
        commit(connection)
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialect, "do_commit", lost)
        yield


def test_a_batch_that_fails_half_way_leaves_nothing(history: History) -> None:
    history.record(Batch(changes=(change("2.6.0", at=1.0),)))
    unfit = replace(outage("ghcr.io", began=1.0), cause=None)
    with pytest.raises(HistoryError, match="cause"):
        history.record(Batch(changes=(change("2.6.1", at=5.0),), opened=(unfit,)))
    assert history.states() == [state("2.6.0", at=1.0)]
    assert [amount(history, table) for table in ("observations", "events")] == [1, 1]


def test_an_incident_is_open_until_it_is_closed(history: History) -> None:
    began = outage("ghcr.io", began=100.0)
    history.record(Batch(opened=(began, outage("quay.io", began=150.0))))
    assert history.open_incidents() == [began, outage("quay.io", began=150.0)]
    history.record(Batch(closed=(replace(began, ended=160.0),)))
    assert history.open_incidents() == [outage("quay.io", began=150.0)]


def test_an_incident_that_comes_again_does_not_change_the_one_before(history: History) -> None:
    for began in (100.0, 300.0):
        history.record(Batch(opened=(outage("ghcr.io", began=began),)))
        history.record(Batch(closed=(outage("ghcr.io", began=began, ended=began + 50),)))
    with history.reading() as connection:
        rows = connection.execute(select(tables.incidents.c.began, tables.incidents.c.ended)).all()
    assert [tuple(row) for row in rows] == [(100.0, 150.0), (300.0, 350.0)]


def test_the_first_who_acknowledges_an_incident_stays(history: History) -> None:
    history.record(Batch(opened=(outage("ghcr.io", began=100.0),)))
    assert history.acknowledge(1, by="ada", at=110.0)
    assert history.acknowledge(1, by="bob", at=120.0)
    assert [(each.acknowledged_by, each.acknowledged_at) for each in history.open_incidents()] == [
        ("ada", 110.0)
    ]


def test_closing_an_incident_leaves_who_acknowledged_it(history: History) -> None:
    history.record(Batch(opened=(outage("ghcr.io", began=100.0),)))
    history.acknowledge(1, by="ada", at=110.0)
    history.record(Batch(closed=(outage("ghcr.io", began=100.0, ended=130.0),)))
    with history.reading() as connection:
        assert connection.scalar(select(tables.incidents.c.acknowledged_by)) == "ada"


def test_an_incident_that_is_not_there_cannot_be_acknowledged(history: History) -> None:
    assert not history.acknowledge(7, by="ada", at=1.0)


def test_text_that_a_database_has_no_place_for_is_marked(history: History) -> None:
    odd = Event(kind="unreachable", at=1.0, registry="ghcr.io", why="a\0b \ud800 é")
    history.record(Batch(events=(odd,)))
    with history.reading() as connection:
        assert connection.scalar(select(tables.events.c.why)) == "a\ufffdb ? é"


def test_nothing_is_written_after_it_was_closed(history: History) -> None:
    history.close()
    with pytest.raises(HistoryError, match="is closed"):
        history.record(Batch(events=(event("2.6.1", at=1.0),)))
    history.close()


def test_the_file_is_for_nobody_else(tmp_path: Path) -> None:
    with History.open(str(tmp_path / "history.db")) as history:
        history.record(Batch(events=(event("2.6.1", at=1.0),)))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {
        "history.db": 0o600,
        "history.db-lock": 0o600,
        "history.db-shm": 0o600,
        "history.db-wal": 0o600,
    }


def test_a_history_in_memory_is_as_good(tmp_path: Path) -> None:
    with History.open("sqlite://") as history:
        history.record(Batch(changes=(change("2.6.1", at=1.0),)))
        assert history.states() == [state("2.6.1", at=1.0)]


@pytest.mark.parametrize("url", ["history.db", "sqlite:///history.db"])
def test_a_path_and_a_url_of_it_are_the_same(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with History.open(url) as history:
        assert history.name == str(tmp_path / "history.db")
    assert (tmp_path / "history.db").exists()


@pytest.mark.parametrize(
    "url", ["mysql://root:hunter2@host/db", "postgresql://a:hunter2@h:99x/db", "sqlite://host/file"]
)
def test_another_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        History.open(url)
    assert "hunter2" not in str(caught.value)


def test_the_name_of_a_history_has_no_password() -> None:
    from manyfest.watch.history import address

    url = "postgres://ada:hunter2@db.example.org:5433/watch?password=hunter3&sslmode=require"
    parsed = address.parse(url)
    assert parsed.name == "postgresql://db.example.org:5433/watch"
    assert "hunter" not in repr(parsed)


def test_reading_sees_one_state_all_along(history: History) -> None:
    history.record(Batch(events=(event("2.6.0", at=1.0),)))
    query = select(tables.events.c.tag)
    with history.reading() as connection:
        before = connection.scalars(query).all()
        history.record(Batch(events=(event("2.6.1", at=2.0),)))
        assert connection.scalars(query).all() == before == ["2.6.0"]


def test_threads_write_and_read_at_once(history: History) -> None:
    def work(number: int) -> int:
        for each in range(5):
            history.record(Batch(changes=(change(f"{number}.0.{each}", at=1.0),)))
            history.people.keep_user(User(name=f"user {number}", password="x", made_at=1.0))
        return len(history.states())

    with ThreadPoolExecutor(8) as pool:
        assert min(pool.map(work, range(8))) >= 5
    assert len(history.states()) == 40
    assert len(history.people.users()) == 8


def test_a_token_needs_a_user(history: History) -> None:
    row = {"digest": "x", "name": "ci", "user": "nobody", "may_write": True, "made_at": 1.0}
    with pytest.raises(HistoryError, match="FOREIGN KEY"), history._database.writing() as writing:
        writing.execute(insert(tables.tokens), row)
