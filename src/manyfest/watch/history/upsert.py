"""Rows that are written over those that have the same key."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
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
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    adding = dialect.insert(table)
    changed = {name: adding.excluded[name] for name in rows[0] if name not in {*keys, *kept}}
    connection.execute(adding.on_conflict_do_update(index_elements=keys, set_=changed), rows)
