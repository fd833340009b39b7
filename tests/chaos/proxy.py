"""A proxy before a registry: it writes down every exchange, and does to some of them what it is
told to.

It runs in a thread of the test's own process, so that faults can be chosen while requests are on
their way, and it counts what really crossed the wire.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NoReturn, Protocol
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from tests import real
from tests.chaos.wire import HEAD_LIMIT, Head, Line


class Exchange(Struct, kw_only=True):
    """One request and what came of it. ``sent`` are the bytes of its body that arrived here,
    ``status`` is the registry's own answer, 0 if there was none; ``began`` and ``ended`` are
    seconds of the monotonic clock, ``ended`` 0 while it is under way. ``action`` names what was
    done to it, if anything was."""

    number: int
    method: str
    target: str
    fields: dict[str, str]
    began: float
    ended: float = 0.0
    sent: int = 0
    status: int = 0
    is_disturbed: bool = False

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def repository(self) -> str:
        """The repository that it is about."""
        path = self.path.removeprefix("/v2/")
        for kind in ("/manifests/", "/blobs/", "/tags/", "/referrers/"):
            path = path.partition(kind)[0]
        return path

    @property
    def is_upload(self) -> bool:
        """Whether bytes of a blob go along with it."""
        return self.method in {"PUT", "PATCH"} and "/blobs/uploads/" in self.path

    @property
    def uploaded(self) -> str:
        """The digest of the blob that the registry took at the end of it, or empty."""
        if not (self.is_upload and self.status == 201):
            return ""
        return parse_qs(urlsplit(self.target).query)["digest"][0]

    @property
    def tagged(self) -> str:
        """The tag that it asks to be set, or empty."""
        name = self.path.rpartition("/")[2]
        return name if self.sets_manifest and ":" not in name else ""

    @property
    def sets_manifest(self) -> bool:
        """Whether it stores a manifest, under a tag or a digest."""
        return self.method == "PUT" and "/manifests/" in self.path


class Answer(Struct, frozen=True, kw_only=True):
    """Answer in the registry's place. ``late``: the registry has done what it was asked to, and
    only its answer is another one."""

    status: int
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    late: bool = False


Moment = Literal["before", "within", "after"]


class Reset(Struct, frozen=True):
    """Break the connection: before the request is passed on, in the middle of its body, or when
    the registry has done what it was asked to."""

    when: Moment


class Truncate(Struct, frozen=True):
    """Pass on half of the answer, and close the connection."""


class Slow(Struct, frozen=True):
    """Let the request, each piece of its body and its answer wait so many seconds."""

    seconds: float


class Call(Struct, frozen=True):
    """Call this before the request is passed on, or, if ``late``, before its answer is."""

    what: Callable[[], None]
    late: bool


class Die(Struct, frozen=True):
    """Be gone, like a registry whose machine went down: nobody listens any more."""


Action = Answer | Reset | Truncate | Slow | Call | Die | None


class Fault(Protocol):
    """Chooses what is done to an exchange."""

    async def choose(self, exchange: Exchange, proxy: Proxy) -> Action:
        """Asked when the exchange's head has come."""


class _Over(Exception):
    """The connection to the client is at its end."""


class Proxy:
    """Leads to the registry at ``upstream``, ``host:port``; see :func:`running_proxy`."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.port = real.free_port()
        self.log: list[Exchange] = []
        self.is_dead = True
        self._fault: Fault | None = None
        self._server: asyncio.Server | None = None
        self._clients: set[Line] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def address(self) -> str:
        """``host:port`` for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def is_idle(self) -> bool:
        """Whether no exchange is under way."""
        return all(exchange.ended for exchange in self.log)

    def begin(self, fault: Fault | None = None) -> None:
        """Begin a new log; be there; do from now on what ``fault`` chooses."""
        self._fault = fault
        self.log = []
        if self.is_dead:
            self._run(self._listen())

    def open(self) -> None:
        """Start the thread, and listen."""
        self._thread.start()
        self.begin()

    def close(self) -> None:
        """End every connection, and the thread."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def ask(self, path: str, accept: str) -> Answer:
        """What the registry itself answers to a GET."""
        line = await Line.to(self.upstream)
        fields = f"Host: {self.upstream}\r\nAccept: {accept}\r\nConnection: close\r\n"
        await line.write(f"GET {path} HTTP/1.1\r\n{fields}\r\n".encode())
        head = await line.head()
        body = b"".join([piece async for piece in line.body(head)])
        line.close()
        kept = ("content-type", "docker-content-digest")
        found = tuple((name, head.fields[name]) for name in kept if name in head.fields)
        return Answer(status=head.status, fields=found, body=body)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, limit=HEAD_LIMIT, backlog=256
        )
        self.is_dead = False

    async def _shut(self) -> None:
        self.is_dead = True
        if self._server is not None:
            self._server.close()
        for client in list(self._clients):
            client.reset()

    async def _end(self) -> None:
        await self._shut()
        served = asyncio.all_tasks() - {asyncio.current_task()}
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Line(reader, writer)
        upstream: Line | None = None
        self._clients.add(client)
        try:
            while not self.is_dead:
                head = await client.head()
                upstream = upstream or await Line.to(self.upstream)
                await self._exchange(head, client, upstream)
        except (OSError, EOFError, _Over, asyncio.CancelledError):
            pass
        finally:
            self._clients.discard(client)
            client.close()
            if upstream is not None:
                upstream.close()

    async def _exchange(self, head: Head, client: Line, upstream: Line) -> None:
        method, target, _ = head.line.split(" ", 2)
        exchange = Exchange(
            number=len(self.log) + 1, method=method, target=target, fields=head.fields,
            began=time.monotonic(),
        )  # fmt: skip
        self.log.append(exchange)
        try:
            action = await self._fault.choose(exchange, self) if self._fault else None
            exchange.is_disturbed = action is not None
            if isinstance(action, Die):
                await self._shut()
                raise _Over
            await _Course(exchange, action, client, upstream).run(head)
        finally:
            exchange.ended = time.monotonic()


class _Course(Struct):
    """The way of one exchange through the proxy."""

    exchange: Exchange
    action: Action
    client: Line
    upstream: Line

    async def run(self, head: Head) -> None:
        """Raises ``_Over`` where the connection ends, and what connections raise."""
        match self.action:
            case Answer(late=False):
                async for piece in self.client.body(head):
                    self.exchange.sent += len(piece)
                await self._say(self.action)
            case Reset("before"):
                self._break()
            case _:
                await self._request(head)
                await self._answer()

    async def _request(self, head: Head) -> None:
        if isinstance(self.action, Call) and not self.action.late:
            self.action.what()
        await self._wait()
        await self.upstream.write(head.raw)
        whole = int(head.fields.get("content-length", "0"))
        async for piece in self.client.body(head):
            self.exchange.sent += len(piece)
            if self.action == Reset("within") and self.exchange.sent * 2 > whole:
                self._break()
            await self._wait()
            await self.upstream.write(piece)

    async def _answer(self) -> None:
        head = await self.upstream.head()
        self.exchange.status = head.status
        has_body = self.exchange.method != "HEAD" and head.status not in {204, 304}
        pieces = [head.raw]
        if has_body:
            pieces += [piece async for piece in self.upstream.body(head)]
        match self.action:
            case Answer():
                await self._say(self.action)
                return
            case Reset():
                self._break()
            case Truncate():
                answer = b"".join(pieces)
                await self.client.write(answer[: len(answer) // 2])
                raise _Over
            case Call(late=True):
                self.action.what()
        for piece in pieces:
            await self._wait()
            await self.client.write(piece)
        if head.closes:
            raise _Over

    async def _say(self, answer: Answer) -> None:
        fields = [("Content-Length", str(len(answer.body))), *answer.fields]
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        body = b"" if self.exchange.method == "HEAD" else answer.body
        await self.client.write(f"HTTP/1.1 {answer.status} Said\r\n{lines}\r\n".encode() + body)

    async def _wait(self) -> None:
        if isinstance(self.action, Slow):
            await asyncio.sleep(self.action.seconds)

    def _break(self) -> NoReturn:
        self.client.reset()
        raise _Over


@contextmanager
def running_proxy(upstream: str) -> Iterator[Proxy]:
    """A proxy before the registry at ``upstream``, without faults for now."""
    proxy = Proxy(upstream)
    proxy.open()
    try:
        yield proxy
    finally:
        proxy.close()
