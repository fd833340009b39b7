from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from manyfest.build.once import Once


def test_work_is_done_once_for_each_key() -> None:
    once: Once[str, int] = Once()
    done: list[str] = []

    def work(key: str) -> int:
        done.append(key)
        return len(done)

    assert [once.get(key, partial(work, key)) for key in "aab"] == [1, 1, 2]
    assert done == ["a", "b"]


def test_others_wait_for_the_one_that_works() -> None:
    once: Once[str, int] = Once()
    begun, go = threading.Event(), threading.Event()

    def work() -> int:
        begun.set()
        assert go.wait(10)
        return 7

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(once.get, "a", work)
        assert begun.wait(10)
        second = pool.submit(once.get, "a", lambda: 8)
        go.set()

        assert (first.result(10), second.result(10)) == (7, 7)


def test_a_failure_is_the_same_for_all() -> None:
    once: Once[str, int] = Once()

    with pytest.raises(ZeroDivisionError):
        once.get("a", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        once.get("a", lambda: 1)


def test_what_was_begun_can_be_waited_for_though_it_fails() -> None:
    once: Once[str, int] = Once()
    begun, go = threading.Event(), threading.Event()

    def work() -> int:
        begun.set()
        assert go.wait(10)
        return 1 // 0

    with ThreadPoolExecutor(2) as pool:
        failing = pool.submit(once.get, "a", work)
        assert begun.wait(10)
        settling = pool.submit(once.settle)
        go.set()
        settling.result(10)

        assert isinstance(failing.exception(10), ZeroDivisionError)
