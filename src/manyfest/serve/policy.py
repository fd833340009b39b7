"""How a registry treats who comes to it: who may do what, how much of it, and what is noted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from msgspec import Struct

from manyfest.errors import UsageError
from manyfest.listening import is_loopback
from manyfest.serve.access.gate import Gate
from manyfest.serve.access.places import Places
from manyfest.serve.access_log import AccessLog
from manyfest.serve.limits import Limits
from manyfest.serve.metrics import Metrics, MetricsServer
from manyfest.serve.notifications.notifier import Notifier
from manyfest.serve.observed import Observer

logger = logging.getLogger(__name__)

_EVERY = 1.0
"""Seconds between two looks at what may have changed, and between two writes of the log."""


class Policy(Struct, frozen=True, kw_only=True):
    """Without a ``gate`` everybody may do everything. ``metrics_at`` is the host and the port at
    which ``metrics`` are to be had; a ``notifier`` tells others of pushes. ``plain_passwords`` lets
    passwords come over a network that others may listen to."""

    gate: Gate | None = None
    places: Places = Places()
    limits: Limits = Limits()
    log: AccessLog | None = None
    metrics: Metrics | None = None
    metrics_at: tuple[str, int] = ("127.0.0.1", 0)
    notifier: Notifier | None = None
    plain_passwords: bool = False

    @property
    def observers(self) -> tuple[Observer, ...]:
        """Who is told of each request."""
        observers = (self.log, self.metrics, self.notifier)
        return tuple(each for each in observers if each is not None)

    def check_passwords(self, host: str, *, secured: bool) -> None:
        """Raises :class:`~manyfest.errors.UsageError` if passwords would come in the clear to a
        registry that listens at the address ``host``."""
        if self.gate is None or secured or self.plain_passwords or is_loopback(host):
            return
        raise UsageError(
            "passwords would come over plain http, where others can read them",
            where=host,
            mend="use --tls-cert and --tls-key, or --tls-self-signed; if a proxy before it speaks"
            " TLS, or you trust the network, add --plain-http-passwords",
        )

    def checks_hosts(self, host: str, *, secured: bool) -> bool:
        """Whether requests must name the registry by a name of its own, at the address ``host``:
        where that alone keeps others out, from whom this machine's browsers may come. Over TLS a
        certificate tells names apart, and with users a page has no password to send."""
        return self.gate is None and not secured and is_loopback(host)

    @asynccontextmanager
    async def upheld(self) -> AsyncIterator[None]:
        """While the block runs, files that change are read again, the log is written and metrics
        are to be had. Raises :class:`~manyfest.errors.UsageError` and
        :class:`~manyfest.errors.StoreError` if that cannot be."""
        async with AsyncExitStack() as stack:
            if self.gate is not None:
                stack.callback(self.gate.close)
            if self.log is not None:
                self.log.open()
                stack.push_async_callback(self._close_log, self.log)
            if self.metrics is not None:
                server = MetricsServer(self.metrics, *self.metrics_at, self.places)
                logger.info("metrics are at port %s", server.start())
                stack.push_async_callback(asyncio.to_thread, server.stop)
            if self.notifier is not None:
                self.notifier.start()
                stack.push_async_callback(asyncio.to_thread, self.notifier.stop)
            task = asyncio.create_task(self._again_and_again())
            stack.push_async_callback(_cancelled, task)
            yield

    async def _again_and_again(self) -> None:
        failed = False
        while True:
            await asyncio.sleep(_EVERY)
            try:
                await asyncio.to_thread(self._once)
            except OSError as error:
                if not failed:
                    logger.warning("the access log cannot be written: %s", error.strerror)
                failed = True
            else:
                failed = False

    def _once(self) -> None:
        if self.gate is not None:
            self.gate.refresh()
        if self.log is not None:
            self.log.flush()

    @staticmethod
    async def _close_log(log: AccessLog) -> None:
        try:
            await asyncio.to_thread(log.close)
        except OSError as error:
            logger.warning("the end of the access log is lost: %s", error.strerror)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
