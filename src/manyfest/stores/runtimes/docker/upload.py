"""A stream of images into Docker's daemon, and what it says to that."""

from __future__ import annotations

from http.client import HTTPConnection

import msgspec

from manyfest.errors import ConnectionFailed, StoreError
from manyfest.stores.runtimes.docker.connection import (
    MAX_ANSWER,
    MAX_MESSAGE,
    raise_for_status,
    told_as_errors,
)


class Upload:
    """A body of unknown length on its way (RFC 9112, "Chunked Transfer Coding").

    What goes wrong raises :class:`~manyfest.errors.ConnectionFailed`, and what the daemon says
    against it :class:`~manyfest.errors.StoreError`.
    """

    def __init__(self, connection: HTTPConnection, path: str, *, where: str) -> None:
        self._connection = connection
        self._where = where
        with told_as_errors(where):
            connection.putrequest("POST", path)
            connection.putheader("Content-Type", "application/x-tar")
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()

    def write(self, data: bytes, /) -> None:
        """Send bytes."""
        if data:  # an empty chunk would be the end
            self._send(b"%x\r\n" % len(data), data, b"\r\n")

    def finish(self) -> None:
        """Send the end, and wait until all of it was taken."""
        self._send(b"0\r\n\r\n")
        self._read_answer()

    def _send(self, *parts: bytes) -> None:
        with told_as_errors(self._where):
            try:
                for part in parts:
                    self._connection.send(part)
            except (BrokenPipeError, ConnectionResetError):
                self._read_answer()  # it takes no more, and has said why
                raise ConnectionFailed("it did not take all of it", where=self._where) from None

    def _read_answer(self) -> None:
        """Progress, and at any point in it the one error that ends it: a JSON object a line."""
        with told_as_errors(self._where), self._connection.getresponse() as response:
            raise_for_status(response, self._where)
            while line := response.readline(MAX_ANSWER):
                error = _error_in(line)
                if error:
                    raise StoreError(error[:MAX_MESSAGE], where=self._where)


class _Line(msgspec.Struct, frozen=True):
    error: str = ""


def _error_in(line: bytes) -> str:
    if not line.strip():
        return ""
    try:
        return msgspec.json.decode(line, type=_Line).error
    except msgspec.DecodeError:
        return f"it answers {line[:MAX_MESSAGE]!r}"
