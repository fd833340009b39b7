"""The body of a request, as libcurl asks for it."""

from __future__ import annotations

from manyfest.errors import ConnectionFailed, ContentError
from manyfest.stores.base import Reader
from manyfest.stores.registry.http import Body, BytesReader, Request


class Upload:
    """Opens the body when its first byte is wanted, and again when libcurl starts over, as it
    does when a connection that was kept open turns out to be dead."""

    def __init__(self, request: Request) -> None:
        body = request.body if request.body is not None else b""
        self.sent = 0
        self._ended = False
        self._body = (
            Body(size=len(body), open=lambda: BytesReader(body))
            if isinstance(body, bytes)
            else body
        )
        self._repeatable = request.repeatable
        self._where = str(request.origin)
        self._reader: Reader | None = None

    @property
    def is_sent(self) -> bool:
        """Whether all of it was handed over; of an unknown size, whether its end was seen."""
        return self._ended or self.sent == self._body.size

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; raises :class:`ContentError` if the body ends too early."""
        if self._reader is None:
            self._reader = self._body.open()
        chunk = self._reader.read(size)
        self.sent += len(chunk)
        self._ended = not chunk
        if not chunk and self._body.size is not None and self.sent < self._body.size:
            raise ContentError(
                f"what is sent ends after {self.sent} of {self._body.size} bytes", where=self._where
            )
        return chunk

    def rewind(self) -> None:
        """Begin again with the first byte; raises :class:`ConnectionFailed` if the request may not
        be repeated."""
        if not self._repeatable:
            raise ConnectionFailed("the connection broke off", where=self._where)
        self.close()
        self.sent = 0
        self._ended = False

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
