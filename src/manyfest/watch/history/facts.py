"""What versions consist of, by the digest of their index: what that stands for never changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.json import encode
from sqlalchemy import Connection, select

from manyfest.watch.history import tables
from manyfest.watch.history.batch import WasRead
from manyfest.watch.history.database import Database
from manyfest.watch.history.upsert import upsert
from manyfest.watch.values import Facts

_FACTS = tables.facts.c


def write(connection: Connection, facts: Iterable[Facts]) -> None:
    """Keep these, in the place of what was read of the same digests before."""
    rows: dict[str, dict[str, Any]] = {each.digest: _row(each) for each in facts}
    upsert(connection, tables.facts, ("digest",), list(rows.values()))


def was_read(database: Database) -> list[WasRead]:
    """What need not be read again."""
    query = select(_FACTS.digest, _FACTS.read_at, _FACTS.is_last)
    with database.reading() as connection:
        return [WasRead(*row) for row in connection.execute(query)]


def _row(facts: Facts) -> dict[str, Any]:
    return {
        "digest": facts.digest,
        "facts": encode(facts),
        "read_at": facts.read_at,
        "is_last": facts.is_last,
    }
