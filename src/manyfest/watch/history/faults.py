"""What databases say of their troubles, as errors of ours: a line each, with nothing that was to be
written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection

from manyfest.errors import HistoryAway, HistoryError

_DAMAGED = "stop the watch, and put back a copy, or move the file away to begin anew"
_NO_SPACE = "make room; what is not written yet is written then"

_SQLITE: dict[int, HistoryError] = {
    sqlite3.SQLITE_FULL: HistoryAway("the disk is full", mend=_NO_SPACE),
    sqlite3.SQLITE_BUSY: HistoryAway("another program keeps it locked"),
    sqlite3.SQLITE_IOERR: HistoryAway("the disk cannot be read or written"),
    sqlite3.SQLITE_NOMEM: HistoryAway("there is not enough memory"),
    sqlite3.SQLITE_CANTOPEN: HistoryError(
        "the file cannot be opened or made", mend="it must be in a folder that can be written to"
    ),
    sqlite3.SQLITE_READONLY: HistoryError(
        "the file cannot be written to", mend="the watch must own it and its folder"
    ),
    sqlite3.SQLITE_PERM: HistoryError("the file may not be used", mend="see who owns it"),
    sqlite3.SQLITE_CORRUPT: HistoryError("the file is damaged", mend=_DAMAGED),
    sqlite3.SQLITE_NOTADB: HistoryError("the file is no database of SQLite's", mend=_DAMAGED),
}
"""By SQLite's primary result codes."""

_POSTGRESQL: dict[str, HistoryError] = {
    "53100": HistoryAway("the server's disk is full", mend=_NO_SPACE),
    "25006": HistoryAway("the server takes nothing: it is read-only"),
    "55P03": HistoryAway("another program keeps it locked"),
    "42501": HistoryError(
        "the user may not do this", mend="make the user the owner of the database"
    ),
    "XX": HistoryError("the server finds it damaged", mend="see the server's log"),
}
"""By SQLSTATE or its class."""

_PASSING = ("08", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE for what passes: connections, conflicts, resources, operators, the system."""


@contextmanager
def told(where: str) -> Iterator[None]:
    """Raise what SQLAlchemy raises within as :class:`~manyfest.errors.HistoryError`, or
    :class:`~manyfest.errors.HistoryAway` if it may pass. ``where`` names the history."""
    try:
        yield
    except SQLAlchemyError as error:
        raise _ours(error, where) from None


def _ours(error: SQLAlchemyError, where: str) -> HistoryError:
    if isinstance(error, NoConnection):
        return HistoryAway("too many pages are read at once", where=where)
    if not isinstance(error, DBAPIError):
        return HistoryError(f"a request went wrong: {_line(error)}", where=where)
    known = _known(error)
    return type(known)(known.what, where=where, mend=known.mend)


def _known(error: DBAPIError) -> HistoryError:
    its = error.orig
    if isinstance(its, sqlite3.Error):
        code = getattr(its, "sqlite_errorcode", 0) & 0xFF
        return _SQLITE.get(code) or HistoryError(f"SQLite says: {_line(its)}")
    state = str(getattr(its, "sqlstate", None) or "")
    known = _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])
    if known is not None:
        return known
    said = _line(its)
    if "FATAL:" in said:  # before there is a connection the server gives no SQLSTATE
        return HistoryAway(f"the server does not let us in: {said.partition('FATAL:')[2].strip()}")
    if error.connection_invalidated or not state or state[:2] in _PASSING:
        return HistoryAway(f"the database does not answer: {said}")
    return HistoryError(f"PostgreSQL says: {said}")


def _line(error: BaseException | None) -> str:
    """The first line of what was said: the rest shows statements and what they were given."""
    return str(error).partition("\n")[0].strip()[:200] or type(error).__name__
