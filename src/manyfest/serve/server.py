"""The registry on a socket, run by granian in this process.

One process keeps all uploads' hashes, and its threads use all cores: hashing and writing let go of
the interpreter. granian is an extra of the package, and is imported here only.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from manyfest.errors import StoreError, UsageError
from manyfest.serve.app import Registry
from manyfest.serve.content import Content
from manyfest.serve.policy import Policy

logger = logging.getLogger(__name__)

_THREADS = 32
"""For writing, hashing and syncing. Most of them wait for the disk at any time."""

_BACKLOG = 1024
_HEAD_TAKES = 20_000
"""Milliseconds in which the head of a request must come, and the next one on a connection."""

_LOOKS = 200
_PAUSE = 0.005
"""Seconds between two looks whether threads have ended, which takes some hundredths."""

_TIDIED_EVERY = 3600.0
"""Seconds."""

_WRONG_ADDRESS = {
    errno.EADDRINUSE: "is taken by another program",
    errno.EACCES: "may not be used by this user",
    errno.EADDRNOTAVAIL: "is not an address of this machine",
}

_Started = Callable[[str, Callable[[], None]], None]
"""Told the address, and given what stops the server from any thread."""


class Certificate(Struct, frozen=True):
    """What a registry proves its name with: PEM files of a certificate, followed by those that it
    was signed with, and of its key."""

    chain: Path
    key: Path

    def checked(self) -> dict[str, object]:
        """What granian is told. Raises :class:`UsageError` if the files are not what they should
        be or do not belong together."""
        from granian.constants import SSLProtocols

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.chain, self.key, password=_no_password)
        except (OSError, ValueError) as error:  # of ssl too
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UsageError(
                f"cannot be used with {self.key}: {reason or error}",
                where=str(self.chain),
                mend="name PEM files of a certificate and its key, which has no password",
            ) from None
        return {
            "ssl_cert": self.chain,
            "ssl_key": self.key,
            "ssl_protocol_min": SSLProtocols.tls12,
        }


def run(
    content: Content | Path,
    listen: str,
    *,
    on_ready: Callable[[str], None],
    read_only: bool = False,
    certificate: Certificate | None = None,
    policy: Policy | None = None,
) -> None:
    """Serve ``content``, or the folder at that path, until SIGINT or SIGTERM, then answer what is
    under way.

    ``listen`` is ``HOST:PORT``; port 0 takes a free one. ``on_ready`` is called with the address
    once connections are accepted, which need TLS if there is a ``certificate``. A second signal
    does not wait. Raises :class:`UsageError` and :class:`StoreError`.
    """

    def started(address: str, stop: Callable[[], None]) -> None:
        _on_signals(stop)
        on_ready(address)

    registry = Registry(content, read_only=read_only, policy=policy)
    asyncio.run(_serve(registry, listen, started, certificate))


@contextmanager
def running(
    content: Content | Path,
    listen: str = "127.0.0.1:0",
    *,
    read_only: bool = False,
    certificate: Certificate | None = None,
    policy: Policy | None = None,
) -> Iterator[str]:
    """Serve ``content``, or the folder at that path, from a thread while the block runs; gives the
    address."""
    ready: Future[tuple[str, Callable[[], None]]] = Future()

    def work() -> None:
        try:
            asyncio.run(
                _serve(
                    Registry(content, read_only=read_only, policy=policy),
                    listen,
                    lambda address, stop: ready.set_result((address, stop)),
                    certificate,
                )
            )
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=work, name="manyfest-serve", daemon=True)
    thread.start()
    address, stop = ready.result()
    try:
        yield address
    finally:
        stop()
        thread.join()


async def _serve(
    registry: Registry, listen: str, started: _Started, certificate: Certificate | None
) -> None:
    server_class = _granian()
    secured = certificate.checked() if certificate else {}
    with closing(_hold(listen)) as held, closing(registry.content):
        host, port = held.getsockname()[:2]
        registry.policy.check(host, secured=certificate is not None)
        registry.prepare()  # not before the address is known to be free
        threads = _native_threads()
        server = server_class(
            registry,
            address=host,
            port=port,
            interface="asginl",
            http="1",
            http1_settings=_http_settings(),
            websockets=False,
            backlog=_BACKLOG,
            log_enabled=False,
            **secured,
        )
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(_THREADS, "manyfest-serve"))
        async with registry.policy.upheld():
            serving = asyncio.create_task(server.serve())
            await _accepting(host, port, serving)

            def stop() -> None:
                loop.call_soon_threadsafe(server.stop)

            started(_written(host, port), stop)
            tidying = asyncio.create_task(_tidy(registry.content))
            await serving
            tidying.cancel()
            await _ended(threads)


def _native_threads() -> set[str]:
    """The threads of this process that are not Python's, where the system tells."""
    try:
        found = set(os.listdir("/proc/self/task"))
    except OSError:
        return set()
    return found - {str(thread.native_id) for thread in threading.enumerate()}


async def _ended(before: set[str]) -> None:
    """Wait for the threads that came since: granian says that it has ended while some of its own
    are on their way out, and one that turns to Python while that ends too aborts the process."""
    for _ in range(_LOOKS):
        if not _native_threads() - before:
            return
        await asyncio.sleep(_PAUSE)


def _no_password() -> str:
    raise ValueError("the key has a password")


async def _tidy(content: Content) -> None:
    while True:
        await asyncio.sleep(_TIDIED_EVERY)
        try:
            await asyncio.to_thread(content.tidy)
        except OSError:
            logger.exception("what was given up cannot be removed")


def _http_settings() -> object:
    """A client has so long to send the head of a request."""
    from granian.http import HTTP1Settings

    return HTTP1Settings(header_read_timeout=_HEAD_TAKES)


def _granian() -> Any:
    try:
        from granian.server.embed import Server
    except ImportError:
        raise UsageError(
            "the registry runs on granian, which is not installed",
            mend="pip install 'manyfest[serve]'",
        ) from None
    return Server


def _hold(listen: str) -> socket.socket:
    """A socket that has the address and keeps it, without listening.

    granian would share a port with another server that is willing to (SO_REUSEPORT), and tells
    nobody which free port it took. So the address is taken here, alone, and shared afterwards.
    """
    host, port = parse_address(listen)
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise UsageError(f"{host!r} is not a host: {error.strerror}", where=listen) from None
    held = socket.socket(family, kind)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(address)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError as error:
        held.close()
        why = _WRONG_ADDRESS.get(error.errno or 0, f"cannot be used: {error.strerror}")
        raise StoreError(f"{listen} {why}", mend="choose another with --listen") from None
    return held


def parse_address(listen: str) -> tuple[str, int]:
    """The two parts of ``HOST:PORT``. Raises :class:`UsageError`."""
    host, colon, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isascii() and port.isdigit() and int(port[:6]) < 65536):
        raise UsageError(f"{listen!r} is not HOST:PORT", mend="write for example 127.0.0.1:5000")
    return host, int(port)


async def _accepting(host: str, port: int, serving: asyncio.Task[None]) -> None:
    """Return once connections are accepted; raise what ended the server, if that came first."""
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.002)
        else:
            writer.close()
            return
    await serving


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _on_signals(stop: Callable[[], None]) -> None:
    """Stop gracefully at the first signal; the second one ends the process as usual."""
    loop = asyncio.get_running_loop()

    def handle() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        # What granian says of being cut short by the second signal is of no use to anybody.
        loop.set_exception_handler(lambda _loop, _context: None)
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, handle)
