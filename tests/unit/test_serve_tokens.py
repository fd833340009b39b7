from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from manyfest.serve.access.tokens import Grant, Tokens

KEY = b"k" * 32
PUSH = Grant("repository", "team/app", ("pull", "push"))


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(clock: Clock) -> Tokens:
    return Tokens(key=KEY, clock=clock)


def encoded(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def test_a_token_says_whose_it_is_and_for_what(tokens: Tokens) -> None:
    claims = tokens.read(tokens.issue("ada", "stamp", (PUSH,))[0])
    assert claims is not None
    assert (claims.sub, claims.stamp) == ("ada", "stamp")
    assert claims.grants("repository", "team/app", "push")
    assert not claims.grants("repository", "team/app", "delete")
    assert not claims.grants("repository", "team/app2", "push")
    assert not claims.grants("registry", "team/app", "push")


def test_it_counts_for_five_minutes(tokens: Tokens, clock: Clock) -> None:
    token = tokens.issue("ada", "", ())[0]
    clock.now += 299
    assert tokens.read(token) is not None
    clock.now += 1
    assert tokens.read(token) is None


def test_one_from_a_clock_that_was_set_back_does_not_count_for_longer(
    tokens: Tokens, clock: Clock
) -> None:
    token = tokens.issue("ada", "", ())[0]
    clock.now -= 86_400
    assert tokens.read(token) is None


def test_another_key_does_not_make_one(tokens: Tokens, clock: Clock) -> None:
    assert tokens.read(Tokens(clock=clock).issue("ada", "", ())[0]) is None
    assert tokens.read(Tokens(key=b"x" * 32, clock=clock).issue("ada", "", ())[0]) is None


def test_whatever_is_changed_in_it_is_noticed(tokens: Tokens) -> None:
    token = tokens.issue("eve", "", ())[0]
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    forged = encoded(claims | {"sub": "ada"})
    for each in (
        f"{header}.{forged}.{signature}",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{header}.{payload}.{signature}=",
        f"{header}.{payload}.{signature[:-2]}",
        f"{header}..{signature}",
        "",
        ".",
        "..",
        "x" * 9000,
        "é.é.é",
    ):
        assert tokens.read(each) is None, each
    assert tokens.read(token) is not None


def test_a_token_cannot_choose_how_it_is_looked_at(tokens: Tokens) -> None:
    payload = tokens.issue("ada", "", ())[0].split(".")[1]
    for algorithm in ("none", "HS512", "RS256"):
        header = encoded({"alg": algorithm, "typ": "JWT"})
        signed = f"{header}.{payload}"
        digest = hmac.digest(KEY, signed.encode(), hashlib.sha256)
        signature = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert tokens.read(f"{signed}.") is None
        assert tokens.read(f"{signed}.{signature}") is None
