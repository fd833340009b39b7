"""An ASGI application on a socket, run by granian in this process.

granian is an extra of the package, and is imported here only.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from msgspec import Struct

from manyfest.errors import StoreError, UsageError

T = TypeVar("T")

_BACKLOG = 1024

_HEAD_TAKES = 20_000
"""Milliseconds in which the head of a request must come, and the next one on a connection."""

_TAKES_NOTHING = 120_000
"""Milliseconds after which a client is cut off that takes nothing of its answer."""

_LOOKS = 200
_PAUSE = 0.005
"""Seconds between two looks whether threads have ended, which takes some hundredths."""

_WRONG_ADDRESS = {
    errno.EADDRINUSE: "is taken by another program",
    errno.EACCES: "may not be used by this user",
    errno.EADDRNOTAVAIL: "is not an address of this machine",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address ``host``."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


class Server(Struct, frozen=True, kw_only=True):
    """One that accepts connections at ``address``. ``stop`` may be called from any thread;
    ``ended`` is awaited then, until what was under way is answered."""

    address: str
    stop: Callable[[], None]
    ended: asyncio.Task[None]


def run_in_loop(work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` gives, in an event loop of uvloop's: granian wakes the loop from another thread
    for each request, which takes asyncio's own loop several times as long. Where uvloop is not
    installed that one will do."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with suppress(ImportError):
        from uvloop import new_event_loop as factory
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)


@asynccontextmanager
async def serving(
    app: object,
    held: socket.socket,
    *,
    threads: int,
    extra: str,
    options: Mapping[str, object] | None = None,
) -> AsyncIterator[Server]:
    """Serve the ASGI application ``app`` at the address of ``held``, a socket of :func:`hold`; the
    block begins once connections are accepted, and ends when :attr:`Server.ended` has been awaited.

    The event loop gets so many ``threads`` for what waits; ``options`` are granian's, and ``extra``
    is the part of the package that brings it. Raises :class:`~manyfest.errors.UsageError`.
    """
    server_class = embedded(extra)
    host, port = held.getsockname()[:2]
    before = _native_threads()
    server = server_class(
        app,
        address=host,
        port=port,
        interface="asginl",
        http="1",
        http1_settings=_http_settings(),
        websockets=False,
        backlog=_BACKLOG,
        log_enabled=False,
        **(options or {}),
    )
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(threads, f"manyfest-{extra}"))
    task = asyncio.create_task(server.serve())
    await _accepting(host, port, task)
    _bound_waiting(held)

    def stop() -> None:
        loop.call_soon_threadsafe(server.stop)

    yield Server(address=_written(host, port), stop=stop, ended=task)
    await _ended(before)


def embedded(extra: str) -> Any:
    """granian's server. Raises :class:`~manyfest.errors.UsageError` if it is not there."""
    try:
        from granian.server.embed import Server as Embedded
    except ImportError:
        raise UsageError(
            "this runs on granian, which is not installed", mend=f"pip install 'manyfest[{extra}]'"
        ) from None
    return Embedded


def hold(listen: str) -> socket.socket:
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
    """The two parts of ``HOST:PORT``. Raises :class:`~manyfest.errors.UsageError`."""
    host, colon, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isascii() and port.isdigit() and int(port[:6]) < 65536):
        raise UsageError(f"{listen!r} is not HOST:PORT", mend="write for example 127.0.0.1:5000")
    return host, int(port)


def _written(host: str, port: int) -> str:
    """The two as one text."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def on_signals(stop: Callable[[], None]) -> None:
    """Stop gracefully at the first SIGINT or SIGTERM; the second one ends the process as usual."""
    loop = asyncio.get_running_loop()

    def handle() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        # What granian says of being cut short by the second signal is of no use to anybody.
        loop.set_exception_handler(lambda _loop, _context: None)
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, handle)


async def _accepting(host: str, port: int, task: asyncio.Task[None]) -> None:
    """Return once connections are accepted; raise what ended the server, if that came first."""
    while not task.done():
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.002)
        else:
            writer.close()
            return
    await task


def _bound_waiting(held: socket.socket) -> None:
    """granian waits for ever for a client that takes nothing of its answer. The system does not, on
    connections of a listening socket that was told so (tcp(7), TCP_USER_TIMEOUT)."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is None or not os.path.isdir("/proc/self/fd"):
        return
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            # No file: to close a second descriptor of one would give up its locks.
            if os.readlink(f"/proc/self/fd/{number}").startswith("socket:"):
                with socket.fromfd(int(number), held.family, held.type) as found:
                    _bound_if_listening(found, held, option)


def _bound_if_listening(found: socket.socket, held: socket.socket, option: int) -> None:
    listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if listens and found.getsockname() == held.getsockname():
        found.setsockopt(socket.IPPROTO_TCP, option, _TAKES_NOTHING)


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


def _http_settings() -> object:
    from granian.http import HTTP1Settings

    return HTTP1Settings(header_read_timeout=_HEAD_TAKES)
