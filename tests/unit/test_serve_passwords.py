from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import bcrypt
import pytest

from manyfest.serve.access.htpasswd import User
from manyfest.serve.access.passwords import Login, Passwords, parse_basic
from manyfest.serve.errors import Refusal
from tests.gates import SWORDFISH, basic

T = TypeVar("T")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def users() -> dict[str, User]:
    return {name: User(name, SWORDFISH.encode()) for name in ("ada", "bob")}


@pytest.fixture
def passwords(users: dict[str, User], clock: Clock) -> Passwords:
    return Passwords(lambda: users, clock=clock)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The hashes that were compared with."""
    found: list[bytes] = []
    real: Callable[[bytes, bytes], bool] = bcrypt.checkpw

    def checkpw(password: bytes, expected: bytes) -> bool:
        found.append(expected)
        return real(password, expected)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    return found


def look(
    passwords: Passwords, name: str, password: str = "swordfish", address: str = "192.0.2.1"
) -> str | None:
    user = asyncio.run(passwords.user(Login(name, password.encode()), address))
    return user.name if user else None


def test_a_password_is_right_or_wrong(passwords: Passwords) -> None:
    assert look(passwords, "ada") == "ada"
    assert look(passwords, "ada", "sawfish") is None
    assert look(passwords, "ada", "") is None
    assert look(passwords, "ada", "swordfish\0") is None
    assert look(passwords, "zoe") is None


def test_one_that_was_right_is_not_hashed_again_for_five_minutes(
    passwords: Passwords, clock: Clock, hashed: list[bytes]
) -> None:
    for _ in range(3):
        assert look(passwords, "ada") == "ada"
    assert len(hashed) == 1
    clock.now += 301
    assert look(passwords, "ada") == "ada"
    assert len(hashed) == 2


def test_one_that_was_changed_does_not_count_any_more(
    passwords: Passwords, users: dict[str, User]
) -> None:
    assert look(passwords, "ada") == "ada"
    users["ada"] = User("ada", bcrypt.hashpw(b"haddock", bcrypt.gensalt(4)))
    assert look(passwords, "ada") is None
    assert look(passwords, "ada", "haddock") == "ada"


def test_a_user_who_was_removed_is_out(passwords: Passwords, users: dict[str, User]) -> None:
    assert look(passwords, "ada") == "ada"
    del users["ada"]
    assert look(passwords, "ada") is None


def test_a_name_that_nobody_has_takes_as_much_work(
    passwords: Passwords, hashed: list[bytes]
) -> None:
    assert look(passwords, "zoe") is None
    assert len(hashed) == 1
    assert hashed[0].startswith(b"$2b$05$")
    assert len(hashed[0]) == 60


def test_of_a_long_password_what_bcrypt_takes_counts(
    passwords: Passwords, users: dict[str, User]
) -> None:
    users["ada"] = User("ada", bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)))
    assert look(passwords, "ada", "x" * 100) == "ada"
    assert look(passwords, "ada", "x" * 71) is None


def test_after_ten_wrong_ones_an_address_must_wait(
    passwords: Passwords, clock: Clock, hashed: list[bytes]
) -> None:
    for number in range(10):
        assert look(passwords, f"name{number}", "x") is None
    with pytest.raises(Refusal, match="too many wrong passwords") as caught:
        look(passwords, "ada")
    assert caught.value.status == 429
    assert caught.value.headers == {"Retry-After": "900"}
    assert len(hashed) == 10
    assert look(passwords, "ada", address="192.0.2.2") == "ada"
    clock.now += 901
    assert look(passwords, "bob") == "bob"


def test_a_password_that_is_known_goes_on_to_count_from_such_an_address(
    passwords: Passwords,
) -> None:
    """Else one who guesses would shut out all who come through the same proxy."""
    assert look(passwords, "ada") == "ada"
    for _ in range(10):
        assert look(passwords, "bob", "x") is None
    assert look(passwords, "ada") == "ada"


def test_many_addresses_get_no_further(passwords: Passwords) -> None:
    for number in range(30):
        assert look(passwords, "ada", "x", address=f"198.51.100.{number}") is None
    with pytest.raises(Refusal, match="too many wrong passwords"):
        look(passwords, "ada", "x", address="203.0.113.1")
    assert look(passwords, "bob", address="203.0.113.1") == "bob"


def test_a_crowd_at_once_gets_no_more_attempts(passwords: Passwords, hashed: list[bytes]) -> None:
    async def all_at_once() -> list[object]:
        attempts = (passwords.user(Login("ada", b"x"), "192.0.2.1") for _ in range(60))
        return list(await asyncio.gather(*attempts, return_exceptions=True))

    found = asyncio.run(all_at_once())
    assert sum(isinstance(each, Refusal) for each in found) >= 48
    assert len(hashed) <= 12


def test_what_would_wait_too_long_is_told_to_come_again(passwords: Passwords) -> None:
    async def all_at_once() -> list[object]:
        attempts = (
            passwords.user(Login(f"name{number}", b"x"), f"198.51.100.{number}")
            for number in range(100)
        )
        return list(await asyncio.gather(*attempts, return_exceptions=True))

    found = asyncio.run(all_at_once())
    refused = [each for each in found if isinstance(each, Refusal)]
    assert len(refused) == 36
    assert str(refused[0]) == "too many passwords are being looked at; try again later"


def test_basic_is_parsed() -> None:
    assert parse_basic(basic("ada", "a:b").removeprefix("Basic ")) == Login("ada", b"a:b")
    assert parse_basic(basic("ada", "pä").removeprefix("Basic ")) == Login("ada", "pä".encode())


@pytest.mark.parametrize("value", ["", "!", "YWRh", "Og==", "OnB3", "//8=", "YWRhOnB3" * 600])
def test_what_is_no_login_is_none(value: str) -> None:
    assert parse_basic(value) is None


def test_a_password_is_not_shown() -> None:
    assert repr(Login("ada", b"swordfish")) == "Login('ada')"
