"""The connections to one database: one that writes, and those that read."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Connection, Engine, NullPool, StaticPool, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from manyfest.errors import HistoryError, HistoryInUse, UsageError
from manyfest.watch.history.faults import told
from manyfest.watch.history.locks import PATIENCE, FileLock, release_in_server, take_in_server
from manyfest.watch.history.migrate import migrate, require_current

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection

    from manyfest.watch.history.address import Address

_READERS = 8
"""Connections that stay open; more come and go."""
_MORE_READERS = 32

_PRAGMAS = (
    "PRAGMA busy_timeout = 10000",  # milliseconds
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = FULL",  # what is written is on the disk, whatever fails then
    "PRAGMA fullfsync = ON",  # where a disk says so too early
    "PRAGMA cache_size = -1000",  # kilobytes, for each of those that read
)

_PRAGMAS_OF_FILE = (
    "PRAGMA journal_size_limit = 67108864",  # what a large transaction took is given back
    "PRAGMA auto_vacuum = INCREMENTAL",  # before there is any table
    "PRAGMA journal_mode = WAL",  # pages are read while the watch writes
    "PRAGMA cache_size = -8000",
)


class Database:
    """Opened by :meth:`open`. Any thread may read, and write: one at a time does."""

    def __init__(self, address: Address, *, alone: bool) -> None:
        self.name = address.name
        self._address = address
        self._alone = alone
        self._file_lock = FileLock(address.path) if address.path else None
        self.engine = _engine(address, is_writing=False)
        """For those that read."""
        in_memory = address.is_file and not address.path
        self._writing_engine = self.engine if in_memory else _engine(address, is_writing=True)
        self._turn = threading.RLock()
        self._writer: Connection | None = None
        self._closed = False

    @classmethod
    def open(cls, address: Address, *, alone: bool) -> Self:
        """Open it, and bring its tables up to date.

        ``alone``: no other process may write. Without, one may be beside a process that has it to
        itself, and the tables must be as we know them then. Raises as
        :meth:`~manyfest.watch.history.history.History.open` does.
        """
        database = cls(address, alone=alone)
        try:
            database._prepare()
        except BaseException:
            database.close()
            raise
        return database

    def close(self) -> None:
        """Let go of all connections, and of the lock. Harmless when repeated."""
        with self._turn:
            self._closed = True
            self._let_go()
            for engine in {self.engine, self._writing_engine}:
                engine.dispose()
            if self._file_lock:
                self._file_lock.release()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the database all along."""
        with told(self.name), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction: all that is done within is written at the end, or none of it."""
        with self._turn, told(self.name):
            connection = self._writer or self._connect()
            try:
                with connection.begin():
                    yield connection
            except BaseException:
                if connection.invalidated or not _rolled_back(connection):
                    self._let_go()
                raise

    def _prepare(self) -> None:
        if self._address.path:
            _make(self._address.path)
        with self._turn, told(self.name):
            connection = self._connect()
            has_lock = self._alone or self._take_lock(connection)
        with self.writing() as connection:
            (migrate if has_lock else require_current)(connection, self.name)
        if has_lock and not self._alone:
            with self._turn, told(self.name):
                self._release_lock()

    def _connect(self) -> Connection:
        """The connection that writes. Where one has to be alone it has the lock, again if it was
        lost with the connection before."""
        if self._closed:
            raise HistoryError("is closed", where=self.name)
        connection = self._writing_engine.connect()
        try:
            self._require_lock(connection)
        except BaseException:
            _close(connection)
            raise
        self._writer = connection
        return connection

    def _require_lock(self, connection: Connection) -> None:
        if self._alone and not self._take_lock(connection):
            raise HistoryInUse(
                "another process has it open",
                where=self.name,
                mend="stop that one, or give each watch a database of its own",
            )

    def _take_lock(self, connection: Connection) -> bool:
        if self._file_lock:
            return self._file_lock.take()
        patience = PATIENCE if self._alone else 0.0
        return self._address.is_file or take_in_server(connection, patience)

    def _release_lock(self) -> None:
        if self._file_lock:
            self._file_lock.release()
        elif self._writer and not self._address.is_file:
            release_in_server(self._writer)

    def _let_go(self) -> None:
        if self._writer is not None:
            _close(self._writer)
            self._writer = None


def _close(connection: Connection) -> None:
    """Let go of one that may be of no use any more."""
    with suppress(SQLAlchemyError):
        connection.close()


def _rolled_back(connection: Connection) -> bool:
    """Whether it can go on: SQLAlchemy leaves a transaction open whose commit failed."""
    try:
        connection.connection.rollback()
    except connection.dialect.loaded_dbapi.Error:
        return False
    return True


def _engine(address: Address, *, is_writing: bool) -> Engine:
    """Errors of it do not show what was written: that is not for logs."""
    if address.is_file:
        return _engine_of_file(address, is_writing=is_writing)
    try:
        if is_writing:
            return create_engine(address.url, hide_parameters=True, poolclass=NullPool)
        return create_engine(
            address.url,
            hide_parameters=True,
            isolation_level="REPEATABLE READ",
            pool_pre_ping=True,
            pool_size=_READERS,
            max_overflow=_MORE_READERS,
        )
    except ImportError:
        raise UsageError(
            "PostgreSQL is spoken to by psycopg, which is not installed",
            mend="pip install 'manyfest[postgresql]'",
        ) from None


def _engine_of_file(address: Address, *, is_writing: bool) -> Engine:
    pool: dict[str, Any] = {"pool_size": _READERS, "max_overflow": _MORE_READERS}
    if is_writing:
        pool = {"poolclass": NullPool}
    elif not address.path:
        pool = {"poolclass": StaticPool}
    engine = create_engine(
        address.url, hide_parameters=True, connect_args={"check_same_thread": False}, **pool
    )
    pragmas = (*_PRAGMAS, *_PRAGMAS_OF_FILE) if is_writing else _PRAGMAS
    # A transaction that will write says so at once: it could not after another one has written.
    begin = "BEGIN IMMEDIATE" if is_writing else "BEGIN"

    def connected(connection: DBAPIConnection, _record: object) -> None:
        connection.isolation_level = None  # sqlite3 begins no transactions of its own
        for pragma in pragmas:
            connection.execute(pragma).close()

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _make(path: Path) -> None:
    """The file, for nobody else's eyes."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise HistoryError(
            f"the file cannot be made: {error.strerror}",
            where=str(path),
            mend="name a file in a folder that the watch can write to",
        ) from None
