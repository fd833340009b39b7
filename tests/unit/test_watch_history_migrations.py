"""The tables of a database are brought up to date, whatever made it."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from manyfest.errors import HistoryError
from manyfest.watch.history import migrate as migrating
from manyfest.watch.history.batch import Batch
from manyfest.watch.history.history import History
from manyfest.watch.history.migrate import STEPS, VERSION_TABLE
from manyfest.watch.history.tables import metadata
from tests.histories import change, state

_NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("tags", sa.Column("note", sa.Text()))
"""

_FAILING = _NEXT + "    raise ZeroDivisionError\n"


def test_the_steps_lead_to_the_tables_that_are_used(tmp_path: Path) -> None:
    with History.open(str(tmp_path / "history.db")) as history, history.reading() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_an_older_database_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _older(tmp_path)
    monkeypatch.setattr(migrating, "STEPS", _steps(tmp_path, _NEXT))
    with History.open(str(path)) as history:
        assert history.states() == [state("2.6.1", at=1.0)]
    assert "note" in _columns(path)
    History.open(str(path)).close()


def test_a_database_of_the_first_step_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        steps = shutil.copytree(STEPS, tmp_path / "migrations")
        (steps / "versions" / "0002_lists.py").unlink()
        patch.setattr(migrating, "STEPS", steps)
        path = _older(tmp_path)
    with History.open(str(path)) as history:
        assert history.states() == [state("2.6.1", at=1.0)]
        assert history.lists_read() == []


def test_a_newer_database_is_refused_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _older(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(migrating, "STEPS", _steps(tmp_path, _NEXT))
        History.open(str(path)).close()
    with pytest.raises(HistoryError) as caught:
        History.open(str(path))
    assert str(caught.value) == (
        f"{path}: a newer manyfest made it (schema 0003);"
        " run that version, or put back a copy from before"
    )
    assert "note" in _columns(path)


def test_a_step_that_fails_leaves_the_database_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _older(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(migrating, "STEPS", _steps(tmp_path, _FAILING))
        with pytest.raises(ZeroDivisionError):
            History.open(str(path))
    assert "note" not in _columns(path)
    with History.open(str(path)) as history:
        assert history.states() == [state("2.6.1", at=1.0)]


def test_a_command_beside_an_older_watch_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _older(tmp_path)
    with History.open(str(path)):
        monkeypatch.setattr(migrating, "STEPS", _steps(tmp_path, _NEXT))
        with pytest.raises(HistoryError, match="an older manyfest has it open"):
            History.open(str(path), alone=False)
    assert "note" not in _columns(path)


def test_each_step_follows_the_one_before() -> None:
    names = sorted(path.name[:4] for path in (STEPS / "versions").glob("[0-9]*.py"))
    assert names == [f"{number:04}" for number in range(1, len(names) + 1)]


def _older(folder: Path) -> Path:
    path = folder / "history.db"
    with History.open(str(path)) as history:
        history.record(Batch(changes=(change("2.6.1", at=1.0),)))
    return path


def _steps(folder: Path, next_one: str) -> Path:
    steps = folder / "migrations"
    shutil.copytree(STEPS, steps)
    (steps / "versions" / "0003_next.py").write_text(next_one)
    return steps


def _columns(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    try:
        return {row[1] for row in connection.execute("PRAGMA table_info(tags)")}
    finally:
        connection.close()
