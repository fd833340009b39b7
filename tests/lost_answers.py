"""A way to PostgreSQL that loses an answer: what was asked is done, and nobody is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SOCKET = ".s.PGSQL.5432"


class Way:
    """Between a client and the server in the folder ``server``; clients connect to ``folder``."""

    def __init__(self, server: Path, folder: Path) -> None:
        self.folder = folder
        self.lost = 0
        """Answers that were."""
        self._server = server / _SOCKET
        self._losing = b""
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / _SOCKET))
        self._listening.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_next(self, answer: bytes) -> None:
        """Break the connection instead of passing on the next answer that has these bytes."""
        self._losing = answer

    def close(self) -> None:
        """Let nobody in any more."""
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                for work, ends in ((self._ask, (client, server)), (self._answer, (server, client))):
                    threading.Thread(target=work, args=ends, daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        _break(client, server)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if self._losing and self._losing in data:
                    self._losing = b""
                    self.lost += 1
                    break
                client.sendall(data)
        _break(client, server)


def _break(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextmanager
def way_to(server: Path, folder: Path) -> Iterator[Way]:
    """A way that is open while the block runs."""
    folder.mkdir()
    way = Way(server, folder)
    try:
        yield way
    finally:
        way.close()
