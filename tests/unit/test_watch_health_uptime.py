from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.watch.health.uptime import Status, bars, by_day, uptime
from manyfest.watch.health.values import DAY, Day, RegistryState
from manyfest.watch.values import Incident

TODAY = 20_000
NOON = TODAY * DAY + 43_200.0
STATE = RegistryState(registry="ghcr.io", began=(TODAY - 300) * DAY)
ALL = [Day(day=TODAY - number, asked=100) for number in range(100)]


def outage(began: float, ended: float | None) -> Incident:
    return Incident(kind="unreachable", began=began, ended=ended, cause="why", registry="ghcr.io")


@pytest.mark.parametrize(
    ("day", "status"),
    [
        (Day(day=TODAY, asked=1000), "up"),
        (Day(day=TODAY, asked=1000, failed=9), "up"),
        (Day(day=TODAY, asked=1000, failed=10), "degraded"),
        (Day(day=TODAY, asked=10, failed=1), "degraded"),
        (Day(day=TODAY, asked=1000, failed=5, down=60.0), "degraded"),
        (Day(day=TODAY, asked=1000, failed=5, down=2159.0), "degraded"),
        (Day(day=TODAY, asked=1000, failed=5, down=2160.0), "down"),  # 5 % of half a day
        (Day(day=TODAY, asked=0, failed=0, down=60.0), "degraded"),
    ],
)
def test_how_a_day_was(day: Day, status: Status) -> None:
    assert bars(STATE, [day], NOON, 1)[0].status == status


def test_there_is_a_bar_for_each_day_today_last() -> None:
    days = [Day(day=TODAY, asked=5), Day(day=TODAY - 2, asked=7, failed=7)]
    assert [(each.day, each.status, each.asked, each.failed) for each in bars(
        STATE, days, NOON, 4
    )] == [
        (TODAY - 3, "no data", 0, 0),
        (TODAY - 2, "degraded", 7, 7),
        (TODAY - 1, "no data", 0, 0),
        (TODAY, "up", 5, 0),
    ]  # fmt: skip
    assert len(bars(STATE, days, NOON)) == 90


def test_what_goes_on_counts_for_each_day_that_it_lasted() -> None:
    state = RegistryState(registry="ghcr.io", began=0.0, down_since=NOON - DAY)
    assert [(each.status, each.down) for each in bars(state, ALL, NOON, 3)] == [
        ("up", 0.0),
        ("down", 43_200.0),
        ("down", 43_200.0),
    ]


def test_the_first_day_is_as_long_as_it_was_watched() -> None:
    state = RegistryState(registry="ghcr.io", began=NOON - 600)
    day = Day(day=TODAY, asked=10, failed=5, down=60.0)
    assert bars(state, [day], NOON, 1)[0].status == "down"


@pytest.mark.parametrize(
    ("outages", "expected"),
    [
        ([], 1.0),
        ([outage(NOON - 3600, NOON - 1800)], 0.9791666),
        ([outage(NOON - 3600, None)], 0.9583333),
        ([outage(NOON - 2 * DAY, NOON - DAY + 43_200)], 0.5),
        ([outage(NOON - 9 * DAY, NOON - 8 * DAY)], 1.0),
        ([outage(NOON - 9 * DAY, None)], 0.0),
    ],
)
def test_uptime_is_the_share_of_time_that_was_no_outage(
    outages: list[Incident], expected: float
) -> None:
    assert uptime(STATE, ALL, outages, NOON, DAY) == pytest.approx(expected)


def test_days_of_which_nothing_is_known_do_not_count() -> None:
    """Of three days the watch ran in the last one only."""
    days = [Day(day=TODAY, asked=10)]
    half = [outage(TODAY * DAY, TODAY * DAY + 21_600.0)]
    assert uptime(STATE, days, half, NOON, 3 * DAY) == 0.5
    assert uptime(STATE, [], half, NOON, 3 * DAY) is None


def test_the_time_before_the_first_question_does_not_count() -> None:
    state = RegistryState(registry="ghcr.io", began=NOON - 600)
    days = [Day(day=TODAY, asked=10)]
    assert uptime(state, days, [outage(NOON - 600, None)], NOON, DAY) == 0.0
    assert uptime(RegistryState(registry="ghcr.io"), days, [], NOON, DAY) is None


def test_an_outage_over_midnight_is_of_two_days() -> None:
    midnight = float(TODAY * DAY)
    assert dict(by_day(midnight - 100, midnight + 50)) == {TODAY - 1: 100.0, TODAY: 50.0}
    assert dict(by_day(midnight - 100, midnight)) == {TODAY - 1: 100.0}
    assert dict(by_day(midnight, midnight - 100)) == {}


TIMES = st.floats(min_value=0.0, max_value=50.0 * DAY)


@given(TIMES, TIMES)
def test_the_days_of_a_time_add_up_to_it(one: float, two: float) -> None:
    began, ended = sorted((one, two))
    parts = dict(by_day(began, ended))
    assert sum(parts.values()) == pytest.approx(ended - began)
    assert all(0 < each <= DAY for each in parts.values())


@given(
    st.lists(st.tuples(TIMES, TIMES), max_size=5), st.floats(min_value=1.0, max_value=60.0 * DAY)
)
def test_uptime_is_a_share(times: list[tuple[float, float]], span: float) -> None:
    now = 50.0 * DAY
    state = RegistryState(registry="ghcr.io", began=0.0)
    days = [Day(day=day, asked=1) for day in range(51)]
    outages = [outage(*sorted(each)) for each in times]
    share = uptime(state, days, outages, now, span)
    assert share is not None
    assert 0.0 <= share <= 1.0
