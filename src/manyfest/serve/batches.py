"""Work that is handed in one by one and that is done many at a time.

Rewriting ``index.json`` costs the same for one tag as for twenty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from threading import Lock
from typing import Generic, TypeVar

from msgspec import Struct

from manyfest.serve.rounds import Rounds

T = TypeVar("T")


class _Entry(Struct, Generic[T], eq=False):
    """What is to be done. A thread waits for ``done``, or an event loop for ``landed``."""

    item: T
    done: Future[None] | None = None
    landed: asyncio.Future[None] | None = None


class Batches(Generic[T]):
    """What is handed in while a round of ``work`` is under way is done together in the next.
    Threads and event loops may share it; what loops hand in is done by the threads of
    ``rounds``."""

    def __init__(self, work: Callable[[Sequence[T]], None], rounds: Rounds | None = None) -> None:
        self._work = work
        self._rounds = rounds or Rounds()
        self._waiting: list[_Entry[T]] = []
        self._guard = Lock()
        self._turn = Lock()
        self._is_next_begun = False

    def do(self, item: T) -> None:
        """Return once the item is done; raises what its round raised."""
        done: Future[None] = Future()
        with self._guard:
            self._waiting.append(_Entry(item, done))
        with self._turn:
            if not done.done():
                self._do_all()
        done.result()

    async def share(self, item: T) -> None:
        """The same, with one thread for all items of a round: threads that wait for their turn cost
        more than what they do in it. The item is done too if nobody waits for it any more."""
        landed = asyncio.get_running_loop().create_future()
        with self._guard:
            self._waiting.append(_Entry(item, landed=landed))
            if not self._is_next_begun:
                self._rounds.begin(self._take_turn)
                self._is_next_begun = True
        await landed

    def _take_turn(self) -> None:
        with self._turn:
            self._do_all()

    def _do_all(self) -> None:
        with self._guard:
            round_, self._waiting = self._waiting, []
            self._is_next_begun = False
        if not round_:
            return
        failure: BaseException | None = None
        try:
            self._work([entry.item for entry in round_])
        except BaseException as error:  # noqa: BLE001 - each of those who wait raises it
            failure = error
        for entry in round_:
            if entry.done is not None:
                _settle([entry.done], failure)
        _land([entry.landed for entry in round_ if entry.landed is not None], failure)


def _land(futures: Sequence[asyncio.Future[None]], failure: BaseException | None) -> None:
    """Tell each loop once: to wake it costs more than what it does then."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for future in futures:
        by_loop.setdefault(future.get_loop(), []).append(future)
    for loop, those in by_loop.items():
        with suppress(RuntimeError):  # it has ended, and so whoever waited in it
            loop.call_soon_threadsafe(_settle, those, failure)


def _settle(
    futures: Sequence[Future[None] | asyncio.Future[None]], failure: BaseException | None
) -> None:
    for future in futures:
        if future.done():
            continue  # nobody waits for it any more
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)


async def landed(future: Future[T]) -> T:
    """The result, whichever thread makes it; it is made also if nobody waits for it any more."""
    return await asyncio.shield(asyncio.wrap_future(future))
