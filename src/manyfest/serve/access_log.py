"""The access log: a line of JSON for each request.

Lines wait in memory until a thread writes them, so that a slow disk holds up nobody. The file is
opened anew when it was renamed or removed, as logrotate does.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import msgspec

from manyfest.errors import UsageError
from manyfest.oci.reference import STREAM
from manyfest.serve.observed import Exchange

_MOST_WAITING = 20_000
"""Lines. Those that come while so many wait are counted, and not kept."""

_LONGEST = 500
"""Characters of what a client sent."""


class Line(msgspec.Struct, frozen=True):
    """A request. Neither its query nor its header is here, so no password and no token is."""

    time: str
    id: str
    client: str
    user: str
    method: str
    path: str
    status: int
    received: int
    sent: int
    seconds: float
    agent: str


class AccessLog:
    """Writes to ``path``, or to standard output for ``-``."""

    def __init__(self, path: str, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._waiting: deque[Line] = deque()
        self._lost = 0
        self._file: BinaryIO | None = None
        self._writing = Lock()

    def open(self) -> None:
        """Begin. Raises :class:`~manyfest.errors.UsageError` if it cannot be written."""
        try:
            self._file = self._opened()
        except OSError as error:
            raise UsageError(
                f"the access log cannot be written: {error.strerror}", where=self._path
            ) from None

    def observe(self, exchange: Exchange) -> None:
        """Note a request."""
        if len(self._waiting) >= _MOST_WAITING:
            self._lost += 1
            return
        request = exchange.request
        self._waiting.append(
            Line(
                time=datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds"),
                id=request.id,
                client=exchange.client,
                user=request.user,
                method=request.method[:20],
                path=request.path[:_LONGEST],
                status=exchange.response.status,
                received=request.received,
                sent=exchange.sent,
                seconds=round(exchange.seconds, 6),
                agent=request.header("user-agent")[:_LONGEST],
            )
        )

    def flush(self) -> None:
        """Write what waits. Raises :class:`OSError`."""
        with self._writing:
            if self._file is None or self._is_elsewhere():
                self._shut()
                self._file = self._opened()
            lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
            lost, self._lost = self._lost, 0
            text = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
            if lost:
                text += msgspec.json.encode({"lost": lost}) + b"\n"
            if text:
                self._file.write(text)
                self._file.flush()

    def close(self) -> None:
        """Write what waits, and end. Raises :class:`OSError`."""
        try:
            self.flush()
        finally:
            self._shut()

    def _opened(self) -> BinaryIO:
        return sys.stdout.buffer if self._path == STREAM else Path(self._path).open("ab")

    def _shut(self) -> None:
        if self._file is not None and self._path != STREAM:
            self._file.close()
        self._file = None

    def _is_elsewhere(self) -> bool:
        """Whether another file has the name by now, or none."""
        if self._file is None or self._path == STREAM:
            return False
        try:
            named = os.stat(self._path)
        except OSError:
            return True
        own = os.fstat(self._file.fileno())
        return (named.st_dev, named.st_ino) != (own.st_dev, own.st_ino)
