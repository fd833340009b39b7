"""Rows that are written over those that have the same key."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

Rows = Sequence[Mapping[str, Any]]


def upsert(
    connection: Connection,
    table: Table,
    keys: Collection[str],
    rows: Rows,
    *,
    kept: Collection[str] = (),
) -> None:
    """Add rows, all with the same columns, or change those that have the same ``keys``; of what
    they have in the columns ``kept``, nothing changes then."""
    if rows:
        changed = tuple(name for name in rows[0] if name not in {*keys, *kept})
        connection.execute(_adding(connection.dialect.name, table, tuple(keys), changed), rows)


@lru_cache(maxsize=64)
def _adding(dialect: str, table: Table, keys: tuple[str, ...], changed: tuple[str, ...]) -> Insert:
    """Made once: to make it takes longer than to execute it."""
    adding = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    values = {name: adding.excluded[name] for name in changed}
    made: Insert = adding.on_conflict_do_update(index_elements=keys, set_=values)
    return made
