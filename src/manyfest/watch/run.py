"""``manyfest watch``, from the first log line to the last: the history is opened, the watch begins,
the pages are served, and a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from manyfest.errors import HistoryAway, UsageError
from manyfest.listening import embedded, hold, is_loopback, on_signals, run_in_loop, serving

if TYPE_CHECKING:
    from manyfest.watch.config.values import WatchConfig
    from manyfest.watch.history.history import History
    from manyfest.watch.service import Watch

T = TypeVar("T")

logger = logging.getLogger(__name__)

DATABASE = "watch.db"
"""The history's file, if the configuration names none."""

_THREADS = 32
"""For pages: each waits for the history."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
"""Seconds between attempts to open a history that is away."""


def run(
    config: WatchConfig,
    listen: str,
    *,
    plain_http: tuple[str, ...] = (),
    ca_file: Path | None = None,
    log: Callable[[str], None] | None = None,
    on_ready: Callable[[str], None] = lambda _: None,
) -> int:
    """Watch until SIGINT or SIGTERM; SIGHUP reads the configuration again. ``on_ready`` is told the
    address once pages are served. Gives the exit code: 1 if a part of the watch failed.

    Raises :class:`~manyfest.errors.UsageError`, :class:`~manyfest.errors.StoreError` if the address
    cannot be had, and :class:`~manyfest.errors.HistoryError` for a history that no waiting mends.
    """
    require_extra()
    with closing(hold(listen)) as held:  # before anything is made
        return run_in_loop(_Run(config, held, plain_http, ca_file, log, on_ready).whole())


def require_extra() -> None:
    """Raises :class:`~manyfest.errors.UsageError` if what a watch is made of is not installed."""
    embedded("watch")
    try:
        import alembic
        import jinja2
        import sqlalchemy
        import starlette
    except ImportError as error:
        raise UsageError(
            f"the watch needs {error.name}, which is not installed",
            mend="pip install 'manyfest[watch]'",
        ) from None
    del alembic, jinja2, sqlalchemy, starlette


def database_of(config: WatchConfig) -> str:
    """Where the history is: what the configuration says, or a file beside it."""
    named = config.database.reveal()
    if named:
        return named
    folder = config.path.parent if config.path else Path()
    return str(folder / DATABASE)


def sends_passwords_in_the_clear(url: str, host: str, history: History) -> bool:
    """Whether somebody may sign in over a network to a watch that listens at the address ``host``,
    and nothing says that there is TLS in front: people reach it at ``url``."""
    is_safe = is_loopback(host) or url.startswith("https://")
    return not is_safe and bool(history.people.users())


class _Run:
    """One run, in one event loop."""

    def __init__(
        self,
        config: WatchConfig,
        held: socket.socket,
        plain_http: tuple[str, ...],
        ca_file: Path | None,
        log: Callable[[str], None] | None,
        on_ready: Callable[[str], None],
    ) -> None:
        self._config = config
        self._held = held
        self._plain_http = plain_http
        self._ca_file = ca_file
        self._log = log
        self._on_ready = on_ready
        self._stopping = asyncio.Event()
        self._has_failed = False
        self._reload: Callable[[], None] | None = None
        self._is_outdated = False

    async def whole(self) -> int:
        """All of it; the exit code."""
        on_signals(self._stopping.set)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._read_again)
        history = await self._open()
        if history is None:
            return 0
        try:
            await self._watch(history)
        finally:
            await asyncio.to_thread(history.close)
        logger.info("stopped")
        return 1 if self._has_failed else 0

    def _read_again(self) -> None:
        """Have the configuration read again, once there is a watch."""
        if self._reload is None:
            self._is_outdated = True
        else:
            threading.Thread(target=self._reload, name="reload", daemon=True).start()

    async def _open(self) -> History | None:
        """The history, once it is there; ``None`` if the watch is stopped before."""
        from manyfest.watch.history.history import History

        return await self._waited_for(lambda: History.open(database_of(self._config)))

    async def _waited_for(self, ask: Callable[[], T]) -> T | None:
        """What the history answers, once it does; ``None`` if the watch is stopped before."""
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                return await asyncio.to_thread(ask)
            except HistoryAway as error:
                logger.warning("the history is waited for: %s", error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return None

    async def _watch(self, history: History) -> None:
        from manyfest.watch.service import Watch
        from manyfest.watch.web.app import create_app

        loop = asyncio.get_running_loop()

        def failed() -> None:
            self._has_failed = True
            loop.call_soon_threadsafe(self._stopping.set)

        watch = Watch(
            self._config,
            history,
            plain_http=self._plain_http,
            ca_file=self._ca_file,
            log=self._log,
            failed=failed,
        )
        app = create_app(watch)
        async with serving(app, self._held, threads=_THREADS, extra="watch") as server:
            try:
                await self._waited_for(watch.start)
                if not self._stopping.is_set():
                    await self._begun(watch, server.address)
                    await self._stopping.wait()
                logger.info("stopping")
            finally:
                await asyncio.to_thread(watch.stop)  # ends what open pages wait for
                server.stop()
                await server.ended

    async def _begun(self, watch: Watch, address: str) -> None:
        """Say what is watched, and what people should know."""
        self._reload = watch.reload
        if self._is_outdated:
            self._read_again()
        count = len(watch.images())
        images = "an image" if count == 1 else f"{count} images"
        logger.info("watching %s; pages at %s", images, address)
        host = self._held.getsockname()[0]
        if await self._waited_for(
            lambda: sends_passwords_in_the_clear(self._config.url, host, watch.history)
        ):
            logger.warning(
                "passwords come over plain http, where others can read them: put TLS in front,"
                " and say in 'url' where people reach it"
            )
        self._on_ready(address)
