"""As much of HTTP/1.1 as a proxy needs: heads, and bodies that are passed on as they come."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

from msgspec import Struct

HEAD_LIMIT = 1 << 17
PIECE = 1 << 16
TLS = b"\x16"
"""The first byte of a client that begins with TLS, to see whether this is https."""


class Head(Struct, frozen=True):
    """A request's or an answer's first line, and its fields by their names in lower case."""

    raw: bytes
    line: str
    fields: dict[str, str]

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.line.split(" ", 2)[1])

    @property
    def closes(self) -> bool:
        """Whether the connection ends after this."""
        return self.fields.get("connection", "").lower() == "close"


class Line(Struct, eq=False):
    """A connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def to(cls, address: str) -> Line:
        """A new one to ``host:port``."""
        host, _, port = address.rpartition(":")
        return cls(*await asyncio.open_connection(host, int(port), limit=HEAD_LIMIT))

    async def head(self) -> Head:
        """The next head. Raises ``EOFError`` if the other side is done, or speaks TLS."""
        first = await self.reader.readexactly(1)
        if first == TLS:
            await self.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            raise EOFError
        raw = first + await self.reader.readuntil(b"\r\n\r\n")
        line, *rest = raw.decode("latin-1").strip().split("\r\n")
        pairs = (field.partition(":") for field in rest)
        return Head(raw, line, {name.lower(): value.strip() for name, _, value in pairs})

    async def body(self, head: Head) -> AsyncIterator[bytes]:
        """What follows the head, as it is on the wire. Raises ``EOFError`` if it breaks off."""
        if head.fields.get("transfer-encoding", "").lower() == "chunked":
            while size := int((line := await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
                yield line + await self.reader.readexactly(size + 2)
            yield line + await self.reader.readuntil(b"\r\n")
            return
        left = int(head.fields.get("content-length", "0"))
        while left:
            piece = await self.reader.read(min(left, PIECE))
            if not piece:
                raise EOFError
            left -= len(piece)
            yield piece

    async def write(self, data: bytes) -> None:
        """Send it, and wait while the other side is slower."""
        self.writer.write(data)
        await self.writer.drain()

    def close(self) -> None:
        """End it in order."""
        self.writer.close()

    def reset(self) -> None:
        """End it so that the other side sees an error."""
        plug = self.writer.get_extra_info("socket")
        if plug is not None and plug.fileno() >= 0:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
