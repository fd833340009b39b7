"""Waiting for the disk, for several files at once.

A file system makes lasting what several wait for together about as fast as what one waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

_AT_A_TIME = 16


class Syncs:
    """Threads that wait. They are started when there is something to wait for."""

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_AT_A_TIME, "manyfest-sync")

    def run(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Do all of them, each of which waits; raises what the first of those that failed raised,
        once all have ended."""
        *others, own = jobs
        tasks = [self._threads.submit(job) for job in others]
        try:
            own()
        finally:
            failures = [task.exception() for task in tasks]
        for failure in failures:
            if failure is not None:
                raise failure
