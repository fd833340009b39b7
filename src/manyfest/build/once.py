"""Work that several threads may want done, and that is done once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Once(Generic[K, V]):
    """Results by the key of what they were made from. A failure is a result too."""

    def __init__(self) -> None:
        self._results: dict[K, Future[V]] = {}
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The result for ``key``: made now by ``make``, made before, or awaited."""
        with self._lock:
            result = self._results.get(key)
            mine = result is None
            if result is None:
                result = self._results[key] = Future()
        if mine:
            try:
                result.set_result(make())
            except BaseException as error:
                result.set_exception(error)
                raise
        return result.result()

    def settle(self) -> None:
        """Wait until all that was begun has ended."""
        with self._lock:
            begun = list(self._results.values())
        wait(begun)

    def found(self, key: K) -> V | None:
        """The result for ``key`` if it was made already, and did not fail."""
        with self._lock:
            result = self._results.get(key)
        if result is None or not result.done() or result.exception() is not None:
            return None
        return result.result()
