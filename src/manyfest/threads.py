"""Work on several things at the same time that also ends at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def workers(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Threads for the block, which are waited for at its end.

    Only Ctrl-C waits for nobody: a thread may be waiting for a network for minutes.
    """
    pool = ThreadPoolExecutor(count, thread_name_prefix=name)
    try:
        yield pool
    except BaseException as error:
        pool.shutdown(wait=isinstance(error, Exception), cancel_futures=True)
        raise
    pool.shutdown()


class Inline(Executor):
    """Does what it is given at once, in the thread that gives it: one thing after the other, and
    nothing more after one that fails."""

    def submit(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """See :class:`concurrent.futures.Executor`. Raises what ``work`` raises."""
        done: Future[R] = Future()
        done.set_result(work(*args, **kwargs))
        return done


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most ``size``: what is made of so many is in memory together."""
    each = iter(items)
    while batch := list(islice(each, size)):
        yield batch


def together(
    pool: ThreadPoolExecutor,
    work: Callable[[T], R],
    items: Iterable[T],
    *,
    stop: Callable[[], None] = lambda: None,
) -> list[R]:
    """``work`` on every item; the results, in the items' order.

    When one fails, or Ctrl-C comes, those that have not begun never do, and ``stop`` is called,
    which should make the others end soon. They are waited for, and the first failure is raised;
    of several at once, that of the earliest item, so that a run says the same again.
    """
    tasks: list[Future[R]] = []
    try:
        tasks += (pool.submit(work, item) for item in items)
        ended, _ = wait(tasks, return_when=FIRST_EXCEPTION)
        failed = next((task for task in tasks if task in ended and task.exception()), None)
    except BaseException:
        stop()
        raise
    if failed is not None:
        for task in tasks:
            task.cancel()
        stop()
        wait(tasks)
        failed.result()
    return [task.result() for task in tasks]
