"""How a blob gets into a registry (OCI distribution specification, "Pushing Blobs").

One POST begins an upload, one PUT carries the bytes. A registry, or what stands before it, that
refuses so large a body gets it in chunks. An upload that broke off is begun again: a failed PUT
says nothing about what arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode, urlsplit

from manyfest.errors import AccessDenied, ConnectionFailed, RegistryError
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.base import Content, Reader
from manyfest.stores.registry.addresses import Place, redirect_places
from manyfest.stores.registry.answers import expect
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Body, Origin, Request, Response, place_of_answer
from manyfest.stores.registry.redirects import resolve_location

ATTEMPTS = 3
"""Uploads of one blob that are begun before giving up; each PUT is not repeated by itself."""

CHUNK_BYTES = 64 * 1024 * 1024
"""Bytes of one chunk: under the 100 MiB that some front ends allow a request."""

_BINARY = ("Content-Type", "application/octet-stream")
_TOO_LARGE = 413
_TRANSIENT = frozenset({500, 502, 503, 504})

Send = Callable[[Request], Response]


@dataclass(frozen=True, slots=True)
class Session:
    """An upload that was begun: where it goes on and, if that is another host, which kinds of
    address it may lead to. Another host gets the bytes, and none of the registry's credentials
    (CVE-2026-50151)."""

    url: str
    places: frozenset[Place] | None


class Uploader:
    """Uploads to one repository, ``where``, whose uploads begin at ``url``."""

    def __init__(self, send: Send, url: str, *, scopes: tuple[str, ...], where: str) -> None:
        self._send = send
        self._url = url
        self._scopes = scopes
        self._where = where

    def mount(self, descriptor: Descriptor, repository: str, scope: str) -> bool | Session:
        """Take the blob over from ``repository`` of the same registry: whether that worked, or the
        upload that the registry began instead."""
        query = urlencode({"mount": str(descriptor.digest), "from": repository}, safe=":/")
        request = self._request("POST", f"{self._url}?{query}", scopes=(*self._scopes, scope))
        try:
            with self._send(request) as response:
                if response.status == 201:
                    return True
                if response.status == 202:
                    return self._session(request, response)
        except AccessDenied:
            pass  # no right to read the other repository: the bytes are sent after all
        # Docker Hub answers 400 to what it cannot mount; that is no reason to stop either.
        return False

    def upload(self, content: Content, begun: Session | None = None) -> None:
        """Send the blob, by the upload that was ``begun`` already if there is one.

        Raises :class:`~manyfest.errors.DigestMismatch` if the registry got other bytes.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._once(content, begun or self._begin())
            except (ConnectionFailed, RegistryError) as error:
                passing = isinstance(error, ConnectionFailed) or error.status in _TRANSIENT
                if attempt == ATTEMPTS or not passing:
                    raise
                begun = None
            else:
                return

    def cancel(self, session: Session) -> None:
        """Tell the registry that nothing more will come. Whether it minds does not matter."""
        self._send(self._request("DELETE", session, repeatable=False)).close()

    def _once(self, content: Content, session: Session) -> None:
        descriptor = content.descriptor
        doing = f"the upload of {descriptor.digest}"
        body = Body(descriptor.size, content.open)
        request = self._request(
            "PUT", ended(session, descriptor), (_BINARY,), body=body, repeatable=False
        )
        response = self._send(request)
        if response.status == _TOO_LARGE and descriptor.size > CHUNK_BYTES:
            response.close()
            self._in_chunks(content, self._begin())
            return
        with expect(response, 201, 204, doing=doing, where=self._where):
            pass

    def _in_chunks(self, content: Content, session: Session) -> None:
        descriptor = content.descriptor
        doing = f"the upload of {descriptor.digest} in chunks"
        with closing(content.open()) as reader:
            for start in range(0, descriptor.size, CHUNK_BYTES):
                size = min(CHUNK_BYTES, descriptor.size - start)
                fields = (_BINARY, ("Content-Range", f"{start}-{start + size - 1}"))
                chunk = _Part(reader, size)
                body = Body(size, lambda chunk=chunk: chunk)  # type: ignore[misc]
                request = self._request("PATCH", session, fields, body=body, repeatable=False)
                # The specification says 202; ECR says 201.
                answer = expect(self._send(request), 201, 202, 204, doing=doing, where=self._where)
                with answer:
                    session = self._session(request, answer)
        closing_request = self._request(
            "PUT", ended(session, descriptor), (_BINARY,), body=b"", repeatable=False
        )
        with expect(self._send(closing_request), 201, 204, doing=doing, where=self._where):
            pass

    def _begin(self) -> Session:
        request = self._request("POST", self._url)
        response = expect(self._send(request), 202, doing="an upload", where=self._where)
        with response:
            return self._session(request, response)

    def _session(self, request: Request, response: Response) -> Session:
        location = response.headers.get("Location")
        if not location:
            raise RegistryError(
                "the registry began an upload without a Location", where=self._where
            )
        url = resolve_location(response.url or request.url, location)
        stays = Origin.of(url) == Origin.of(self._url)
        return Session(url, None if stays else redirect_places(place_of_answer(response)))

    def _request(
        self,
        method: str,
        to: str | Session,
        fields: tuple[tuple[str, str], ...] = (),
        *,
        body: bytes | Body | None = None,
        repeatable: bool = True,
        scopes: tuple[str, ...] = (),
    ) -> Request:
        session = to if isinstance(to, Session) else Session(to, None)
        return Request(
            method=method,
            url=session.url,
            headers=Headers(fields),
            body=b"" if body is None else body,
            repeatable=repeatable,
            scopes=() if session.places else scopes or self._scopes,
            places=session.places,
            follow=False,
        )


class _Part:
    """The next ``size`` bytes of a reader that goes on after them."""

    def __init__(self, reader: Reader, size: int) -> None:
        self._reader = reader
        self._left = size

    def read(self, size: int, /) -> bytes:
        chunk = self._reader.read(min(size, self._left))
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        """The reader is used for the next part."""


def ended(session: Session, descriptor: Descriptor) -> Session:
    """Where an upload is ended. Whatever query the registry put there is kept as it is."""
    separator = "&" if urlsplit(session.url).query else "?"
    digest = quote(str(descriptor.digest), safe=":")
    return replace(session, url=f"{session.url}{separator}digest={digest}")
