"""The pages of a watch on loopback, while a test looks at them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from manyfest.watch.live import Live
from manyfest.watch.web.app import create_app
from tests import real
from tests.running_watch import RunningWatch


@contextmanager
def served(watch: RunningWatch, port: int = 0) -> Iterator[str]:
    """Serve the watch's pages from a thread while the block runs, at a free port unless one is
    named; gives the address. It may be done again afterwards."""
    from granian.constants import HTTPModes, Interfaces
    from granian.server.embed import Server

    port = port or real.free_port()
    server = Server(
        create_app(watch),
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(server.serve()), daemon=True)
    thread.start()
    try:
        real.wait_until(lambda: real.is_listening(port), "the server")
        yield f"http://127.0.0.1:{port}"
    finally:
        watch.live.close()  # lines end, which the server would wait for
        loop.call_soon_threadsafe(server.stop)
        thread.join(20)
        loop.close()
        watch.live = Live()
