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
        self._fields: list[bytes] = []
        self._bytes = 0

    @property
    def headers(self) -> Headers:
        """Those that may be fields of a message; others are left out."""
        return Headers.checked(filter(None, map(_field, self._fields)))

    def add(self, line: bytes) -> None:
        """One line; raises :class:`ConnectionFailed` if there are too many of them."""
        self._bytes += len(line)
        if self._bytes > _LARGEST_HEAD:
            raise ConnectionFailed(
                f"the answer's headers are longer than {_LARGEST_HEAD} bytes", where=self._where
            )
        if line.startswith(b"HTTP/"):
            self._begin(line)
        elif line[:1] in (b"\r", b"\n"):
            self.complete = self.status >= 200
        elif not self.complete:
            self._fields.append(line)

    def _begin(self, status_line: bytes) -> None:
        code = status_line.split(None, 2)[1:2]
        self.status = int(code[0]) if code and code[0].isdigit() else 0
        self.complete = False
        self._fields.clear()


def _field(line: bytes) -> tuple[str, str] | None:
    name, _, value = line.decode("latin-1").partition(":")
    value = value.strip()
    return (name, value) if is_field(name, value) else None
