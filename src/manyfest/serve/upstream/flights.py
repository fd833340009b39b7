"""Questions to an upstream, each of which is under way once however many want its answer.

Each has a thread of its own: those of the server must not wait for a registry that does not
answer, or it would soon answer nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar, cast

from manyfest.serve.batches import landed

T = TypeVar("T")

_MOST_AT_A_TIME = 64


class Flights:
    """Threads and event loops may share it."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, Future[Any]] = {}
        self._guard = threading.Lock()
        self._places = threading.BoundedSemaphore(_MOST_AT_A_TIME)

    async def share(self, key: Hashable, work: Callable[[], T]) -> T:
        """What ``work`` gives or raises, or what the same question does that is under way. It goes
        on if whoever asked goes away."""
        with self._guard:
            future = self._under_way.get(key)
            if future is None:
                future = self._under_way[key] = Future()
                threading.Thread(
                    target=self._run, args=(key, work, future), name="upstream", daemon=True
                ).start()
        return cast("T", await landed(future))

    def _run(self, key: Hashable, work: Callable[[], object], future: Future[Any]) -> None:
        with self._places:
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - those who wait raise it
                self._remove(key)
                future.set_exception(error)
            else:
                self._remove(key)
                future.set_result(result)

    def _remove(self, key: Hashable) -> None:
        with self._guard:
            del self._under_way[key]
