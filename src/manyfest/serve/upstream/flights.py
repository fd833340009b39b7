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
        self._is_given_up = False
        self._guard = threading.Lock()
        self._places = threading.BoundedSemaphore(_MOST_AT_A_TIME)

    async def share(self, key: Hashable, work: Callable[[], T]) -> T:
        """What ``work`` gives or raises, or what the same question does that is under way. It goes
        on if whoever asked goes away. Raises :class:`~manyfest.serve.errors.Refusal` if there are
        too many, and once all was given up."""
        with self._guard:
            if self._is_given_up:
                raise stopping()
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

    def give_up(self) -> None:
        """Let nobody wait any longer, nor ask again."""
        with self._guard:
            self._is_given_up = True
            given_up = list(self._under_way.values())
            self._under_way.clear()
        for future in given_up:
            future.set_exception(stopping())

    def _run(self, key: Hashable, work: Callable[[], object], future: Future[Any]) -> None:
        with self._places:
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - those who wait raise it
                if self._take(key):
                    future.set_exception(error)
            else:
                if self._take(key):
                    future.set_result(result)

    def _take(self, key: Hashable) -> bool:
        """Whether somebody still waits for the answer."""
        with self._guard:
            return self._under_way.pop(key, None) is not None


def too_many() -> Refusal:
    """The answer when too much is under way."""
    what = "too much is asked of upstreams; try again later"
    return Refusal("TOOMANYREQUESTS", what, headers={"Retry-After": "1"})


def stopping() -> Refusal:
    """The answer when this registry ends before the upstream has answered."""
    return Refusal("UNKNOWN", "this registry is being stopped", status=503)
