from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.watch.health.lags import Lags, lags
from manyfest.watch.health.latency import histogram, merged, quantile
from manyfest.watch.health.periods import periods
from manyfest.watch.health.values import Histogram, Period
from manyfest.watch.values import Sample

TIMES = st.lists(st.floats(min_value=0.002, max_value=50.0), max_size=50)
HISTOGRAMS = TIMES.map(histogram)


def test_the_median_and_p95_of_a_hundred_requests() -> None:
    times = histogram([0.1] * 50 + [0.2] * 44 + [2.0] * 6)
    assert quantile(times, 0.5) == pytest.approx(0.1, rel=0.09)
    assert quantile(times, 0.95) == pytest.approx(2.0, rel=0.09)
    assert quantile(times, 0.94) == pytest.approx(0.2, rel=0.09)


def test_no_requests_have_no_times() -> None:
    assert quantile(histogram([]), 0.5) is None


@pytest.mark.parametrize(
    ("seconds", "step"), [(-1.0, 0), (math.nan, 0), (0.0, 0), (0.001, 0), (1e9, 64), (math.inf, 64)]
)
def test_what_is_out_of_range_counts_as_the_first_or_the_last_step(
    seconds: float, step: int
) -> None:
    assert histogram([seconds]) == Histogram({step: 1})


def test_it_is_small() -> None:
    times = histogram(0.02 + number / 1000 for number in range(1000))
    assert len(msgspec.json.encode(times)) < 300


@given(HISTOGRAMS)
def test_it_is_the_same_after_it_was_kept_as_json(times: Histogram) -> None:
    assert msgspec.json.decode(msgspec.json.encode(times), type=Histogram) == times


@given(HISTOGRAMS, HISTOGRAMS, HISTOGRAMS)
def test_they_add_up_in_any_order(one: Histogram, two: Histogram, three: Histogram) -> None:
    assert merged([merged([one, two]), three]) == merged([one, merged([two, three])])
    assert merged([one, two]) == merged([two, one])
    assert merged([one, Histogram()]) == one


@given(TIMES, TIMES)
def test_added_up_they_are_that_of_all_times(one: list[float], two: list[float]) -> None:
    assert merged([histogram(one), histogram(two)]) == histogram([*one, *two])


@given(TIMES.filter(bool), st.floats(min_value=0.01, max_value=1.0))
def test_a_quantile_is_right_within_9_percent(times: list[float], share: float) -> None:
    exact = sorted(times)[math.ceil(share * len(times)) - 1]
    assert quantile(histogram(times), share) == pytest.approx(exact, rel=0.0906)


def test_samples_are_added_up_by_registry_and_five_minutes() -> None:
    samples = [
        Sample(registry="ghcr.io", at=1000.0, seconds=0.1),
        Sample(registry="docker.io", at=1100.0, seconds=0.1),
        Sample(registry="ghcr.io", at=899.9, seconds=0.1),
        Sample(registry="ghcr.io", at=1199.9, seconds=30.0, why="no answer"),
        Sample(registry="ghcr.io", at=900.0, seconds=0.1, limited=True),
    ]
    tenth = histogram([0.1])
    assert periods(samples) == (
        Period(registry="docker.io", start=900, asked=1, failed=0, latencies=tenth),
        Period(registry="ghcr.io", start=600, asked=1, failed=0, latencies=tenth),
        Period(registry="ghcr.io", start=900, asked=3, failed=1, latencies=histogram([0.1, 0.1])),
    )


def test_the_lags_of_versions() -> None:
    assert lags([]) is None
    assert lags([7.0]) == Lags(count=1, median=7.0, p95=7.0)
    assert lags(range(1, 101)) == Lags(count=100, median=50.5, p95=95)
