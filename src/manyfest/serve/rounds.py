"""How many rounds of pushes are under way at a time.

Few while they are short: what they do is Python's work, in which threads get in each other's way,
and a round that begins later takes more together. Many where they wait long for the disk, which
makes lasting what many wait for about as fast as what one waits for.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from threading import Semaphore
from time import perf_counter

_FEW, _MANY = 2, 16

_LONG = 0.05
"""Seconds that a round takes as a rule."""


class Rounds:
    """Threads that do them. They are started when there is something to do."""

    def __init__(self, *, clock: Callable[[], float] = perf_counter) -> None:
        self._threads = ThreadPoolExecutor(_MANY, "manyfest-round")
        self._few = Semaphore(_FEW)
        self._usual = 0.0
        self._clock = clock

    def begin(self, round_: Callable[[], None]) -> None:
        """Have it done as soon as there is a place for it."""
        self._threads.submit(self._do, round_)

    def _do(self, round_: Callable[[], None]) -> None:
        with self._few if self._usual < _LONG else nullcontext():
            began = self._clock()
            round_()
            self._usual += (self._clock() - began - self._usual) / 8  # one alone says little
