from __future__ import annotations

import itertools
import threading

from manyfest.serve.rounds import Rounds


def test_two_short_rounds_are_under_way_at_a_time() -> None:
    met, third, may_end = threading.Barrier(3), threading.Event(), threading.Event()

    def one_of_two() -> None:
        met.wait(10)
        may_end.wait(10)

    rounds = Rounds(clock=lambda: 0.0)
    rounds.begin(one_of_two)
    rounds.begin(one_of_two)
    met.wait(10)
    rounds.begin(third.set)
    assert not rounds._few.acquire(blocking=False)
    assert not third.is_set()
    may_end.set()
    assert third.wait(10)


def test_where_rounds_are_long_more_are_under_way() -> None:
    seconds = itertools.count()
    rounds = Rounds(clock=lambda: float(next(seconds)))
    rounds.begin(lambda: None)
    while not rounds._usual:
        threading.Event().wait(0.001)
    met = threading.Barrier(5)

    def meet() -> None:
        met.wait(10)

    for _ in range(4):
        rounds.begin(meet)
    met.wait(10)
    assert not met.broken
