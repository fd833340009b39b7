from __future__ import annotations

import pytest

from manyfest.errors import ConfigError
from manyfest.serve.access.rights import (
    Access,
    Pattern,
    Right,
    Rule,
    Who,
    everything_for_users,
)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("team/app", "team/app"),
        ("team/*", "team/app"),
        ("team/app-*", "team/app-server"),
        ("*/app", "team/app"),
        ("a*c*e", "abcde"),
        ("team/**", "team"),
        ("team/**", "team/a/b/c"),
        ("**/app", "app"),
        ("**/app", "a/b/app"),
        ("a/**/b/**/c", "a/x/b/y/z/c"),
        ("**", "any/thing/at/all"),
    ],
)
def test_a_pattern_fits(pattern: str, name: str) -> None:
    assert Pattern.parse(pattern).fits(name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("team/app", "team/app2"),
        ("team/app", "other/team/app"),
        ("team/*", "team"),
        ("team/*", "team/a/b"),
        ("team/**", "teams/app"),
        ("*", "team/app"),
        ("a*c", "abcd"),
        ("**/app", "app/x"),
        ("a/**/b", "a/c"),
    ],
)
def test_a_pattern_does_not_fit(pattern: str, name: str) -> None:
    assert not Pattern.parse(pattern).fits(name)


@pytest.mark.parametrize(
    "text", ["", "/", "team/", "/team", "a//b", "Team", "team**", "a/**b", "a:b", "..\\x", "é"]
)
def test_what_no_name_could_fit_is_no_pattern(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a pattern of repositories"):
        Pattern.parse(text)


def test_a_pattern_of_many_stars_is_quick() -> None:
    """A way that goes back to every star would not end in a lifetime."""
    assert not Pattern.parse("a*" * 100 + "b").fits("a" * 255)
    assert not Pattern.parse("**/a/" * 40 + "b").fits("/".join(["a"] * 127))


def rule(*patterns: str, read: str = "", write: str = "", delete: str = "") -> Rule:
    return Rule(
        repositories=tuple(map(Pattern.parse, patterns)),
        read=tuple(map(Who.parse, read.split())),
        write=tuple(map(Who.parse, write.split())),
        delete=tuple(map(Who.parse, delete.split())),
    )


@pytest.mark.parametrize(
    ("user", "rights"),
    [
        ("", {"read"}),
        ("eve", {"read"}),
        ("bob", {"read", "write"}),
        ("ada", {"read", "write", "delete"}),
        ("zoe", {"read", "delete"}),
    ],
)
def test_who_is_named_has_the_right_and_nobody_else(user: str, rights: set[Right]) -> None:
    access = Access(
        [rule("**", read="anyone", write="ada bob", delete="group:cleaners")],
        {"cleaners": ["ada", "zoe"]},
    )
    assert access.rights(user, "app") == rights


def test_who_may_write_may_read_too_and_who_may_delete_may_not() -> None:
    access = Access([rule("**", write="ada", delete="bob")])
    assert access.rights("ada", "app") == {"read", "write"}
    assert access.rights("bob", "app") == {"delete"}


def test_users_are_those_who_are_logged_in() -> None:
    access = Access([rule("**", read="users")])
    assert access.rights("", "app") == frozenset()
    assert access.rights("eve", "app") == {"read"}


def test_the_first_rule_that_fits_is_the_only_one_that_counts() -> None:
    access = Access([rule("secret/**", read="ada"), rule("**", read="anyone", write="bob")])
    assert access.rights("bob", "secret/app") == frozenset()
    assert access.rights("bob", "app") == {"read", "write"}
    assert access.rights("ada", "secret/app") == {"read"}


def test_what_no_rule_fits_is_nobodys() -> None:
    assert Access([rule("team/*", read="anyone")]).rights("ada", "other") == frozenset()


def test_a_user_is_not_the_group_of_the_same_name() -> None:
    access = Access([rule("**", read="group:ci")], {"ci": ["builder"]})
    assert access.rights("ci", "app") == frozenset()
    assert access.rights("builder", "app") == {"read"}


def test_without_rules_users_may_do_everything() -> None:
    access = everything_for_users()
    assert access.rights("eve", "app") == {"read", "write", "delete"}
    assert access.rights("", "app") == frozenset()
    assert not access.is_open


def test_without_rules_anyone_may_read_if_that_is_told() -> None:
    access = everything_for_users(anonymous_read=True)
    assert access.rights("", "app") == {"read"}
    assert access.is_open


def test_the_users_that_are_named_are_known() -> None:
    access = Access([rule("**", read="users ada", write="group:ci")], {"ci": ["builder"]})
    assert access.users() == {"ada", "builder"}
