"""Regular expressions for tags: they mean what Python's mean, and cannot hang."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.errors import UsageError
from manyfest.watch.config.pattern import MAX_LENGTH, Pattern


@pytest.mark.parametrize(
    ("text", "tag", "expected"),
    [
        (r"v?\d+\.\d+\.\d+", "2.6.1", True),
        (r"v?\d+\.\d+\.\d+", "v2.6.1", True),
        (r"v?\d+\.\d+\.\d+", "2.6.1-arm64", False),
        (r"\d+(\.\d+)*", "2.6.1.4", True),
        (r"2\.6\..*", "2.6.1", True),
        (r"2\.6\..*", "2x6.1", False),
        (r"[0-9]{1,3}-rc[._-]?\d*", "12-rc.1", True),
        (r"^(?:alpine|slim)$", "slim", True),
        (r"[^a-z]+", "2.6", True),
        (r"[^a-z]+", "2.6a", False),
        (r"[]-]x", "]x", True),
        (r"a{2}", "aaa", False),
        (r"a{2,}", "aaaa", True),
        (r"a{0}b", "b", True),
        (r"a|", "", True),
    ],
)
def test_it_describes_whole_tags(text: str, tag: str, expected: bool) -> None:
    assert Pattern.parse(text).matches(tag) is expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("(", "a '(' has no ')' (at 2)"),
        ("a)b", "')' does not fit here (at 2)"),
        ("[a", "a '[' has no ']' (at 3)"),
        ("[b-a]", "a range in brackets is upside down (at 5)"),
        ("a**", "two repetitions follow one another (at 3)"),
        ("(?=a)b", "a group that looks around or has a name is not understood (at 2)"),
        (r"(a)\1", r"'\1' is not understood (at 6)"),
        ("a{3,1}", "a repetition that ends before it begins (at 2)"),
        ("é", "tags are made of ASCII characters (at 1)"),
        ("((a{99}){99}){99}", "its repetitions make it too long (at 4)"),
        ("(((){999}){999}){999}", "its repetitions make it too long (at 3)"),
        ("(" * 30, "too many groups within one another (at 22)"),
    ],
)
def test_what_is_not_understood_is_said(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        Pattern.parse(text)
    assert caught.value.what == f"{text!r} is no expression: {why}"


def test_one_that_python_would_take_years_for_takes_no_time() -> None:
    tag = "a" * 128

    assert not Pattern.parse("(a*)*b").matches(tag)
    assert not Pattern.parse("(a|a)*b").matches(tag)
    assert not Pattern.parse("(a|aa)+b").matches(tag)
    assert Pattern.parse("(a?){250}a{128}").matches(tag)


def test_one_that_is_too_long_is_refused() -> None:
    with pytest.raises(UsageError):
        Pattern.parse("a" * (MAX_LENGTH + 1))


_atoms = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", "1", r"\."])


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{1,}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    )


@given(st.recursive(_atoms, _grown, max_leaves=6), st.text("ab1.", max_size=6))
def test_it_means_what_python_means(text: str, tag: str) -> None:
    try:
        pattern = Pattern.parse(text)
    except UsageError:
        return  # too long when written out
    assert pattern.matches(tag) is (re.fullmatch(text, tag) is not None)


@given(st.text(max_size=60))
def test_any_text_is_understood_or_refused(text: str) -> None:
    with suppress(UsageError):
        assert Pattern.parse(text).matches("2.6.1") in (True, False)
