"""Passwords, tokens and sessions, and what keeps others from using them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from manyfest.errors import HistoryAway, UsageError
from manyfest.stores.registry.auth.secret import Secret
from manyfest.watch.access import passwords, secrets
from manyfest.watch.access.accounts import Accounts, set_password
from manyfest.watch.access.origin import Came, after_sign_in, is_own
from manyfest.watch.history.batch import User
from manyfest.watch.history.history import History

RIGHT = Secret("correct horse battery")
WRONG = Secret("correct horse baттery")
HERE, THERE = "192.0.2.7", "198.51.100.9"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_COST", 4)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(str(tmp_path / "watch.db")) as history:
        yield history


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(history: History, clock: Clock) -> Accounts:
    """Accounts with one user, ada."""
    accounts = Accounts(history.people, clock)
    accounts.set_password("ada", RIGHT)
    return accounts


def test_a_password_is_right_or_it_is_not() -> None:
    kept = passwords.hashed(RIGHT)
    assert kept.startswith("$2b$04$")
    assert passwords.matches(RIGHT, kept)
    assert not passwords.matches(WRONG, kept)
    assert not passwords.matches(Secret(""), kept)


def test_a_password_is_the_same_however_its_letters_are_put_together() -> None:
    kept = passwords.hashed(Secret("l\u00f6wenz\u00e4hnchen"))
    assert passwords.matches(Secret("lo\u0308wenza\u0308hnchen"), kept)


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("123456789", "the password is too short; choose one of 10 characters or more"),
        (
            "ä" * 37,
            "the password is longer than 72 bytes, and bcrypt sees no more of it;"
            " choose a shorter one",
        ),
        ("ten\0letters", "the password has control characters; choose one without"),
    ],
)
def test_what_cannot_be_a_password_is_said_so(password: str, told: str) -> None:
    with pytest.raises(UsageError) as raised:
        passwords.hashed(Secret(password))
    assert str(raised.value) == told


def test_every_byte_of_a_long_password_counts() -> None:
    kept = passwords.hashed(Secret("a" * 72))
    assert passwords.matches(Secret("a" * 72), kept)
    assert not passwords.matches(Secret("a" * 73), kept)


class Counted:
    """How often bcrypt was asked, and at what cost."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.costs: list[bytes] = []
        original = bcrypt.checkpw

        def counting(password: bytes, hashed: bytes) -> bool:
            self.costs.append(hashed[:7])
            return original(password, hashed)

        monkeypatch.setattr(bcrypt, "checkpw", counting)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", RIGHT),
        ("ada", WRONG),
        ("ada", Secret("x" * 1000)),
        ("ada", Secret("")),
        ("nobody", RIGHT),
        ("nobody", Secret("x" * 1000)),
        ("'; DROP TABLE users; --", RIGHT),
    ],
)
def test_every_attempt_costs_one_look_at_a_password(
    known: Accounts, monkeypatch: pytest.MonkeyPatch, name: str, password: Secret
) -> None:
    counted = Counted(monkeypatch)
    known.sign_in(name, password, HERE, None)
    assert counted.costs == [b"$2b$04$"]


def test_nobodys_password_is_found_by_nobody() -> None:
    assert not passwords.matches(Secret(""), None)
    assert not passwords.matches(Secret("." * 53), None)


def test_who_signs_in_gets_a_session_of_twelve_hours(known: Accounts, clock: Clock) -> None:
    cookie = known.sign_in("ada", RIGHT, HERE, None).cookie
    assert cookie is not None
    clock.now += 12 * 3600 - 1
    found = known.session(cookie)
    assert found is not None
    assert found.user == "ada"
    clock.now += 1
    assert known.session(cookie) is None


def test_each_sign_in_gives_another_cookie_and_ends_the_one_that_was_shown(known: Accounts) -> None:
    first = known.sign_in("ada", RIGHT, HERE, None).cookie
    second = known.sign_in("ada", RIGHT, HERE, first).cookie
    assert first is not None
    assert second is not None
    assert known.session(first) is None
    assert known.session(second) is not None


def test_a_cookie_that_was_made_up_becomes_no_session(known: Accounts) -> None:
    made_up = secrets.new_cookie()
    known.sign_in("ada", RIGHT, HERE, made_up)
    assert known.session(made_up) is None


def test_another_password_ends_all_sessions(known: Accounts) -> None:
    cookie = known.sign_in("ada", RIGHT, HERE, None).cookie
    assert cookie is not None
    known.set_password("ada", Secret("something else"))
    assert known.session(cookie) is None
    assert known.sign_in("ada", RIGHT, HERE, None).cookie is None


def test_only_digests_of_secrets_are_kept(known: Accounts, tmp_path: Path) -> None:
    cookie = known.sign_in("ada", RIGHT, HERE, None).cookie
    token = known.make_token("ada", "CI", may_write=True)
    assert cookie is not None
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (cookie, token, RIGHT):
        assert secret.reveal().encode() not in written
    assert hashlib.sha256(token.reveal().encode()).hexdigest().encode() in written


def test_an_address_that_fails_too_often_waits(known: Accounts, clock: Clock) -> None:
    for number in range(10):
        known.sign_in(f"user{number}", WRONG, HERE, None)
        clock.now += 1
    assert known.sign_in("ada", RIGHT, HERE, None).wait == pytest.approx(890)
    assert known.sign_in("ada", RIGHT, THERE, None).cookie is not None
    clock.now += 890
    assert known.sign_in("ada", RIGHT, HERE, None).cookie is not None


def test_a_name_that_many_addresses_try_waits_too(known: Accounts) -> None:
    for number in range(30):
        known.sign_in("ada", WRONG, f"198.51.100.{number}", None)
    assert known.sign_in("ada", RIGHT, HERE, None).cookie is None


def test_who_has_to_wait_costs_no_look_at_a_password(
    known: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(10):
        known.sign_in("ada", WRONG, HERE, None)
    counted = Counted(monkeypatch)
    known.sign_in("ada", RIGHT, HERE, None)
    known.sign_in("nobody", RIGHT, HERE, None)
    assert counted.costs == []


def test_only_so_many_attempts_wait_for_their_turn(
    known: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt, while it is looked at, is followed by another one."""
    waits = list[float]()

    def another(password: Secret, kept: str | None) -> bool:
        waits.append(known.sign_in("ada", WRONG, f"198.51.100.{len(waits)}", None).wait)
        return False

    monkeypatch.setattr(passwords, "matches", another)
    known.sign_in("ada", WRONG, HERE, None)
    assert waits == [10.0] + [0.0] * 7
    monkeypatch.undo()
    assert known.sign_in("ada", RIGHT, HERE, None).cookie is not None


def test_the_last_attempt_says_how_long_to_wait(known: Accounts) -> None:
    waits = [known.sign_in("ada", WRONG, HERE, None).wait for _ in range(10)]
    assert waits == [0.0] * 9 + [900.0]


def test_a_token_is_good_until_it_is_revoked(known: Accounts) -> None:
    token = known.make_token("ada", "  CI  ", may_write=False)
    assert secrets.is_token(token.reveal())
    bearer = known.bearer(token)
    assert bearer is not None
    assert (bearer.user, bearer.may_write) == ("ada", False)
    [kept] = known.tokens("ada")
    assert kept.name == "CI"
    assert not known.revoke(kept.id, "bob")
    assert known.revoke(kept.id, "ada")
    assert known.bearer(token) is None


def test_when_a_token_was_used_is_noted_once_a_minute(known: Accounts, clock: Clock) -> None:
    token = known.make_token("ada", "CI", may_write=False)
    began = clock.now
    used = []
    for _ in range(4):
        known.bearer(token)
        used.append(known.tokens("ada")[0].used_at)
        clock.now += 30
    assert used == [began, began, began + 60, began + 60]


def test_a_token_is_taken_where_its_use_cannot_be_noted(
    known: Accounts, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = known.make_token("ada", "CI", may_write=False)

    def full(*_: Any) -> None:
        raise HistoryAway("the disk is full")

    monkeypatch.setattr(history.people, "use_token", full)
    assert known.bearer(token) is not None


@pytest.mark.parametrize("label", ["", "  ", "x" * 101, "a\nb"])
def test_a_token_has_a_name(known: Accounts, label: str) -> None:
    with pytest.raises(UsageError, match="the token has no name; say what it is for"):
        known.make_token("ada", label, may_write=False)


@pytest.mark.parametrize("name", ["", "-a", "a b", "a\n", "a/b", "x" * 65, "ä"])
def test_a_users_name_is_plain(history: History, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a user's name"):
        set_password(history.people, name, RIGHT, 0.0)


def test_what_is_shown_of_people_is_no_secret(known: Accounts, history: History) -> None:
    user = history.people.user("ada")
    assert repr(user) == "<User ada>"
    assert isinstance(user, User)


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("Bearer mfw_" + "a" * 43, True),
        ("bearer  mfw_" + "-" * 43, True),
        ("Bearer mfw_" + "a" * 42, False),
        ("Bearer mfw_" + "ä" * 43, False),
        ("Basic YTpi", False),
        ("mfw_" + "a" * 43, False),
        ("", False),
    ],
)
def test_a_token_is_found_in_its_field(field: str, found: bool) -> None:
    assert (secrets.bearer(field) is not None) == found


def test_words_are_compared_whatever_is_in_them() -> None:
    assert secrets.same("a", "a")
    assert not secrets.same("\udcff", "a")
    assert not secrets.same("", "a")


OWN = "https://watch.example.org"


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (Came(host="watch.example.org", origin="https://watch.example.org"), True),
        (Came(host="watch.example.org", origin="http://WATCH.example.org"), True),
        (Came(host="10.0.0.5:8080", origin="https://watch.example.org"), True),
        (Came(host="localhost:8080", origin="http://localhost:8080"), True),
        (Came(host="watch.example.org", origin="https://watch.example.org:443"), True),
        (Came(host="watch.example.org", origin="https://watch.example.org:8443"), False),
        (Came(host="watch.example.org", origin="https://evil.example"), False),
        (Came(host="watch.example.org", origin="https://watch.example.org.evil.example"), False),
        (Came(host="watch.example.org", origin="https://evil.example/watch.example.org"), False),
        (Came(host="watch.example.org", origin="https://watch.example.org@evil.example"), False),
        (Came(host="watch.example.org", origin="null"), False),
        (Came(host="watch.example.org", origin="https://["), False),
        (Came(host="watch.example.org", origin="https://watch.example.org:x"), False),
        (Came(host="watch.example.org", referer="https://watch.example.org/admin"), True),
        (Came(host="watch.example.org", referer="https://evil.example/"), False),
        (
            Came(
                host="watch.example.org",
                origin="https://watch.example.org",
                fetch_site="cross-site",
            ),
            False,
        ),
        (
            Came(
                host="watch.example.org", origin="https://watch.example.org", fetch_site="same-site"
            ),
            False,
        ),
        (Came(host="watch.example.org", fetch_site="same-origin"), True),
        (Came(host="watch.example.org"), False),
        (Came(host="", origin=""), False),
    ],
)
def test_a_form_is_ours_or_it_is_not(came: Came, expected: bool) -> None:
    assert is_own(came, OWN) == expected


def test_without_an_address_of_ours_the_host_alone_counts() -> None:
    assert is_own(Came(host="a.example", origin="https://a.example"), "")
    assert not is_own(Came(host="a.example", origin="https://b.example"), "")


@pytest.mark.parametrize("path", ["/", "/admin/tokens", "/images/a/b?x=1&y=//z#part"])
def test_after_signing_in_one_goes_where_one_wanted(path: str) -> None:
    assert after_sign_in(path) == path


@pytest.mark.parametrize(
    "elsewhere",
    [
        "",
        "admin",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: x=y",
        "/\N{FULLWIDTH SOLIDUS}evil.example",
        "/" + "a" * 2000,
    ],
)
def test_after_signing_in_nobody_is_led_elsewhere(elsewhere: str) -> None:
    assert after_sign_in(elsewhere) == "/admin"
