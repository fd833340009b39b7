"""How recipients are written."""

from __future__ import annotations

import pytest

from manyfest.errors import ConfigError, UsageError
from manyfest.watch.recipients import URGENT, USUAL, Digest, Quiet, Words, check_zone
from tests.unit.watching import recipient


@pytest.mark.parametrize(
    ("text", "quiet"),
    [
        ("22:00-07:00", Quiet(start=22 * 60, end=7 * 60)),
        ("9:30 - 10:05", Quiet(start=9 * 60 + 30, end=10 * 60 + 5)),
        ("12:00-24:00", Quiet(start=12 * 60, end=0)),
    ],
)
def test_a_quiet_time(text: str, quiet: Quiet) -> None:
    assert Quiet.parse(text) == quiet


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "'' is no time of day; write one such as 07:00"),
        ("22:00", "'' is no time of day; write one such as 07:00"),
        ("22-7", "'22' is no time of day; write one such as 07:00"),
        ("22:00-25:00", "'25:00' is no time of day; write one such as 07:00"),
        ("22:00-24:01", "'24:01' is no time of day; write one such as 07:00"),
        ("22:60-07:00", "'22:60' is no time of day; write one such as 07:00"),
        ("00:00-24:00", "'00:00-24:00' is a span without length; write 22:00-07:00"),
    ],
)
def test_what_is_no_quiet_time(text: str, fault: str) -> None:
    with pytest.raises(UsageError) as raised:
        Quiet.parse(text)
    assert str(raised.value) == fault


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("hourly", Digest(every="hour")),
        ("daily 08:00", Digest(every="day", at=480)),
        ("daily  24:00", Digest(every="day", at=0)),
    ],
)
def test_a_digest(text: str, digest: Digest) -> None:
    assert Digest.parse(text) == digest


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("weekly", "'weekly' does not say when to tell; write hourly, or daily 08:00"),
        ("hourly 08:00", "'hourly 08:00' does not say when to tell; write hourly, or daily 08:00"),
        ("daily", "'' is no time of day; write one such as 07:00"),
        ("daily noon", "'noon' is no time of day; write one such as 07:00"),
    ],
)
def test_what_is_no_digest(text: str, fault: str) -> None:
    with pytest.raises(UsageError) as raised:
        Digest.parse(text)
    assert str(raised.value) == fault


def test_a_time_zone() -> None:
    assert check_zone("Europe/Berlin") == "Europe/Berlin"


@pytest.mark.parametrize(
    "name", ["Europe/Atlantis", "../etc/passwd", "/etc/localtime", "", "Europe"]
)
def test_what_is_no_time_zone(name: str) -> None:
    with pytest.raises(UsageError) as raised:
        check_zone(name)
    assert str(raised.value) == (
        f"no time zone {name!r} is known here; write one such as Europe/Berlin"
    )


def test_words_may_name_what_is_told() -> None:
    words = Words.parse("{{image}} {{ tag }}: {{text}}")
    assert words.filled({"image": "app", "text": "{{tag}} {image}"}) == "app : {{tag}} {image}"


def test_words_may_name_nothing_else() -> None:
    with pytest.raises(ConfigError) as raised:
        Words.parse("{{images}}")
    assert str(raised.value) == "unknown variable 'images'; did you mean {{image}}?"


def test_what_is_told_unless_a_recipient_says_otherwise() -> None:
    assert sorted(USUAL) == [
        "agree",
        "complete",
        "differ",
        "incomplete",
        "late",
        "moved",
        "recovered",
        "soaked",
        "unreachable",
        "vanished",
    ]
    assert sorted(URGENT) == ["late", "unreachable"]


def test_a_recipient_shows_no_secret() -> None:
    assert "t0ken" not in repr(recipient())
