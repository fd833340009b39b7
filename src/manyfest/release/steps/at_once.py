"""Several pieces of work at the same time, of which none goes on once one has failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def at_once(work: Callable[[T], R], items: Sequence[T], *, stop: Callable[[], None]) -> list[R]:
    """``work`` on every item, each in a thread of its own; the results in the items' order.

    When one fails, or Ctrl-C comes, ``stop`` is called, which must make the others end soon. They
    are waited for, and then the failure is raised.
    """
    with ThreadPoolExecutor(len(items), thread_name_prefix="release") as pool:
        tasks = [pool.submit(work, item) for item in items]
        try:
            ended, _ = wait(tasks, return_when=FIRST_EXCEPTION)
        except BaseException:
            stop()
            raise
        failed = next((task for task in tasks if task in ended and task.exception()), None)
        if failed is not None:
            stop()
    if failed is not None:
        failed.result()  # raises: those that were stopped because of it do not matter
    return [task.result() for task in tasks]
