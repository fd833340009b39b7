"""The registry on a socket, run by granian in this process.

One process keeps all uploads' hashes, and its threads use all cores: hashing and writing let go of
the interpreter.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec import Struct

from manyfest.errors import UsageError
from manyfest.listening import embedded, hold, on_signals, run_in_loop, serving
from manyfest.serve.app import Registry
from manyfest.serve.content import Content
from manyfest.serve.policy import Policy

logger = logging.getLogger(__name__)

_THREADS = 32
"""For writing, hashing and syncing. Most of them wait for the disk at any time."""

_PATIENCE = 5.0
"""Seconds for which a registry that is being stopped waits for others: who stops a container gives
it ten."""

_TIDIED_EVERY = 3600.0
"""Seconds."""

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
            raise UsageError(
                f"cannot be used with {self.key}: {_why_not(error)}",
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
        on_signals(stop)
        on_ready(address)

    registry = Registry(content, read_only=read_only, policy=policy)
    run_in_loop(_serve(registry, listen, started, certificate))


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
            run_in_loop(
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
    embedded("serve")
    secured = certificate.checked() if certificate else {}
    with closing(hold(listen)) as held, closing(registry.content):
        registry.listens_at(held.getsockname()[0], secured=certificate is not None)
        registry.prepare()  # not before the address is known to be free
        async with (
            registry.policy.upheld(),
            serving(registry, held, threads=_THREADS, extra="serve", options=secured) as server,
        ):
            loop = asyncio.get_running_loop()

            def stop() -> None:
                server.stop()
                loop.call_soon_threadsafe(loop.call_later, _PATIENCE, registry.content.give_up)

            started(server.address, stop)
            tidying = asyncio.create_task(_tidy(registry.content))
            await server.ended
            tidying.cancel()


def _why_not(error: OSError | ValueError) -> str:
    """What is wrong with a certificate or its key; OpenSSL's own words name its source."""
    if isinstance(error, ssl.SSLError):
        differ = error.reason == "KEY_VALUES_MISMATCH"
        return "the key is another certificate's" if differ else "one of them is no such file"
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _no_password() -> str:
    raise ValueError("the key has a password")


async def _tidy(content: Content) -> None:
    while True:
        await asyncio.sleep(_TIDIED_EVERY)
        try:
            await asyncio.to_thread(content.tidy)
        except OSError:
            logger.exception("what was given up cannot be removed")
