"""A disk that is full, a file that is damaged, a folder that is not there: one clear error each,
nothing half-written, and all as before once it is mended."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from manyfest.errors import HistoryAway, HistoryError, HistoryInUse
from manyfest.watch.history.batch import Batch
from manyfest.watch.history.history import History
from tests.histories import amount, change, event, state


def test_what_does_not_fit_is_not_there_and_fits_later(tmp_path: Path) -> None:
    large = Batch(changes=tuple(change(f"1.0.{number}", at=2.0) for number in range(2000)))
    with History.open(str(tmp_path / "history.db")) as history:
        history.record(Batch(changes=(change("1.0.0", at=1.0),)))
        _limit(history, pages=80)
        with pytest.raises(HistoryAway) as caught:
            history.record(large)
        assert str(caught.value) == (
            f"{tmp_path}/history.db: the disk is full;"
            " make room; what is not written yet is written then"
        )
        assert history.states() == [state("1.0.0", at=1.0)]
        assert amount(history, "events") == 1
        _limit(history, pages=100_000)
        history.record(large)
        assert amount(history, "events") == 2001


def test_what_is_small_enough_is_written_after_what_was_not(tmp_path: Path) -> None:
    large = Batch(changes=tuple(change(f"1.0.{number}", at=2.0) for number in range(2000)))
    with History.open(str(tmp_path / "history.db")) as history:
        _limit(history, pages=80)
        with pytest.raises(HistoryAway):
            history.record(large)
        history.record(Batch(changes=(change("1.0.0", at=1.0),)))
        assert history.states() == [state("1.0.0", at=1.0)]


def test_another_program_that_keeps_it_locked_is_waited_for_and_then_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with History.open(str(tmp_path / "history.db")) as history:
        with history._database.writing() as writing:
            patience = writing.execute(text("PRAGMA busy_timeout")).scalar()
        assert patience == 10_000  # milliseconds
        _on_writer(history, "PRAGMA busy_timeout = 1")
        other = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryAway, match="another program keeps it locked"):
            history.record(Batch(events=(event("2.6.1", at=1.0),)))
        other.close()
        history.record(Batch(events=(event("2.6.1", at=1.0),)))
        assert amount(history, "events") == 1


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    path.write_text("dear diary, " * 1000)
    with pytest.raises(HistoryError, match=r"history\.db: the file is no database of SQLite's;"):
        History.open(str(path))
    assert path.read_text() == "dear diary, " * 1000


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with History.open(str(path)) as history:
        history.record(
            Batch(changes=tuple(change(f"1.0.{number}", at=2.0) for number in range(500)))
        )
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(path.stat().st_size - 8192))
    with (
        pytest.raises(HistoryError, match=r"history\.db: the file is damaged; stop the watch"),
        History.open(str(path)) as history,
    ):
        history.states()


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE users (id INTEGER)")
    other.close()
    with pytest.raises(HistoryError, match="has a table 'users' that is not the watch's"):
        History.open(str(path))


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(HistoryError) as caught:
        History.open(str(tmp_path / "nowhere" / "history.db"))
    assert str(caught.value) == (
        f"{tmp_path}/nowhere/history.db: the file cannot be made: No such file or directory;"
        " name a file in a folder that the watch can write to"
    )


def test_a_folder_is_no_history(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="the file cannot be opened or made"):
        History.open(str(tmp_path))


def test_one_that_failed_to_open_keeps_nobody_out(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    path.write_text("dear diary, " * 1000)
    for _ in range(2):
        with pytest.raises(HistoryError) as caught:
            History.open(str(path))
        assert not isinstance(caught.value, HistoryInUse)
    path.unlink()
    History.open(str(path)).close()


def test_a_file_that_comes_from_a_copy_made_while_it_was_written_is_whole(tmp_path: Path) -> None:
    """As after power was lost: the database and its log, with no process that closed them."""
    with History.open(str(tmp_path / "history.db")) as history:
        history.record(Batch(changes=(change("1.0.0", at=1.0),)))
        (tmp_path / "copy").mkdir()
        for path in tmp_path.glob("history.db*"):
            shutil.copy(path, tmp_path / "copy")
    with History.open(str(tmp_path / "copy" / "history.db")) as copy:
        assert copy.states() == [state("1.0.0", at=1.0)]


def test_what_is_written_is_on_the_disk(tmp_path: Path) -> None:
    with (
        History.open(str(tmp_path / "history.db")) as history,
        history._database.writing() as writing,
    ):
        settings = {
            name: writing.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("synchronous", "journal_mode", "foreign_keys", "fullfsync")
        }
    assert settings == {
        "synchronous": 2,  # FULL
        "journal_mode": "wal",
        "foreign_keys": 1,
        "fullfsync": 1,
    }


def _limit(history: History, pages: int) -> None:
    _on_writer(history, f"PRAGMA max_page_count = {pages}")


def _on_writer(history: History, pragma: str) -> None:
    with history._database.writing() as writing:
        writing.execute(text(pragma))
