"""Work that threads hand in one by one and that is done many at a time.

Rewriting ``index.json`` costs the same for one tag as for twenty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class _Entry(Struct, Generic[T], eq=False):
    item: T
    done: bool = False
    failure: BaseException | None = None


class Batches(Generic[T]):
    """What is handed in while a round of ``work`` is under way is done together in the next."""

    def __init__(self, work: Callable[[Sequence[T]], None]) -> None:
        self._work = work
        self._waiting: list[_Entry[T]] = []
        self._guard = Lock()
        self._turn = Lock()

    def do(self, item: T) -> None:
        """Return once the item is done; raises what its round raised."""
        entry = _Entry(item)
        with self._guard:
            self._waiting.append(entry)
        with self._turn:
            if not entry.done:
                self._do_all()
        if entry.failure is not None:
            raise entry.failure

    def _do_all(self) -> None:
        with self._guard:
            round_, self._waiting = self._waiting, []
        failure: BaseException | None = None
        try:
            self._work([entry.item for entry in round_])
        except BaseException as error:  # noqa: BLE001 - each of the waiting threads raises it
            failure = error
        for entry in round_:
            entry.done, entry.failure = True, failure
