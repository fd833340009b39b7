from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfest.watch.health.registry import observe
from manyfest.watch.health.values import RegistryState
from manyfest.watch.values import Event, Sample

NEW = RegistryState(registry="ghcr.io")
WHY = "it refused the connection"


def answered(at: float, *, limited: bool = False) -> Sample:
    return Sample(registry="ghcr.io", at=at, seconds=0.1, limited=limited)


def failed(at: float, why: str = WHY) -> Sample:
    return Sample(registry="ghcr.io", at=at, seconds=5.0, why=why)


def play(samples: list[Sample]) -> tuple[RegistryState, list[Event]]:
    """What is known and was told after the samples, each of which is observed at once."""
    state, told = NEW, list[Event]()
    for each in samples:
        state, events = observe(state, [each], each.at)
        told += events
    return state, told


def shown(told: list[Event]) -> list[tuple[float, str, float | None]]:
    return [(each.at, each.kind, each.lag) for each in told]


def test_several_failures_over_a_minute_make_a_registry_unreachable() -> None:
    state, told = play([answered(0), failed(10), failed(30), failed(70), failed(100)])
    assert told == [Event(kind="unreachable", at=70, registry="ghcr.io", why=WHY, lag=60.0)]
    assert (state.down_since, state.failures) == (10, 4)


@pytest.mark.parametrize(
    "samples",
    [
        [failed(number / 10) for number in range(100)],  # many at once
        [failed(0), failed(3600)],  # two
        [failed(0), failed(30), answered(40), failed(50), failed(99)],  # with an answer between
    ],
)
def test_less_than_that_does_not(samples: list[Sample]) -> None:
    state, told = play(samples)
    assert told == []
    assert state.down_since is None


def test_two_answers_in_a_row_say_that_it_recovered() -> None:
    state, told = play(
        [
            *(failed(0), failed(30), failed(60)),
            *(answered(100), failed(110), answered(120), answered(130)),
            *(answered(140), failed(150)),
        ]
    )
    assert shown(told) == [(60, "unreachable", 60.0), (130, "recovered", 130.0)]
    assert (state.down_since, state.failing_since, state.answered_at) == (None, 150, 140)


def test_a_registry_that_wants_to_be_left_alone_is_reachable() -> None:
    state, told = play([answered(each, limited=True) for each in range(0, 3600, 60)])
    assert told == []
    assert (state.limited_at, state.answered_at, state.failures) == (3540, 3540, 0)


def test_it_is_known_when_it_was_asked_for_the_first_time() -> None:
    assert play([failed(7), answered(9)])[0].began == 7


def test_samples_count_in_the_order_of_their_times() -> None:
    samples = [answered(50), failed(60), failed(0), failed(40), failed(90)]
    state, told = observe(NEW, samples, 100.0)
    assert told == ()
    assert (state.failing_since, state.failures) == (60, 2)


def test_failures_of_a_short_time_are_no_outage_however_late_they_are_looked_at() -> None:
    """A history that was away was waited for."""
    state, told = observe(NEW, [failed(0), failed(1), failed(2), answered(3)], 600.0)
    assert told == ()
    assert state.failing_since is None


def test_samples_of_another_registry_are_passed_over() -> None:
    other = msgspec.structs.replace(failed(0), registry="docker.io")
    assert observe(NEW, [other], 5.0) == (NEW, ())


def test_after_the_clock_was_put_back_it_takes_a_minute_again() -> None:
    _, told = play([failed(9000), failed(9010), failed(100), failed(130), failed(160)])
    assert shown(told) == [(160, "unreachable", 60.0)]


SAMPLES = st.lists(
    st.tuples(
        st.one_of(
            st.integers(min_value=0, max_value=50), st.integers(min_value=-5000, max_value=5000)
        ),
        st.booleans(),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(SAMPLES)
def test_what_is_told_takes_turns_and_is_what_is_known(steps: list[tuple[int, bool]]) -> None:
    state, now, is_down = NEW, 1_000_000.0, False
    for pause, answers in steps:
        now += pause
        state, told = observe(state, [answered(now) if answers else failed(now)], now)
        for each in told:
            assert each.kind == ("recovered" if is_down else "unreachable")
            assert each.lag is not None
            assert each.lag >= (0.0 if is_down else 60.0)
            is_down = not is_down
        assert is_down is (state.down_since is not None)
        assert max(state.failing_since or 0.0, state.answered_at or 0.0) <= now


@settings(deadline=None)
@given(SAMPLES)
def test_a_state_that_was_kept_as_json_goes_on_as_if_nothing_had_been(
    steps: list[tuple[int, bool]],
) -> None:
    state, now = NEW, 1_000_000.0
    for pause, answers in steps:
        now += pause
        sample = answered(now) if answers else failed(now)
        kept = msgspec.json.decode(msgspec.json.encode(state), type=RegistryState)
        assert observe(kept, [sample], now) == observe(state, [sample], now)
        state, _ = observe(state, [sample], now)


@settings(deadline=None)
@given(SAMPLES)
def test_in_the_end_it_is_told_how_it_is(steps: list[tuple[int, bool]]) -> None:
    state, now, last = NEW, 1_000_000.0, ""
    for pause, answers in [*steps, *[(30, False)] * 5]:
        now += pause
        state, told = observe(state, [answered(now) if answers else failed(now)], now)
        last = told[-1].kind if told else last
    assert last == "unreachable"
    for _ in range(2):
        now += 1
        state, told = observe(state, [answered(now)], now)
    assert [each.kind for each in told] == ["recovered"]
