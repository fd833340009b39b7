"""A line with a round-trip time, as a process of its own: neither its width nor the number of its
connections is limited.

``python -m benchmarks.delay PORT TO MILLISECONDS`` listens on PORT of loopback and passes on to
port TO. Bytes take half of MILLISECONDS each way, and a connection one round trip to be made, as
its first packets would.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from contextlib import suppress

MOST = 64 << 20
"""Bytes under way in one direction of one connection, before more are let in."""


class Pipe:
    """One direction: what goes in comes out after ``seconds``, in order."""

    def __init__(self, seconds: float, *, opens_at: float = 0.0) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._opens_at = opens_at
        self._due: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self.source: asyncio.Transport | None = None
        self.sink: asyncio.Transport | None = None

    def send(self, data: bytes) -> None:
        """Take bytes in; none at all are the end."""
        sent_at = max(self._loop.time(), self._opens_at)
        self._due.append((sent_at + self._seconds, data))
        self._bytes += len(data)
        if self._bytes > MOST and self.source is not None:
            self.source.pause_reading()
        self._wait()

    def connect(self, sink: asyncio.Transport) -> None:
        """Where they come out."""
        self.sink = sink
        self._wait()

    def _wait(self) -> None:
        if self._timer is None and self._due and self.sink is not None:
            self._timer = self._loop.call_at(self._due[0][0], self._pass_on)

    def _pass_on(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._due and self._due[0][0] <= now and self.sink is not None:
            _, data = self._due.popleft()
            self._bytes -= len(data)
            if data:
                self.sink.write(data)
            else:
                self.sink.close()
        if self._bytes <= MOST and self.source is not None and not self.source.is_closing():
            self.source.resume_reading()
        self._wait()


class End(asyncio.Protocol):
    """One end of a line: what it reads goes into ``out``, what comes out of ``back`` it writes."""

    def __init__(self, out: Pipe, back: Pipe) -> None:
        self._out = out
        self._back = back

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._out.source = transport
        self._back.connect(transport)

    def data_received(self, data: bytes) -> None:
        self._out.send(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._out.send(b"")


class Entrance(End):
    """The end that a client finds; it opens the other one."""

    def __init__(self, to: int, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(Pipe(seconds, opens_at=loop.time() + 2 * seconds), Pipe(seconds))
        self._to = to
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._opening = asyncio.get_running_loop().create_task(self._open(transport))

    async def _open(self, transport: asyncio.BaseTransport) -> None:
        loop = asyncio.get_running_loop()
        try:
            exit_ = End(self._back, self._out)
            await loop.create_connection(lambda: exit_, "127.0.0.1", self._to)
        except OSError:
            transport.close()


async def main(port: int, to: int, milliseconds: float) -> None:
    """Serve until the process is stopped."""
    loop = asyncio.get_running_loop()
    seconds = milliseconds / 2000
    server = await loop.create_server(
        lambda: Entrance(to, seconds), "127.0.0.1", port, backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
