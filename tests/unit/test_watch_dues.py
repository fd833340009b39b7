"""Which tag something is due for, and when."""

from __future__ import annotations

from manyfest.watch.dues import Dues

ONE, OTHER = ("app", "1"), ("app", "2")


def test_what_is_due_is_so_once() -> None:
    dues = Dues()
    dues.plan(OTHER, 20.0)
    dues.plan(ONE, 10.0)

    assert dues.first() == 10.0
    assert dues.take(9.0) == []
    assert dues.take(20.0) == [ONE, OTHER]
    assert dues.take(99.0) == []
    assert dues.first() is None


def test_what_is_due_at_another_time_is_not_when_it_was_before() -> None:
    dues = Dues()
    dues.plan(ONE, 10.0)
    dues.plan(ONE, 30.0)

    assert dues.take(29.0) == []
    assert dues.take(30.0) == [ONE]


def test_what_is_not_due_any_more_is_not() -> None:
    dues = Dues()
    dues.plan(ONE, 10.0)
    dues.plan(ONE, None)

    assert dues.take(99.0) == []


def test_what_was_asked_for_is_asked_for_again_after_a_while_if_nobody_answers() -> None:
    dues = Dues()
    dues.plan(ONE, 10.0)
    assert dues.take(11.0) == [ONE]
    dues.note_asked(ONE, 10.0, 11.0)
    dues.plan(ONE, 10.0)  # somebody else answered

    assert dues.take(40.0) == []
    assert dues.take(41.0) == [ONE]


def test_what_is_due_anew_does_not_wait_for_that() -> None:
    dues = Dues()
    dues.plan(ONE, 10.0)
    dues.take(11.0)
    dues.note_asked(ONE, 10.0, 11.0)
    dues.plan(ONE, 12.0)

    assert dues.take(12.0) == [ONE]
