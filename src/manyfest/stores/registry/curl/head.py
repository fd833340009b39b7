"""Puts together the head of an answer from the header lines that libcurl hands out."""

from __future__ import annotations

from manyfest.errors import ConnectionFailed
from manyfest.stores.registry.headers import Headers, is_field

_LARGEST_HEAD = 64 * 1024


class ResponseHead:
    """The status and the header fields, as they come in.

    Interim answers (100, 103) are dropped, and so are the trailers after a body.
    """

    def __init__(self, *, where: str) -> None:
        self.status = 0
        self.complete = False
        self._where = where
        self._fields: list[tuple[str, str]] = []
        self._bytes = 0

    @property
    def headers(self) -> Headers:
        return Headers(self._fields)

    def add(self, line: bytes) -> None:
        """One line; raises :class:`ConnectionFailed` if there are too many of them."""
        self._bytes += len(line)
        if self._bytes > _LARGEST_HEAD:
            raise ConnectionFailed(
                f"the answer's headers are longer than {_LARGEST_HEAD} bytes", where=self._where
            )
        text = line.decode("latin-1").rstrip("\r\n")
        if text.startswith("HTTP/"):
            self._begin(text)
        elif not text:
            self.complete = self.status >= 200
        elif not self.complete:
            self._add_field(text)

    def _begin(self, status_line: str) -> None:
        code = status_line.split(" ", 2)[1:2]
        self.status = int(code[0]) if code and code[0].isdecimal() else 0
        self.complete = False
        self._fields.clear()

    def _add_field(self, text: str) -> None:
        name, _, value = text.partition(":")
        if is_field(name, value.strip()):
            self._fields.append((name, value.strip()))
