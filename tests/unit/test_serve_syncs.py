from __future__ import annotations

import threading
import time

import pytest

from manyfest.serve.syncs import Syncs


def nothing() -> None:
    """A wait that is over at once."""


def test_those_that_take_long_are_waited_for_together() -> None:
    met = threading.Barrier(3)
    passed: list[int] = []
    Syncs().run([lambda: passed.append(met.wait(10))] * 3)
    assert sorted(passed) == [0, 1, 2]


def test_those_that_are_short_are_done_in_the_same_thread() -> None:
    syncs = Syncs()
    syncs.run([nothing])
    threads: list[int] = []
    syncs.run([lambda: threads.append(threading.get_ident())] * 3)
    assert threads == [threading.get_ident()] * 3


def test_when_they_become_long_they_are_waited_for_together_again() -> None:
    syncs = Syncs()
    syncs.run([nothing])
    met = threading.Barrier(2)
    passed: list[int] = []

    def meet() -> None:
        passed.append(met.wait(10))

    syncs.run([meet, meet, lambda: time.sleep(0.01)])
    assert sorted(passed) == [0, 1]


def test_a_failure_is_raised_once_all_have_ended() -> None:
    ended = threading.Event()

    def slow() -> None:
        time.sleep(0.05)
        ended.set()

    def fails() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        Syncs().run([slow, fails])
    assert ended.is_set()
    with pytest.raises(OSError, match="no"):
        Syncs().run([fails, nothing])
