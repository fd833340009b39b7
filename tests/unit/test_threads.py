from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from manyfest.threads import Inline, batches, together, workers


def test_results_come_in_the_order_of_the_items() -> None:
    with workers(3, "test") as pool:
        assert together(pool, lambda item: item * 2, [3, 1, 2]) == [6, 2, 4]


def test_the_first_failure_stops_those_under_way_and_is_raised() -> None:
    stopped = threading.Event()

    def work(item: str) -> None:
        if item == "bad":
            raise ValueError(item)
        assert stopped.wait(5)

    with workers(2, "test") as pool, pytest.raises(ValueError, match="bad"):
        together(pool, work, ["slow", "bad"], stop=stopped.set)


def test_what_had_not_begun_when_one_failed_never_does() -> None:
    begun: list[int] = []

    def work(item: int) -> None:
        begun.append(item)
        raise ValueError

    with workers(1, "test") as pool, pytest.raises(ValueError):  # noqa: PT011
        together(pool, work, range(100))
    assert len(begun) < 100


def test_an_interrupt_does_not_wait_for_a_thread_that_hangs() -> None:
    hanging = threading.Event()

    def interrupted() -> None:
        with workers(1, "test") as pool:
            pool.submit(hanging.wait, 60)
            raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    finally:
        hanging.set()


def test_batches_are_taken_from_the_items_when_they_are_wanted() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(5):
            taken.append(number)
            yield number

    found = batches(items(), 2)
    assert (next(found), taken) == ([0, 1], [0, 1])
    assert list(found) == [[2, 3], [4]]
    assert list(batches([], 2)) == []


def test_what_is_done_inline_is_done_here_and_ends_with_what_fails() -> None:
    done = list[tuple[int, threading.Thread]]()

    def work(number: int) -> int:
        done.append((number, threading.current_thread()))
        return 6 // number

    assert list(Inline().map(work, [1, 2])) == [6, 3]
    with pytest.raises(ZeroDivisionError):
        Inline().map(work, [3, 0, 4])
    assert [number for number, _ in done] == [1, 2, 3, 0]
    assert {thread for _, thread in done} == {threading.current_thread()}
