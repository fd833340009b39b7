"""Waiting for the disk, for several files at once.

A file system makes lasting what several wait for together about as fast as what one waits for. But
where the wait is shorter than it takes to wake a thread, one after the other is faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from time import perf_counter

_AT_A_TIME = 16

_SHORT = 0.0005
"""Seconds."""


class Syncs:
    """Threads that wait. They are started when there is something to wait for."""

    def __init__(self) -> None:
        self._are_short = False

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_AT_A_TIME, "manyfest-sync")

    def run(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Do all of them, each of which waits. Raises what one of them raises, once none of them is
        being done any more."""
        left = list(jobs)
        while left and self._are_short:
            self._time(left.pop())
        if left:
            self._together(left)

    def _together(self, jobs: Sequence[Callable[[], None]]) -> None:
        *others, own = jobs
        tasks = [self._threads.submit(job) for job in others]
        try:
            self._time(own)
        finally:
            failures = [task.exception() for task in tasks]
        for failure in failures:
            if failure is not None:
                raise failure

    def _time(self, job: Callable[[], None]) -> None:
        began = perf_counter()
        job()
        self._are_short = perf_counter() - began < _SHORT
