"""Quiet times and digests, over midnight and on the days on which clocks are changed: in Berlin on
2026-03-29 from 02:00 to 03:00, and on 2026-10-25 from 03:00 back to 02:00."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from manyfest.watch.notify.times import after_quiet, due_at, next_digest
from manyfest.watch.recipients import Digest, Quiet
from tests.unit.watching import at, recipient

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ("2026-11-26T20:59:59Z", "2026-11-26T20:59:59Z"),
        ("2026-11-26T21:00:00Z", "2026-11-27T06:00:00Z"),
        ("2026-11-26T23:30:00Z", "2026-11-27T06:00:00Z"),
        ("2026-11-27T05:59:59Z", "2026-11-27T06:00:00Z"),
        ("2026-11-27T06:00:00Z", "2026-11-27T06:00:00Z"),
        ("2026-03-28T21:00:00Z", "2026-03-29T05:00:00Z"),
        ("2026-03-29T04:59:59Z", "2026-03-29T05:00:00Z"),
        ("2026-10-24T19:59:59Z", "2026-10-24T19:59:59Z"),
        ("2026-10-24T20:00:00Z", "2026-10-25T06:00:00Z"),
    ],
)
def test_a_night(now: str, told: str) -> None:
    assert after_quiet(Quiet.parse("22:00-07:00"), BERLIN, at(now)) == at(told)


@pytest.mark.parametrize(
    ("quiet", "now", "told"),
    [
        ("12:00-13:00", "2026-11-26T10:59Z", "2026-11-26T10:59Z"),
        ("12:00-13:00", "2026-11-26T11:00Z", "2026-11-26T12:00Z"),
        ("12:00-24:00", "2026-11-26T11:00Z", "2026-11-26T23:00Z"),
    ],
)
def test_a_part_of_a_day(quiet: str, now: str, told: str) -> None:
    assert after_quiet(Quiet.parse(quiet), BERLIN, at(now)) == at(told)


@pytest.mark.parametrize(
    ("quiet", "now", "told"),
    [
        ("22:00-02:30", "2026-10-25T00:15Z", "2026-10-25T01:30Z"),
        ("22:00-02:30", "2026-10-25T00:45Z", "2026-10-25T01:30Z"),
        ("02:30-05:00", "2026-10-25T00:29Z", "2026-10-25T00:29Z"),
        ("02:30-05:00", "2026-10-25T00:30Z", "2026-10-25T04:00Z"),
    ],
)
def test_a_time_that_comes_twice_begins_early_and_ends_late(
    quiet: str, now: str, told: str
) -> None:
    assert after_quiet(Quiet.parse(quiet), BERLIN, at(now)) == at(told)


def test_the_next_one_may_begin_before_the_last_one_ends() -> None:
    quiet = Quiet.parse("02:40-02:20")
    assert after_quiet(quiet, BERLIN, at("2026-10-25T00:00Z")) == at("2026-10-26T01:20Z")


def test_a_time_that_is_left_out_is_that_much_later() -> None:
    quiet = Quiet.parse("22:00-02:30")
    assert after_quiet(quiet, BERLIN, at("2026-03-29T00:30Z")) == at("2026-03-29T01:30Z")


@pytest.mark.parametrize(
    ("digest", "now", "told"),
    [
        ("daily 08:00", "2026-11-26T06:59Z", "2026-11-26T07:00Z"),
        ("daily 08:00", "2026-11-26T07:00Z", "2026-11-27T07:00Z"),
        ("daily 08:00", "2026-03-28T07:00Z", "2026-03-29T06:00Z"),
        ("daily 00:00", "2026-11-26T22:59Z", "2026-11-26T23:00Z"),
        ("daily 02:30", "2026-03-29T00:00Z", "2026-03-29T01:30Z"),
        ("daily 02:30", "2026-10-24T20:00Z", "2026-10-25T00:30Z"),
        ("daily 02:30", "2026-10-25T00:30Z", "2026-10-26T01:30Z"),
        ("hourly", "2026-11-26T20:31Z", "2026-11-26T21:00Z"),
        ("hourly", "2026-11-26T21:00Z", "2026-11-26T22:00Z"),
    ],
)
def test_a_digest_comes_once(digest: str, now: str, told: str) -> None:
    assert next_digest(Digest.parse(digest), BERLIN, at(now)) == at(told)


def test_an_hour_is_full_where_the_recipient_is() -> None:
    india = ZoneInfo("Asia/Kolkata")
    digest = Digest.parse("hourly")
    assert next_digest(digest, india, at("2026-11-26T20:31Z")) == at("2026-11-26T21:30Z")


NIGHT = at("2026-11-26T23:00Z")


def test_what_is_urgent_waits_for_nothing() -> None:
    told = recipient(
        zone="Europe/Berlin", quiet=Quiet.parse("22:00-07:00"), digest=Digest.parse("daily 08:00")
    )
    assert due_at(told, "late", NIGHT) == NIGHT
    assert due_at(told, "complete", NIGHT) == at("2026-11-27T07:00Z")


def test_what_is_urgent_is_for_the_recipient_to_say() -> None:
    told = recipient(zone="Europe/Berlin", quiet=Quiet.parse("22:00-07:00"), urgent=frozenset())
    assert due_at(told, "late", NIGHT) == at("2026-11-27T06:00Z")


def test_a_digest_in_a_quiet_time_comes_at_its_end() -> None:
    told = recipient(
        zone="Europe/Berlin", quiet=Quiet.parse("22:00-07:00"), digest=Digest.parse("hourly")
    )
    assert due_at(told, "complete", NIGHT) == at("2026-11-27T06:00Z")
