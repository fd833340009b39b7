"""A blob, or a part of it, asked for by its bytes (RFC 9110, section 14)."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from manyfest.errors import RegistryError
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.registry.answers import expect
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import LARGEST_SMALL, Request, Response

_CONTENT_RANGE = r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)"
_PART = 206
_BEYOND_ITS_END = 416


class Blob(Struct, frozen=True, kw_only=True):
    """Where a blob lies in a registry, and how it is asked for. ``where`` is for messages."""

    send: Callable[[Request], Response]
    url: str
    scopes: tuple[str, ...]
    descriptor: Descriptor
    where: str

    @property
    def size(self) -> int:
        """In bytes, as its descriptor promises."""
        return self.descriptor.size

    def whole(self) -> Response:
        """All of it. Raises what :func:`~manyfest.stores.registry.answers.expect` raises."""
        return self._expect(self.send(self._request()), 200)

    def rest(self, start: int, end: int | None = None) -> tuple[Response, int]:
        """From ``start`` up to ``end``, or to its end; and how many bytes to pass over first.

        A registry that does not know of ranges answers with the whole. Raises
        :class:`RegistryError` for an answer that is neither.
        """
        response = self.send(_ranged(self._request(), start, end))
        if response.status == 200:
            return response, start
        return self._part(response, start, end), 0

    def part(self, start: int, end: int, given_up: Callable[[], bool]) -> Response:
        """These bytes and no others, if there is a place to spare for the request."""
        request = replace(self._request(), repeatable=False, spare=True, given_up=given_up)
        return self._part(self.send(_ranged(request, start, end)), start, end)

    def _request(self) -> Request:
        return Request(
            method="GET", url=self.url, scopes=self.scopes, bulk=self.size > LARGEST_SMALL
        )

    def _part(self, response: Response, start: int, end: int | None) -> Response:
        if response.status == _BEYOND_ITS_END:
            response.close()
            raise self._nonsense(f"has nothing from byte {start} on", response.status)
        self._expect(response, _PART)
        stated = response.headers.get("Content-Range")
        if not self._is_asked_for(stated, start, end):
            response.close()
            raise self._nonsense(f"answers with the bytes {stated[:80]!r} instead", _PART)
        return response

    def _is_asked_for(self, stated: str, start: int, end: int | None) -> bool:
        """Whether ``Content-Range`` begins at ``start`` and stays within what was asked for."""
        found = re.fullmatch(_CONTENT_RANGE, stated, re.IGNORECASE)
        if found is None or found[3] not in ("*", str(self.size)):
            return False
        return int(found[1]) == start <= int(found[2]) < (end or self.size)

    def _nonsense(self, what: str, status: int) -> RegistryError:
        return RegistryError(
            f"asked to go on with {self.descriptor.digest}, the registry {what}",
            where=self.where,
            mend="try again; if it stays so, the registry's copy is damaged",
            status=status,
        )

    def _expect(self, response: Response, status: int) -> Response:
        doing = f"the blob {self.descriptor.digest}"
        return expect(response, status, doing=doing, where=self.where)


def _ranged(request: Request, start: int, end: int | None) -> Request:
    last = "" if end is None else end - 1
    return replace(request, headers=Headers({"Range": f"bytes={start}-{last}"}))


def takes_ranges(response: Response) -> bool:
    """Whether who answered says that it can be asked for parts."""
    stated = ",".join(response.headers.get_all("Accept-Ranges")).lower()
    return response.status == _PART or "bytes" in stated
