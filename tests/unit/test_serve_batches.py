from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from manyfest.serve.batches import Batches


def run_all(work: Batches[int], items: list[int]) -> None:
    threads = [threading.Thread(target=work.do, args=(item,)) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_what_waits_is_done_in_one_round() -> None:
    rounds: list[list[int]] = []
    first_began, others_wait = threading.Event(), threading.Event()

    def work(items: Sequence[int]) -> None:
        rounds.append(sorted(items))
        if len(rounds) == 1:
            first_began.set()
            others_wait.wait(10)

    batches = Batches(work)
    first = threading.Thread(target=batches.do, args=(0,))
    first.start()
    first_began.wait(10)
    others = [threading.Thread(target=batches.do, args=(item,)) for item in (1, 2, 3)]
    for thread in others:
        thread.start()
    while len(batches._waiting) < 3:
        threading.Event().wait(0.001)
    others_wait.set()
    for thread in (first, *others):
        thread.join()
    assert rounds == [[0], [1, 2, 3]]


def test_everything_is_done_once() -> None:
    done: list[int] = []
    run_all(Batches(done.extend), list(range(50)))
    assert sorted(done) == list(range(50))


def test_a_failure_is_raised_where_it_was_handed_in_and_the_next_round_goes_on() -> None:
    def work(items: Sequence[str]) -> None:
        if "bad" in items:
            raise ValueError("no")

    batches = Batches(work)
    with pytest.raises(ValueError, match="no"):
        batches.do("bad")
    batches.do("good")


def test_what_event_loops_hand_in_is_done_together_by_one_thread() -> None:
    rounds: list[list[int]] = []
    threads: list[str] = []
    others_wait = threading.Event()

    def work(items: Sequence[int]) -> None:
        rounds.append(sorted(items))
        threads.append(threading.current_thread().name)
        if len(rounds) == 1:
            others_wait.wait(10)

    async def hand_in() -> None:
        batches = Batches(work)
        first = asyncio.create_task(batches.share(0))
        while not rounds:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(batches.share(item)) for item in (1, 2, 3)]
        await asyncio.sleep(0)
        others_wait.set()
        await asyncio.gather(first, *others)

    asyncio.run(hand_in())
    assert rounds == [[0], [1, 2, 3]]
    assert "MainThread" not in threads


def test_an_item_is_done_though_whoever_handed_it_in_has_gone() -> None:
    done: list[int] = []
    began, may_go_on = threading.Event(), threading.Event()

    def work(items: Sequence[int]) -> None:
        began.set()
        may_go_on.wait(10)
        done.extend(items)

    async def hand_in() -> None:
        batches = Batches(work)
        gone = asyncio.create_task(batches.share(1))
        await asyncio.to_thread(began.wait, 10)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        may_go_on.set()
        await batches.share(2)

    asyncio.run(hand_in())
    assert done == [1, 2]


def test_a_failure_of_a_round_is_raised_in_the_event_loop() -> None:
    def work(_: Sequence[int]) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(Batches(work).share(1))
