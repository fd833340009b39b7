"""The pages of a watch on loopback, while a test looks at them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager

from manyfest.listening import Server, hold, serving
from manyfest.watch.live import Live
from manyfest.watch.web.app import create_app
from tests.running_watch import RunningWatch


@contextmanager
def served(watch: RunningWatch, port: int = 0) -> Iterator[str]:
    """Serve the watch's pages from a thread while the block runs, at a free port unless one is
    named; gives the address. It may be done again afterwards."""
    ready: Future[Server] = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(_serve(watch, port, ready)), name="pages", daemon=True
    )
    thread.start()
    server = ready.result(60)
    try:
        yield f"http://{server.address}"
    finally:
        watch.live.close()  # lines end, which the server would wait for
        server.stop()
        thread.join(20)
        watch.live = Live()


async def _serve(watch: RunningWatch, port: int, ready: Future[Server]) -> None:
    with closing(hold(f"127.0.0.1:{port}")) as held:
        async with serving(create_app(watch), held, threads=8, extra="watch") as server:
            ready.set_result(server)
            await server.ended
