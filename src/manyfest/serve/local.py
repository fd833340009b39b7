"""A registry with no network: requests go straight to the application, in this process.

The registry client takes it for a network, so the client and all that is built on it can be tried
against a real registry without a socket::

    transport = AppTransport(Registry(folder))
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from tempfile import SpooledTemporaryFile
from typing import IO
from urllib.parse import unquote, urlsplit

from manyfest.errors import ConnectionFailed
from manyfest.serve.asgi import Message, Receive, Scope, Send
from manyfest.stores.base import CHUNK_SIZE, Reader
from manyfest.stores.registry.headers import Headers
from manyfest.stores.registry.http import Body, BytesReader, Request, Response, show_url

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_IN_MEMORY = 8 * 1024 * 1024


class AppTransport:
    """A :class:`~manyfest.stores.registry.http.Transport` to an ASGI application.

    Each request runs in an event loop of its own, so threads may share the transport.
    """

    def __init__(self, app: Application) -> None:
        self._app = app

    def send(self, request: Request) -> Response:
        """The application's answer; its body may be read at leisure."""
        exchange = _Exchange(request)
        with closing(exchange):
            asyncio.run(self._run(exchange))
            return exchange.response()

    def close(self) -> None:
        """Nothing is open."""

    async def _run(self, exchange: _Exchange) -> None:
        await self._app(exchange.scope(), exchange.receive, exchange.send)


class _Exchange:
    """One request on its way in and its answer on the way out."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._source: Reader | None = _source(request.body)
        self._failure: Exception | None = None
        self._status = 0
        self._headers = Headers()
        self._answer: IO[bytes] | None = None

    def scope(self) -> Scope:
        parts = urlsplit(self._request.url)
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self._request.method,
            "scheme": parts.scheme,
            "path": unquote(parts.path),
            "raw_path": parts.path.encode("ascii"),
            "query_string": parts.query.encode("ascii"),
            "root_path": "",
            "headers": self._fields(parts.netloc),
            "extensions": {"http.response.pathsend": {}},
        }

    def _fields(self, host: str) -> list[tuple[bytes, bytes]]:
        fields = [("host", host), *self._request.headers]
        size = _size(self._request.body)
        if size is not None:
            fields.append(("content-length", str(size)))
        return [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in fields]

    async def receive(self) -> Message:
        if self._source is None:
            return {"type": "http.disconnect"}
        try:
            chunk = self._source.read(CHUNK_SIZE)
        except Exception as error:  # noqa: BLE001 - raised again by response()
            self._failure = error
            chunk = b""
        if not chunk:
            self._source.close()
            self._source = None
        if self._failure is not None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": bool(chunk)}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = Headers(
                (name.decode("ascii"), value.decode("latin-1"))
                for name, value in message["headers"]
            )
        elif message["type"] == "http.response.pathsend":
            self._answer = open(message["path"], "rb")  # noqa: SIM115 - the response closes it
        else:
            self._collect(message.get("body", b""))

    def _collect(self, chunk: bytes) -> None:
        if self._answer is None:
            self._answer = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - as above
        self._answer.write(chunk)

    def response(self) -> Response:
        """Raises what reading the request's body raised, and if there was no answer."""
        if self._failure is not None:
            raise self._failure
        if not self._status or self._answer is None:
            raise ConnectionFailed("no answer", where=show_url(self._request.url))
        answer, self._answer = self._answer, None
        answer.seek(0)
        return Response(self._status, answer, headers=self._headers, url=self._request.url)

    def close(self) -> None:
        """Let go of all that was not handed over."""
        for stream in (self._source, self._answer):
            if stream is not None:
                stream.close()
        self._source = self._answer = None


def _source(body: bytes | Body | None) -> Reader:
    return body.open() if isinstance(body, Body) else BytesReader(body or b"")


def _size(body: bytes | Body | None) -> int | None:
    if isinstance(body, Body):
        return body.size
    return None if body is None else len(body)
