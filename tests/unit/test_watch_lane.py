"""What a registry is asked next, and when."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from manyfest.watch.config.values import Budget
from manyfest.watch.poll.lane import FIRST_REST, LONGEST_REST, PLACES, Lane, Look


def look(tag: str) -> Look:
    """A look at a tag."""
    return Look(image="app", repository="a.example.org/app", tag=tag)


def lane(budget: Budget | None = None) -> Lane:
    """One that waits neither shorter nor longer than it should."""
    return Lane(budget=budget, now=0.0, jitter=lambda: 0.5)


def taken(lane: Lane, now: float) -> list[str]:
    """All that may be asked now, by its tags."""
    looks = iter(lambda: lane.take(now), None)
    return [each.tag for each in looks if each]


def test_what_is_due_is_asked_and_what_is_not_is_waited_for() -> None:
    ours = lane()
    ours.plan(look("1"), 10.0)
    ours.plan(look("2"), 30.0)

    assert taken(ours, 0.0) == []
    assert ours.wait(0.0) == 10.0
    assert taken(ours, 10.0) == ["1"]
    assert ours.wait(10.0) == 20.0


def test_what_is_planned_anew_is_not_asked_when_it_was_to_be_before() -> None:
    ours = lane()
    ours.plan(look("1"), 10.0)
    ours.plan(look("1"), 20.0)

    assert taken(ours, 10.0) == []
    assert taken(ours, 20.0) == ["1"]


def test_what_was_dropped_is_not_asked() -> None:
    ours = lane()
    ours.plan(look("1"), 10.0)
    ours.drop(look("1"))

    assert taken(ours, 10.0) == []
    assert ours.wait(10.0) is None


def test_hints_come_first_then_what_is_expected_then_the_rest() -> None:
    ours = lane()
    ours.plan(look("settled"), 1.0, rank=3)
    ours.plan(look("unfinished"), 3.0, rank=1)
    ours.plan(look("hinted"), 100.0, rank=3)
    ours.hint(look("hinted"), 4.0)

    assert taken(ours, 4.0) == ["hinted", "unfinished", "settled"]


def test_a_hint_at_what_is_being_asked_has_it_asked_once_more() -> None:
    ours = lane()
    ours.plan(look("1"), 0.0)
    assert taken(ours, 0.0) == ["1"]
    ours.hint(look("1"), 1.0)
    assert taken(ours, 1.0) == []

    ours.done(look("1"), "answered", 2.0)
    ours.plan_again(look("1"), 2.0, 300.0, rank=3)

    assert taken(ours, 2.0) == ["1"]
    ours.done(look("1"), "answered", 3.0)
    ours.plan_again(look("1"), 3.0, 300.0, rank=3)
    assert ours.wait(3.0) == 300.0


def test_what_is_planned_while_it_is_being_asked_is_asked_once_more() -> None:
    ours = lane()
    ours.plan(look("1"), 0.0)
    assert taken(ours, 0.0) == ["1"]
    ours.drop(look("1"))
    ours.plan(look("1"), 1.0)
    assert taken(ours, 1.0) == []

    ours.done(look("1"), "answered", 2.0)
    ours.plan_again(look("1"), 2.0, 300.0, rank=3)

    assert taken(ours, 2.0) == ["1"]


def test_what_a_registry_hints_at_may_be_there_a_moment_later() -> None:
    ours = lane()
    ours.hint(look("1"), 0.0, twice=True)

    for now, wait in ((0.0, 1.0), (1.0, 300.0), (301.0, 300.0)):
        assert taken(ours, now) == ["1"]
        ours.done(look("1"), "answered", now)
        ours.plan_again(look("1"), now, 300.0, rank=3)
        assert ours.wait(now) == wait


def test_so_many_are_asked_at_a_time() -> None:
    ours = lane()
    for number in range(2 * PLACES):
        ours.plan(look(str(number)), 0.0)

    assert len(taken(ours, 0.0)) == PLACES
    assert ours.wait(0.0) is None
    ours.done(look("0"), "answered", 1.0)
    assert len(taken(ours, 1.0)) == 1


def test_a_registry_that_does_not_answer_is_left_alone_for_longer_and_longer() -> None:
    ours = lane()
    now, rests = 0.0, []
    for _ in range(9):
        ours.plan(look("1"), now)
        assert taken(ours, now) == ["1"]
        ours.done(look("1"), "failed", now)
        ours.plan(look("1"), now)
        rest = ours.wait(now) or 0.0
        rests.append(rest / (1 - 0.25 / 2))
        now += rest

    assert rests[:3] == [FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST]
    assert rests[-1] == LONGEST_REST


def test_one_look_tells_whether_it_is_back() -> None:
    ours = lane()
    for number in range(PLACES):
        ours.plan(look(str(number)), 0.0)
    for tag in taken(ours, 0.0):
        ours.done(look(tag), "failed", 0.0)
        ours.plan(look(tag), 0.0)
    later = FIRST_REST

    (probe,) = taken(ours, later)
    ours.done(look(probe), "answered", later)

    assert len(taken(ours, later)) == PLACES - 1


def test_failures_of_looks_that_were_under_way_together_count_as_one() -> None:
    ours = lane()
    for number in range(PLACES):
        ours.plan(look(str(number)), 0.0)
    for tag in taken(ours, 0.0):
        ours.done(look(tag), "failed", 0.0)

    ours.plan(look("next"), 0.0)
    assert (ours.wait(0.0) or 0.0) <= FIRST_REST


def test_a_registry_that_refuses_something_is_asked_for_the_rest() -> None:
    ours = lane()
    ours.plan(look("1"), 0.0)
    ours.plan(look("2"), 1.0)
    assert taken(ours, 0.0) == ["1"]
    ours.done(look("1"), "refused", 0.5)

    assert taken(ours, 1.0) == ["2"]


def test_who_wants_to_be_left_alone_is() -> None:
    ours = lane()
    ours.plan(look("1"), 0.0)
    ours.hint(look("2"), 0.0)
    ours.rest(3600.0)

    assert taken(ours, 3599.0) == []
    assert ours.wait(0.0) == 3600.0
    assert taken(ours, 3600.0) == ["2", "1"]


@settings(deadline=None)
@given(
    requests=st.integers(1, 200),
    each=st.integers(1, 8),
    jitter=st.floats(0.0, 1.0),
)
def test_no_span_sees_more_than_the_budget_and_one_look(
    requests: int, each: int, jitter: float
) -> None:
    span = 3600.0
    ours = Lane(budget=Budget(requests=requests, seconds=span), now=0.0, jitter=lambda: jitter)
    for number in range(400):
        ours.plan(look(str(number)), 0.0)
    now, sent = 0.0, list[float]()
    while now < 2 * span:
        found = ours.take(now)
        if found is None:
            now += max(ours.wait(now) or 1.0, 0.001)
            continue
        sent += [now] * each
        ours.done(found, "answered", now, each)
        ours.plan(found, now)

    busiest = max(sum(start <= at < start + span for at in sent) for start in sent)
    assert busiest <= requests + each


def test_a_budget_is_used_up() -> None:
    ours = lane(Budget(requests=100, seconds=3600.0))
    for number in range(200):
        ours.plan(look(str(number)), 0.0)
    now, count = 0.0, 0
    while now < 3600.0:
        found = ours.take(now)
        if found is None:
            now += ours.wait(now) or 1.0
            continue
        count += 1
        ours.done(found, "answered", now, 1)

    assert 90 <= count <= 100


def test_another_budget_holds_from_now_on() -> None:
    ours = lane()
    for number in range(40):
        ours.plan(look(str(number)), 0.0)
    ours.limit(Budget(requests=8, seconds=3600.0), 0.0)
    assert len(taken(ours, 0.0)) == 2

    ours.limit(None, 0.0)
    assert len(taken(ours, 0.0)) == PLACES - 2
