from __future__ import annotations

import signal

import pytest

from manyfest.cli.interrupts import interruptible


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_either_signal_interrupts(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(number)


def put_back_under(first: signal.Signals, second: signal.Signals, done: list[str]) -> None:
    with interruptible():
        try:
            signal.raise_signal(first)
        finally:
            signal.raise_signal(second)
            done.append("put back")


def test_what_is_being_put_back_is_not_ended_by_a_second_sigterm() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        put_back_under(signal.SIGINT, signal.SIGTERM, done)
    assert done == ["put back"]


def test_ctrl_c_ends_even_that() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        put_back_under(signal.SIGTERM, signal.SIGINT, done)
    assert done == []


def test_afterwards_all_is_as_it_was() -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with interruptible():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
