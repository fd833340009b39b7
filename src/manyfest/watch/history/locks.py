"""One process writes a history: a second one is refused, and a killed one holds nothing."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from sqlalchemy import Connection, text

from manyfest.errors import HistoryError

_OURS = 0x6D66_7761
"""What tells our lock from those of other programs in the same database: ``mfwa``."""

PATIENCE = 3.0
"""Seconds. PostgreSQL may need a moment to see that the process that had the lock was killed."""

_PAUSE = 0.1


class FileLock:
    """Beside SQLite's file, as locks on that are SQLite's own. The system lets go of it when the
    process ends, however it does; the lock's file stays."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}-lock")
        self._file: int | None = None

    def take(self) -> bool:
        """Whether we have it now. Raises :class:`~manyfest.errors.HistoryError`."""
        if self._file is not None:
            return True
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HistoryError(
                f"cannot be written: {error.strerror}",
                where=str(self._path),
                mend="keep the history in a folder that the watch can write to",
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Let others have it. Harmless when repeated."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def take_in_server(connection: Connection, patience: float) -> bool:
    """Whether we have PostgreSQL's lock of this history, after ``patience`` seconds at most. The
    connection keeps it until it is closed or breaks: what is written over this one is written by
    whoever has the lock."""
    deadline = time.monotonic() + patience
    while not _asked(connection, "pg_try_advisory_lock"):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def release_in_server(connection: Connection) -> None:
    """Let others have it, and keep the connection."""
    _asked(connection, "pg_advisory_unlock")


def _asked(connection: Connection, function: str) -> bool:
    with connection.begin():
        asked = text(f"SELECT {function}(:ours, hashtext(current_schema()))")
        return bool(connection.scalar(asked, {"ours": _OURS}))
