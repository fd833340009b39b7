"""Who looks on hears what happens, in threads and in event loops."""

from __future__ import annotations

import asyncio
import threading

from manyfest.watch.live import Live, News
from manyfest.watch.values import Event

EVENT = Event(kind="appeared", at=1.0, image="app", tag="1")
SHORT, LONG = 0.01, 20.0


def test_what_came_since_is_told_together() -> None:
    live = Live()
    with live.subscribe() as reader:
        live.publish(News(events=(EVENT,), tags=frozenset({("app", "1")})))
        live.publish(News(tags=frozenset({("app", "2")}), registries=frozenset({"hub"})))

        assert reader.wait(LONG) == News(
            events=(EVENT,),
            tags=frozenset({("app", "1"), ("app", "2")}),
            registries=frozenset({"hub"}),
        )
        assert reader.wait(SHORT) is None


def test_a_thread_waits_for_it() -> None:
    live = Live()
    with live.subscribe() as reader:
        threading.Timer(0.05, live.publish, [News(images=frozenset({"app"}))]).start()

        assert reader.wait(LONG) == News(images=frozenset({"app"}))


def test_an_event_loop_waits_for_it() -> None:
    live = Live()

    async def look() -> list[News | None]:
        with live.subscribe() as reader:
            nothing = await reader.next(SHORT)
            threading.Timer(0.05, live.publish, [News(images=frozenset({"app"}))]).start()
            first = await reader.next(LONG)
            live.publish(News(missed=True))
            return [nothing, first, await reader.next(LONG), await reader.next(SHORT)]

    assert asyncio.run(look()) == [
        None,
        News(images=frozenset({"app"})),
        News(missed=True),
        None,
    ]


def test_what_came_before_the_loop_first_asked_is_told() -> None:
    live = Live()

    async def look() -> News | None:
        reader = live.subscribe()
        live.publish(News(missed=True))
        return await reader.next(LONG)

    assert asyncio.run(look()) == News(missed=True)


def test_a_reader_that_does_not_come_costs_no_memory_and_is_told_so() -> None:
    live = Live()
    with live.subscribe() as reader:
        for _ in range(1001):
            live.publish(News(events=(EVENT,)))

        assert reader.wait(LONG) == News(missed=True)


def test_the_end_wakes_everybody() -> None:
    live = Live()
    reader = live.subscribe()
    threading.Timer(0.05, live.close).start()

    assert reader.wait(LONG) is None
    assert reader.closed
    assert live.subscribe().closed


def test_one_that_left_hears_no_more() -> None:
    live = Live()
    reader = live.subscribe()
    reader.close()
    live.publish(News(missed=True))

    assert reader.wait(SHORT) is None
