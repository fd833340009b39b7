from __future__ import annotations

import time

import pytest

from manyfest.build.gomatch import has_wildcards, match
from manyfest.errors import UsageError


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("abc", "abc", True),
        ("*c", "abc", True),
        ("a*", "a", True),
        ("a*", "ab/c", False),
        ("a*/b", "abc/b", True),
        ("a*/b", "a/c/b", False),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/f", True),
        ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", False),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
        ("a*b?c*x", "abxbbxdbxebxczzy", False),
        ("ab[b-d]", "abc", True),
        ("ab[^b-d]", "abc", False),
        (r"a\*b", "a*b", True),
        (r"a\*b", "ab", False),
        ("a?b", "a☺b", True),
        ("a???b", "a☺b", False),
        ("[a-ζ]*", "δ", True),
        ("*[a-ζ]", "A", False),
        ("a?b", "a/b", False),
        (r"[\]a]", "]", True),
        (r"[x\-]", "-", True),
        (r"[\-x]", "a", False),
        ("[z-a]", "m", False),
        ("[^z-a]", "m", True),
        ("*x", "xxx", True),
        ("**", "a/b", False),
        ("a.c", "abc", False),
        ("a\nb", "a\nb", True),
    ],
)
def test_matches_as_go_does(pattern: str, name: str, matches: bool) -> None:
    assert match(pattern, name) is matches


@pytest.mark.parametrize(
    "pattern",
    ["[]a]", "[-]", "[x-]", "[-x]", "\\", "[a-b-c]", "[", "[^", "[^bc", "a[", "a*\\"],
)
def test_malformed_patterns_are_errors(pattern: str) -> None:
    with pytest.raises(UsageError):
        match(pattern, "a")


@pytest.mark.parametrize(
    ("pattern", "wild"),
    [("a/b", False), (r"a\*b", False), ("a*", True), ("a?", True), ("[a]", True)],
)
def test_has_wildcards(pattern: str, wild: bool) -> None:
    assert has_wildcards(pattern) is wild


def test_many_stars_do_not_explode() -> None:
    begin = time.monotonic()
    assert not match("*a" * 40 + "b", "a" * 200)
    assert time.monotonic() - begin < 2
