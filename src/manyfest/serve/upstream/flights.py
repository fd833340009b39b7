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
from manyfest.serve.errors import Refusal

T = TypeVar("T")

_MOST_AT_A_TIME = 64

MOST = 1024
"""Questions under way, most of which wait. They go on when clients go away, so those who ask and
go would have no end of threads begun."""


class Flights:
    """Threads and event loops may share it."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, Future[Any]] = {}
        self._guard = threading.Lock()
        self._places = threading.BoundedSemaphore(_MOST_AT_A_TIME)

    async def share(self, key: Hashable, work: Callable[[], T]) -> T:
        """What ``work`` gives or raises, or what the same question does that is under way. It goes
        on if whoever asked goes away. Raises :class:`~manyfest.serve.errors.Refusal` if there are
        too many."""
        with self._guard:
            future = self._under_way.get(key)
            if future is None:
                if len(self._under_way) >= MOST:
                    raise too_many()
                future = Future()
                threading.Thread(
                    target=self._run, args=(key, work, future), name="upstream", daemon=True
                ).start()
                self._under_way[key] = future  # if it was started, or all would wait for ever
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


def too_many() -> Refusal:
    """The answer when too much is under way."""
    what = "too much is asked of upstreams; try again later"
    return Refusal("TOOMANYREQUESTS", what, headers={"Retry-After": "1"})
