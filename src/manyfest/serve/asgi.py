"""The little of HTTP that a registry needs, on bare ASGI.

A framework would route by patterns that repository names do not fit, and would cost more time for
a small request than the registry itself does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import closing
from typing import Any
from urllib.parse import parse_qsl

from msgspec import Struct, field

from manyfest.errors import ConnectionFailed
from manyfest.oci import json
from manyfest.serve.bodies import Body, FilePart, LivePart, StreamPart
from manyfest.serve.errors import Refusal
from manyfest.serve.routes import Route

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PART_SIZE = 256 * 1024
"""Bytes of a body that go to a thread at a time, or more: smaller parts cost more to hand over, and
the server gives no larger ones, so that most need not be put together first."""

PART_SECONDS = 120.0
"""What such a part may take to arrive, so that nobody holds an upload for ever."""

_SENT_AT_ONCE = 1024 * 1024
_MOST_PARAMETERS = 32


class Request:
    """A request as the application sees it: the path is decoded, the body is yet to come.

    ``route``, ``user`` and ``id`` are what was found out about it, ``received`` how many bytes of
    its body have come; ``whose`` tells clients apart that upload.
    """

    __slots__ = ("_receive", "_scope", "id", "method", "path", "received", "route", "user", "whose")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.route: Route | None = None
        self.user = ""
        self.whose = ""
        self.id = ""
        self.received = 0

    @property
    def raw_path(self) -> bytes:
        """The path as it was sent, if the server tells."""
        raw: bytes = self._scope.get("raw_path") or b""
        return raw

    @property
    def client(self) -> str:
        """The address that the connection comes from; empty if there is none."""
        client = self._scope.get("client")
        return str(client[0]) if client else ""

    @property
    def scheme(self) -> str:
        """``http``, or ``https`` if this connection has TLS."""
        return str(self._scope.get("scheme", "http"))

    @property
    def sends_files(self) -> bool:
        """Whether the server can send a file by itself (ASGI, "Path Send")."""
        return "http.response.pathsend" in (self._scope.get("extensions") or {})

    def joined(self, name: str) -> str:
        """All values of a field, given in lower case, in one line (RFC 9110, section 5.3)."""
        wanted = name.encode()
        values: list[bytes] = [value for key, value in self._scope["headers"] if key == wanted]
        return b", ".join(values).decode("latin-1")

    def header(self, name: str) -> str:
        """The first value of a field, given in lower case; empty if there is none."""
        wanted = name.encode()
        for key, value in self._scope["headers"]:
            if key == wanted:
                text: str = value.decode("latin-1")
                return text
        return ""

    def query(self) -> dict[str, str]:
        """The parameters after ``?``; the first of those that are given twice."""
        return dict(reversed(self._parameters()))

    def values(self, name: str) -> list[str]:
        """All values of one parameter, in order."""
        return [value for key, value in self._parameters() if key == name]

    def _parameters(self) -> list[tuple[str, str]]:
        raw: bytes = self._scope["query_string"]
        if not raw:
            return []
        if raw.count(b"&") >= _MOST_PARAMETERS:
            most = f"a query may have {_MOST_PARAMETERS} parameters at most"
            raise Refusal("UNSUPPORTED", most, status=414)
        try:
            return parse_qsl(raw.decode("ascii"), keep_blank_values=True)
        except ValueError:
            raise Refusal("UNSUPPORTED", "the query is not one", status=400) from None

    def length(self) -> int | None:
        """The declared size of the body in bytes, if it was declared."""
        declared = self.header("content-length")
        return int(declared[:18]) if declared.isascii() and declared.isdigit() else None

    async def parts(self) -> AsyncIterator[bytes]:
        """The body as it comes, in parts of :data:`PART_SIZE` or a little more.

        Raises :class:`Refusal` if it breaks off or comes too slowly, after what did come was given
        out.
        """
        chunks: list[bytes] = []
        more, end = True, None
        while more and end is None:
            try:
                async with asyncio.timeout(PART_SECONDS):  # to set it for each chunk takes longer
                    more, end = await self._fill(chunks)
            except TimeoutError:
                end = Refusal("SIZE_INVALID", "the body comes too slowly", status=408)
            if chunks:
                yield b"".join(chunks)
                chunks.clear()
        if end is not None:
            raise end

    async def _fill(self, chunks: list[bytes]) -> tuple[bool, Refusal | None]:
        """The next chunks, until there are enough; whether more will come, and why not if they
        should have."""
        size = 0
        while size < PART_SIZE:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return False, Refusal("SIZE_INVALID", "the body broke off")
            chunk: bytes = message.get("body", b"")
            if chunk:
                chunks.append(chunk)
                size += len(chunk)
                self.received += len(chunk)
            if not message.get("more_body", False):
                return False, None
        return True, None

    async def body(self, limit: int, what: str) -> bytes:
        """The whole body; raises a 413 as soon as it is known to be above ``limit`` bytes."""
        received = bytearray()
        if (self.length() or 0) <= limit:
            async for part in self.parts():
                received += part
                if len(received) > limit:
                    break
            else:
                return bytes(received)
        raise Refusal("SIZE_INVALID", f"{what} may have {limit} bytes at most", status=413)


class Response(Struct, frozen=True):
    """An answer. Its length is added when it is sent; HEAD sends all but the body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Body = b""

    @classmethod
    def json(cls, value: object, headers: Mapping[str, str] | None = None) -> Response:
        """200 with a JSON document; ``headers`` may give it another type."""
        return cls(200, {"Content-Type": "application/json", **(headers or {})}, json.dumps(value))

    @property
    def length(self) -> int:
        """Bytes of the body."""
        if isinstance(self.body, bytes):
            return len(self.body)
        return self.body.size if self.body.part is None else len(self.body.part)


async def respond(request: Request, response: Response, send: Send) -> None:
    """Send the answer, a file without reading it here where the server can do that."""
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": _fields(response, request.id),
        }
    )
    body = response.body
    if request.method == "HEAD":
        await send({"type": "http.response.body", "body": b""})
    elif isinstance(body, bytes):
        await send({"type": "http.response.body", "body": body})
    elif isinstance(body, FilePart) and body.part is None and request.sends_files:
        await send({"type": "http.response.pathsend", "path": str(body.path)})
    elif isinstance(body, LivePart):
        await _send_live(body, response.length, send)
    else:
        await _send_part(body, send)


def _fields(response: Response, identity: str) -> list[tuple[bytes, bytes]]:
    fields = [(b"docker-distribution-api-version", b"registry/2.0")]
    if identity:
        fields.append((b"x-request-id", identity.encode("ascii")))
    for name, value in response.headers.items():
        fields.append((name.lower().encode("ascii"), value.encode("latin-1")))
    if response.status not in (204, 304):
        fields.append((b"content-length", str(response.length).encode("ascii")))
    return fields


async def _send_live(content: LivePart, left: int, send: Send) -> None:
    """What is raised here breaks the connection, so nobody takes half of a body for the whole."""
    async for chunk in content.chunks(content.part or range(content.size)):
        left -= len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})
    if not content.size:
        await send({"type": "http.response.body", "body": b""})


async def _send_part(content: FilePart | StreamPart, send: Send) -> None:
    left = content.size if content.part is None else len(content.part)
    reader = await asyncio.to_thread(content.opened)
    with closing(reader):
        while left:
            chunk = await asyncio.to_thread(reader.read, min(left, _SENT_AT_ONCE))
            if not chunk:
                raise ConnectionFailed("a file was cut short while it was being sent")
            left -= len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})
    if not content.size:
        await send({"type": "http.response.body", "body": b""})
