"""How a blob gets into a registry (OCI distribution specification, "Pushing Blobs").

One POST begins an upload, one PUT carries the bytes. A registry, or what stands before it, that
refuses so large a body gets it in chunks. An upload that broke off is begun again: a failed PUT
says nothing about what arrived.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from manyfest.errors import AccessDenied, ConnectionFailed, RegistryError
from manyfest.oci.descriptor import Descriptor
from manyfest.stores.base import Content, Reader
from manyfest.stores.registry.addresses import Place, redirect_places
from manyfest.stores.registry.answers import expect
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import (
    Body,
    Origin,
    Request,
    Response,
    check_place,
    place_of_answer,
)
from manyfest.stores.registry.redirects import resolve_location
from manyfest.stores.registry.retry import RetryPolicy, retry_delay

ATTEMPTS = 3
"""Uploads of one blob that are begun before giving up; each PUT is not repeated by itself."""

CHUNK_BYTES = 64 * 1024 * 1024
"""Bytes of one chunk: under the 100 MiB that some front ends allow a request."""

_BINARY = ("Content-Type", "application/octet-stream")
_CREATED = frozenset({201, 204})
_ACCEPTED = frozenset({201, 202, 204})
"""Of a chunk. The specification says 202; ECR says 201."""

_LOST = 404
_OUT_OF_STEP = 416
_TOO_LARGE = 413
_POLICY = RetryPolicy(attempts=ATTEMPTS)

Send = Callable[[Request], Response]


@dataclass(frozen=True, slots=True)
class Session:
    """An upload under way: its address, the scopes that are asked for it, and the kinds of
    address it may lead to (``None`` for the registry itself)."""

    url: str
    scopes: tuple[str, ...] = ()
    places: frozenset[Place] | None = None


class Uploader:
    """Uploads to one repository, ``where``, whose uploads begin at ``url``."""

    def __init__(
        self,
        send: Send,
        url: str,
        *,
        scopes: tuple[str, ...],
        where: str,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._send = send
        self._start = Session(url, scopes)
        self._where = where
        self._sleep = sleep
        self._jitter = jitter

    def mount(self, descriptor: Descriptor, repository: str, scope: str) -> Session | bool:
        """Take the blob over from ``repository`` of the same registry.

        ``True`` if that worked; else the upload that the registry began instead, or ``False`` if
        it began none.
        """
        query = urlencode({"mount": str(descriptor.digest), "from": repository}, safe=":/")
        scopes = (*self._start.scopes, scope)
        request = _request("POST", Session(f"{self._start.url}?{query}", scopes))
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

    def upload(self, content: Content, session: Session | None = None) -> None:
        """Send the blob; ``session`` is an upload that was begun already.

        Raises :class:`~manyfest.errors.DigestMismatch` if the registry got other bytes.
        """
        attempt = 1
        while True:
            outcome = self._try(content, session or self._begin())
            delay = _delay(attempt, outcome, self._jitter())
            if delay is None:
                break
            if isinstance(outcome, Response):
                outcome.close()
            self._sleep(delay)
            session = None
            attempt += 1
        if isinstance(outcome, ConnectionFailed):
            raise outcome
        doing = f"the upload of {content.descriptor.digest}"
        expect(outcome, *_CREATED, doing=doing, where=self._where).close()

    def cancel(self, session: Session) -> None:
        """Tell the registry that an upload will not go on."""
        self._send(_request("DELETE", session)).close()

    def _try(self, content: Content, session: Session) -> Response | ConnectionFailed:
        try:
            response = self._whole(content, session)
            if response.status == _TOO_LARGE and content.descriptor.size > CHUNK_BYTES:
                response.close()
                response = self._in_chunks(content, self._begin())
        except ConnectionFailed as error:
            return error
        return response

    def _whole(self, content: Content, session: Session) -> Response:
        body = Body(content.descriptor.size, content.open)
        return self._send(_request("PUT", _closing(session, content.descriptor), body=body))

    def _in_chunks(self, content: Content, session: Session) -> Response:
        """The answer that ends the upload, or the first that refuses a chunk."""
        descriptor = content.descriptor
        with closing(content.open()) as reader:
            for start in range(0, descriptor.size, CHUNK_BYTES):
                part = _Part(reader, min(CHUNK_BYTES, descriptor.size - start))
                request = _request("PATCH", session, part.fields(start), body=part.body())
                answer = self._send(request)
                if answer.status not in _ACCEPTED:
                    return answer
                with answer:
                    session = self._session(request, answer)
        return self._send(_request("PUT", _closing(session, descriptor)))

    def _begin(self) -> Session:
        request = _request("POST", self._start)
        response = self._send(request)
        if response.status == _LOST:
            response.close()
            raise RegistryError(
                "the registry has no such repository",
                where=self._where,
                mend="make it first, or check its name: this registry does not make it by itself",
                status=response.status,
            )
        with expect(response, 202, doing="an upload", where=self._where):
            return self._session(request, response)

    def _session(self, request: Request, response: Response) -> Session:
        """Where the upload goes on. Another host gets the bytes, but no credentials
        (CVE-2026-50151), and must be one that a redirect could lead to."""
        location = response.headers.get("Location")
        if not location:
            raise RegistryError(
                "the registry began an upload without a Location", where=self._where
            )
        url = resolve_location(response.url or request.url, location)
        if Origin.of(url) == Origin.of(self._start.url):
            return Session(url, self._start.scopes)
        places = request.places or redirect_places(place_of_answer(response))
        elsewhere = Session(url, (), places)
        check_place(_request("PUT", elsewhere), Origin.of(url).host)
        return elsewhere


class _Part:
    """The next ``size`` bytes of a reader that goes on after them."""

    def __init__(self, reader: Reader, size: int) -> None:
        self._reader = reader
        self._size = size
        self._left = size

    def fields(self, start: int) -> tuple[tuple[str, str], ...]:
        """The header fields of the chunk that begins at ``start``."""
        return (("Content-Range", f"{start}-{start + self._size - 1}"),)

    def body(self) -> Body:
        """The chunk, to be sent once."""
        return Body(self._size, lambda: self)

    def read(self, size: int, /) -> bytes:
        chunk = self._reader.read(min(size, self._left)) if self._left else b""
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        """The reader is used for the next part."""


def with_digest(location: str, descriptor: Descriptor) -> str:
    """The address that ends an upload. Whatever query the registry put there is kept as it is."""
    separator = "&" if urlsplit(location).query else "?"
    return f"{location}{separator}digest={quote(str(descriptor.digest), safe=':')}"


def _closing(session: Session, descriptor: Descriptor) -> Session:
    return Session(with_digest(session.url, descriptor), session.scopes, session.places)


def _request(
    method: str,
    session: Session,
    fields: tuple[tuple[str, str], ...] = (),
    *,
    body: Body | bytes = b"",
) -> Request:
    """A request of an upload. What adds to one is not repeated by itself."""
    adds = method in ("PATCH", "PUT")
    return Request(
        method=method,
        url=session.url,
        headers=Headers((_BINARY, *fields) if adds else fields),
        body=body,
        repeatable=not adds,
        scopes=session.scopes,
        follow=False,
        places=session.places,
    )


def _delay(attempt: int, outcome: Response | ConnectionFailed, jitter: float) -> float | None:
    """Seconds until the upload is begun again, or ``None`` to leave it at ``outcome``."""
    if isinstance(outcome, Response) and outcome.status in (_LOST, _OUT_OF_STEP):
        # The session is gone: forgotten in a restart, or unknown to the machine that answered.
        outcome = ConnectionFailed("the upload was forgotten")
    return retry_delay(attempt, outcome, now=time.time(), jitter=jitter, policy=_POLICY)
