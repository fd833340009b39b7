"""The history: what was seen, what is known, what is told, and who may see to it.

It is one database, which one watch writes. What is acknowledged is on the disk; what is not was
not written, or may be written again without being there twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Self

import msgspec
from sqlalchemy import Connection, Engine, Select, delete, select, update

from manyfest.watch.health.values import RegistryState
from manyfest.watch.history import address, recording, retention, tables
from manyfest.watch.history.batch import Batch, WasListed, WasRead
from manyfest.watch.history.database import Database
from manyfest.watch.history.facts import was_read
from manyfest.watch.history.images import Images
from manyfest.watch.history.lists import was_listed
from manyfest.watch.history.notices import Notices
from manyfest.watch.history.people import People
from manyfest.watch.values import Incident, TagState

_AT_ONCE = 500
"""Rows in memory while all are read."""

_tag_state = msgspec.json.Decoder(TagState)
_registry_state = msgspec.json.Decoder(RegistryState)


class History:
    """Opened by :meth:`open`, and closed; threads may share it. One of them writes at a time, and
    any number reads meanwhile.

    What it does raises :class:`~manyfest.errors.HistoryError`, and its kind
    :class:`~manyfest.errors.HistoryAway` where the same may be tried again: the next try connects
    anew.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recording = threading.Lock()
        self._settled = ""
        self.notices = Notices(database)
        self.images = Images(database)
        self.people = People(database)

    @classmethod
    def open(cls, url: str, *, alone: bool = True) -> Self:
        """The history at ``url``: the path of a file, ``sqlite:///FILE``, or
        ``postgresql://USER:PASSWORD@HOST/DATABASE``. What is not there is made, and older tables
        are brought up to date.

        A watch has it ``alone``; a command that only adds a user need not.

        Raises :class:`~manyfest.errors.UsageError` for what is no such URL or a missing driver,
        :class:`~manyfest.errors.HistoryInUse` if another watch has it, and otherwise
        :class:`~manyfest.errors.HistoryError`.
        """
        history = cls(Database.open(address.parse(url), alone=alone))
        if alone:
            try:
                history._begin()
            except BaseException:
                history.close()
                raise
        return history

    def close(self) -> None:
        """Let go of it. Harmless when repeated."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """Where it is, for people: no password is in it."""
        return self._database.name

    @property
    def engine(self) -> Engine:
        """For those that read; :meth:`reading` tells errors as the rest does."""
        return self._database.engine

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection to read with, which sees one state of the history all along."""
        return self._database.reading()

    def record(self, batch: Batch) -> None:
        """Write the batch, all of it or nothing. When this returns it is on the disk.

        After :class:`~manyfest.errors.HistoryAway` nobody may know: record the same batch again,
        and it is there once.
        """
        with self._recording:
            with self._database.writing() as connection:
                if self._settled != batch.key:
                    recording.drop_key(connection, self._settled)
                recording.write(connection, batch)
            self._settled = batch.key

    def states(self) -> list[TagState]:
        """What is known of all tags, also of images that are not watched any more."""
        query = select(tables.tags.c.state).order_by(tables.tags.c.id)
        with self._database.reading() as connection:
            return [_tag_state.decode(state) for state in _streamed(connection, query)]

    def registry_states(self) -> list[RegistryState]:
        """What is known of all registries."""
        query = select(tables.registries.c.state).order_by(tables.registries.c.name)
        with self._database.reading() as connection:
            return [_registry_state.decode(state) for state in _streamed(connection, query)]

    def open_incidents(self) -> list[Incident]:
        """Those that have not ended, the first first."""
        table = tables.incidents
        columns = [table.c[name] for name in Incident.__struct_fields__]
        query = select(*columns).where(table.c.ended.is_(None)).order_by(table.c.id)
        with self._database.reading() as connection:
            return [Incident(**row) for row in connection.execute(query).mappings()]

    def facts_read(self) -> list[WasRead]:
        """Of what the facts are known."""
        return was_read(self._database)

    def lists_read(self) -> list[WasListed]:
        """By which choice of tags each repository was listed last."""
        return was_listed(self._database)

    def acknowledge(self, incident: int, by: str, at: float) -> bool:
        """Note who saw the incident with this number, and when; the first to do so stays. Says
        whether there is one."""
        table = tables.incidents
        is_it = table.c.id == incident
        seen = update(table).where(is_it, table.c.acknowledged_at.is_(None))
        with self._database.writing() as connection:
            connection.execute(seen.values(acknowledged_at=at, acknowledged_by=by))
            return connection.scalar(select(table.c.id).where(is_it)) is not None

    def forget(self, before: float, *, stopped: Callable[[], bool] = lambda: False) -> int:
        """Delete what is older than ``before``; gives the number of rows. It takes many short
        transactions, with pauses for others between them, and ends early once it is ``stopped``.

        What is known of tags that are there stays, and so does what is open or waits.
        """
        return retention.forget(self._database, before, stopped)

    def _begin(self) -> None:
        """Nobody asks any more what came of the batches of whoever had it before."""
        with self._database.writing() as connection:
            connection.execute(delete(tables.batches))


def _streamed(connection: Connection, query: Select[bytes]) -> Iterator[bytes]:
    """A column, of which only some rows are in memory at a time."""
    yield from connection.execute(query.execution_options(yield_per=_AT_ONCE)).scalars()
