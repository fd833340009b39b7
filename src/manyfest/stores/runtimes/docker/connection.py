"""Requests to Docker's daemon: HTTP over a Unix socket, to this machine, or by TLS."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path

import msgspec

from manyfest.errors import ConfigError, ConnectionFailed, NotFound, StoreError
from manyfest.stores.runtimes.docker.address import Address

SILENCE = 600
"""Seconds without a byte, either way, until the daemon is given up. It may be unpacking a large
layer onto a slow disk, and says nothing meanwhile."""

MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of an answer that is no image."""

MAX_MESSAGE = 400


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SILENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SILENCE)
        self.sock.connect(self._path)


def connection_to(address: Address) -> HTTPConnection:
    """A connection that opens with its first request. Raises
    :class:`~manyfest.errors.ConfigError` for certificates that are of no use."""
    if address.path:
        return _UnixConnection(address.path)
    if address.certificates is None:
        return HTTPConnection(address.host, address.port, timeout=SILENCE)
    context = _trusting(address.certificates)
    return HTTPSConnection(address.host, address.port, timeout=SILENCE, context=context)


def _trusting(folder: Path) -> ssl.SSLContext:
    """TLS with the authority in ``folder``, and with our own certificate if there is one."""
    try:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        if (folder / "cert.pem").exists():
            context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except OSError as error:
        raise ConfigError(
            f"the certificates for Docker cannot be used: {error.strerror or error}",
            where=str(folder),
            mend="put ca.pem there, and cert.pem with key.pem if the daemon asks for one",
        ) from None
    return context


@contextmanager
def told_as_errors(where: str) -> Iterator[None]:
    """Turns what goes wrong on the way into :class:`~manyfest.errors.ConnectionFailed`."""
    try:
        yield
    except PermissionError:
        raise ConnectionFailed(
            "permission denied", where=where, mend="be root, or a member of the group docker"
        ) from None
    except (FileNotFoundError, ConnectionRefusedError):
        raise ConnectionFailed(
            "nothing listens there", where=where, mend="start Docker, or see DOCKER_HOST"
        ) from None
    except ConnectionError:
        raise ConnectionFailed("it broke the connection off", where=where) from None
    except TimeoutError:
        raise ConnectionFailed(f"it was silent for {SILENCE} seconds", where=where) from None
    except HTTPException as error:
        reason = str(error) or type(error).__name__
        raise ConnectionFailed(
            f"it does not answer as Docker does: {reason[:MAX_MESSAGE]}", where=where
        ) from None
    except OSError as error:
        raise ConnectionFailed(f"{error.strerror or error}", where=where) from None


class _Message(msgspec.Struct, frozen=True):
    message: str


def raise_for_status(response: HTTPResponse, where: str) -> None:
    """Raises what an answer that is no success says:
    :class:`~manyfest.errors.NotFound` or :class:`~manyfest.errors.StoreError`."""
    if response.status == http.client.OK:
        return
    raw = response.read(MAX_ANSWER)
    try:
        message = msgspec.json.decode(raw, type=_Message).message[:MAX_MESSAGE]
    except msgspec.DecodeError:
        message = f"it answers {response.status} {response.reason}"
    if response.status == http.client.NOT_FOUND:
        raise NotFound(message, where=where)
    raise StoreError(message, where=where)


class Body:
    """An answer to be read as it comes; ``close`` ends the connection."""

    def __init__(self, response: HTTPResponse, close: Callable[[], None], *, where: str) -> None:
        self._response = response
        self._where = where
        self.close = close

    def read(self, size: int, /) -> bytes:
        with told_as_errors(self._where):
            return self._response.read(size)
