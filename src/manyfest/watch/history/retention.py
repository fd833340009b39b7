"""Forgetting what is old, a little at a time: whoever writes in between need not wait long."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import ColumnElement, Connection, Table, delete, select, tuple_

from manyfest.watch.history import tables
from manyfest.watch.history.database import Database

_AT_ONCE = 1000
"""Rows that go in one transaction, and pages that are given back: some milliseconds."""

_DAY = 86400.0

_DAYS_STAY = 400 * _DAY
"""A registry's days stay so many seconds longer than the rest: they are few, and show a year."""

_MOST_FREE = 0.25
"""Of a file, that stays empty for what is written next."""


def forget(database: Database, before: float, stopped: Callable[[], bool]) -> int:
    """Delete what is older than ``before``, in seconds since 1970; gives the number of rows. Ends
    early once it is ``stopped``.

    What is known of tags that are there stays, and so does what is open or waits.
    """
    gone = 0
    for table, is_old in _old(before):
        while not stopped():
            deleted = _in_turn(database, lambda it: _delete(it, table, is_old))  # noqa: B023
            gone += deleted
            if deleted < _AT_ONCE:
                break
    while not stopped() and _in_turn(database, _give_back):
        pass
    return gone


def _old(before: float) -> list[tuple[Table, ColumnElement[bool]]]:
    tags, notices, facts = tables.tags.c, tables.notices.c, tables.facts.c
    is_there = select(tags.id).where(tags.digest == facts.digest).exists()
    return [
        (tables.observations, tables.observations.c.at < before),
        (tables.events, tables.events.c.at < before),
        (tables.incidents, tables.incidents.c.ended < before),
        (tables.notices, notices.delivered_at < before),
        (tables.notices, notices.given_up_at < before),
        (tables.samples, tables.samples.c.start < before),
        (tables.days, tables.days.c.day < (before - _DAYS_STAY) // _DAY),
        (tables.tags, (tags.standing == "gone") & (tags.changed_at < before)),
        (tables.facts, (facts.read_at < before) & ~is_there),
    ]


def _in_turn(database: Database, work: Callable[[Connection], int]) -> int:
    """Do it in a transaction, and then leave others as much time as it took."""
    with database.writing() as connection:
        begun = time.monotonic()
        done = work(connection)
    time.sleep(time.monotonic() - begun)
    return done


def _delete(connection: Connection, table: Table, is_old: ColumnElement[bool]) -> int:
    columns = list(table.primary_key)
    key = columns[0] if len(columns) == 1 else tuple_(*columns)
    some = select(*columns).where(is_old).limit(_AT_ONCE)
    return connection.execute(delete(table).where(key.in_(some))).rowcount


def _give_back(connection: Connection) -> int:
    """Make SQLite's file smaller, if much of it is empty; PostgreSQL sees to that by itself. Gives
    the number of pages."""
    if connection.dialect.name != "sqlite":
        return 0
    free = _pragma(connection, "freelist_count")
    if free <= _MOST_FREE * _pragma(connection, "page_count"):
        return 0
    connection.exec_driver_sql(f"PRAGMA incremental_vacuum({_AT_ONCE})").close()
    return free - _pragma(connection, "freelist_count")


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
