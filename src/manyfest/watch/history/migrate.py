"""Bringing a database's tables up to date, by Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from manyfest.errors import HistoryError
from manyfest.watch.history.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

VERSION_TABLE = "manyfest_schema"
"""Our own name for Alembic's table, as other programs may have theirs in the same database."""

STEPS = Path(__file__).parent / "migrations"


def migrate(connection: Connection, where: str) -> None:
    """Take all steps that the database has not taken yet, within the connection's transaction.

    Raises :class:`~manyfest.errors.HistoryError` for a database that a newer manyfest made, and
    for one that has tables of another program under our names.
    """
    config = Config()
    config.set_main_option("script_location", str(STEPS).replace("%", "%%"))
    config.attributes["connection"] = connection
    present = _present(connection)
    _refuse_newer(present, ScriptDirectory.from_config(config), where)
    taken = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
    if taken and not present:
        raise HistoryError(
            f"the database has a table {taken[0]!r} that is not the watch's",
            where=where,
            mend="give the watch a database of its own",
        )
    command.upgrade(config, "head")


def require_current(connection: Connection, where: str) -> None:
    """Raise :class:`~manyfest.errors.HistoryError` unless all steps were taken, and no others."""
    script = ScriptDirectory(str(STEPS))
    present = _present(connection)
    _refuse_newer(present, script, where)
    if set(present) != set(script.get_heads()):
        raise HistoryError(
            "an older manyfest has it open",
            where=where,
            mend="restart the watch with this version first",
        )


def _present(connection: Connection) -> tuple[str, ...]:
    options = {"version_table": VERSION_TABLE}
    return MigrationContext.configure(connection, opts=options).get_current_heads()


def _refuse_newer(present: tuple[str, ...], script: ScriptDirectory, where: str) -> None:
    known = {each.revision for each in script.walk_revisions()}
    if strange := sorted(set(present) - known):
        raise HistoryError(
            f"a newer manyfest made it (schema {strange[0][:20]})",
            where=where,
            mend="run that version, or put back a copy from before",
        )
