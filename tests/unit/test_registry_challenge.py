from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfest.stores.registry.auth.challenge import Challenge, parse_challenges


@pytest.mark.parametrize(
    ("value", "challenges"),
    [
        (
            'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
            'scope="repository:library/alpine:pull,push"',
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://auth.docker.io/token",
                        "service": "registry.docker.io",
                        "scope": "repository:library/alpine:pull,push",
                    },
                )
            ],
        ),
        ('BASIC Realm="x"', [Challenge("basic", {"realm": "x"})]),
        ("Basic", [Challenge("basic")]),
        ("Basic realm=x", [Challenge("basic", {"realm": "x"})]),
        (
            'Basic realm="a", Bearer realm="b" , service=c',
            [
                Challenge("basic", {"realm": "a"}),
                Challenge("bearer", {"realm": "b", "service": "c"}),
            ],
        ),
        (
            'Negotiate YWJj==, Basic realm="a"',
            [Challenge("negotiate"), Challenge("basic", {"realm": "a"})],
        ),
        (r'Bearer realm="a\"b\\c, d=\e"', [Challenge("bearer", {"realm": r'a"b\c, d=e'})]),
        ('Bearer realm = "a" , , error="x"', [Challenge("bearer", {"realm": "a", "error": "x"})]),
        ('Bearer realm="a",realm="b"', [Challenge("bearer", {"realm": "a"})]),
        ('Bearer realm="never closed', [Challenge("bearer")]),
        ('realm="no scheme"', []),
        ("", []),
        (" , ", []),
    ],
)
def test_challenges_are_taken_apart(value: str, challenges: list[Challenge]) -> None:
    assert list(parse_challenges([value])) == challenges


def test_several_header_fields_count_in_order() -> None:
    found = parse_challenges(['Bearer realm="a"', "Basic"])
    assert [challenge.scheme for challenge in found] == ["bearer", "basic"]


@settings(deadline=None)
@given(st.text())
def test_any_text_is_survived(value: str) -> None:
    parse_challenges([value])


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text(max_size=30)))
def test_quoted_values_come_back_as_they_were(parameters: dict[str, str]) -> None:
    clean = {name: value.replace("\n", "") for name, value in parameters.items()}
    quoted = {
        name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in clean.items()
    }
    value = "Bearer " + ",".join(f'{name}="{text}"' for name, text in quoted.items())
    assert parse_challenges([value]) == (Challenge("bearer", clean),)
