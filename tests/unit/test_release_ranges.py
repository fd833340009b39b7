from __future__ import annotations

import pytest
import semver
from hypothesis import given
from hypothesis import strategies as st

from manyfest.errors import UsageError
from manyfest.release.versions.ranges import Range


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("1.2.3", "=1.2.3"),
        ("v1.2.3", "=1.2.3"),
        ("=v1.2.3", "=1.2.3"),
        (">= 1.2", ">=1.2.0"),
        (">=1.2 <2", ">=1.2.0 <2.0.0-0"),
        (">1", ">=2.0.0"),
        (">1.2", ">=1.3.0"),
        ("<=1", "<2.0.0-0"),
        ("<=1.2.3", "<=1.2.3"),
        ("<1.2", "<1.2.0-0"),
        ("1.x", ">=1.0.0 <2.0.0-0"),
        ("1.2.*", ">=1.2.0 <1.3.0-0"),
        ("1", ">=1.0.0 <2.0.0-0"),
        ("1.x.x", ">=1.0.0 <2.0.0-0"),
        ("*", ">=0.0.0"),
        ("", ">=0.0.0"),
        (">=*", ">=0.0.0"),
        (">x", "<0.0.0-0"),
        ("<*", "<0.0.0-0"),
        ("^*", ">=0.0.0"),
        ("^1.4", ">=1.4.0 <2.0.0-0"),
        ("^1.2.3-rc.1", ">=1.2.3-rc.1 <2.0.0-0"),
        ("^0.2.3", ">=0.2.3 <0.3.0-0"),
        ("^0.0.3", ">=0.0.3 <0.0.4-0"),
        ("^0.0", ">=0.0.0 <0.1.0-0"),
        ("^0.x", ">=0.0.0 <1.0.0-0"),
        ("^0.0.0", ">=0.0.0 <0.0.1-0"),
        ("~1.4.2", ">=1.4.2 <1.5.0-0"),
        ("~1.4", ">=1.4.0 <1.5.0-0"),
        ("~1", ">=1.0.0 <2.0.0-0"),
        ("~ 0.2.3-rc.1", ">=0.2.3-rc.1 <0.3.0-0"),
        ("1.2 - 2.3", ">=1.2.0 <2.4.0-0"),
        ("1.2.3 - 2", ">=1.2.3 <3.0.0-0"),
        ("1.2.3  -  2.3.4", ">=1.2.3 <=2.3.4"),
        ("1.2.3+build.5", "=1.2.3"),
        ("1 || >=3.1 <4", ">=1.0.0 <2.0.0-0 || >=3.1.0 <4.0.0-0"),
    ],
)
def test_what_a_range_means(text: str, meaning: str) -> None:
    assert str(Range.parse(text)) == meaning


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("^1.4", "1.4.0 1.9.3", "1.3.9 2.0.0 2.0.0-rc.1 1.5.0-rc.1"),
        ("~1.4.2", "1.4.2 1.4.10", "1.5.0 1.4.1"),
        (">=1.4.0-rc.1", "1.4.0-rc.1 1.4.0-rc.2 1.4.0 2.0.0", "1.4.0-beta 1.5.0-rc.1"),
        ("<2.0.0-rc.2", "2.0.0-rc.1 1.9.9", "2.0.0-rc.2 1.9.9-rc.1 2.0.0"),
        ("1.2.3-rc.1 || 2.x", "1.2.3-rc.1 2.0.0", "1.2.3-rc.2 2.1.0-rc.1"),
        ("<*", "", "0.0.0 1.0.0 0.0.0-a"),
        ("*", "0.0.0 9.9.9", "1.0.0-rc.1"),
        ("1.0.0", "1.0.0+build.7", "1.0.1"),
    ],
)
def test_which_versions_are_in_a_range(text: str, inside: str, outside: str) -> None:
    found = Range.parse(text)
    assert [each for each in inside.split() if semver.Version.parse(each) not in found] == []
    assert [each for each in outside.split() if semver.Version.parse(each) in found] == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("latest", "'latest'"),
        (">=1.2 & <2", "'&'"),
        ("1.2.3.4", "'1.2.3.4'"),
        ("01.2", "'01.2'"),
        (">=", "''"),
        (">=1,<2", "'1,<2'"),
        ("1.2-rc.1", "'1.2-rc.1'"),
        ("1.2.3-", "'1.2.3-'"),
        ("1.2.3-01", "'1.2.3-01'"),
        (">>1", "'>1'"),
        ("1.x.3", "'1.x.3'"),
        ("*.1", "'*.1'"),
    ],
)
def test_what_is_no_range_is_named(text: str, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        Range.parse(text)
    assert caught.value.what == f"{named} is no version in the range {text!r}"


def test_a_range_has_an_end() -> None:
    with pytest.raises(UsageError, match="too long"):
        Range.parse("1" * 257)


number = st.integers(0, 3)
core = st.tuples(number, number, number)


def written(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


def version(numbers: tuple[int, int, int]) -> semver.Version:
    return semver.Version(*numbers)


@given(core, core)
def test_a_caret_keeps_everything_up_to_the_first_number_that_counts(
    base: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    fixed = next((place for place in range(3) if base[place]), 2) + 1
    inside = other >= base and other[:fixed] == base[:fixed]
    assert (version(other) in Range.parse(f"^{written(base)}")) is inside


@given(core, core, st.integers(1, 3))
def test_a_tilde_keeps_major_and_minor(
    base: tuple[int, int, int], other: tuple[int, int, int], given_: int
) -> None:
    fixed = min(given_, 2)
    inside = other >= (*base[:given_], 0, 0)[:3] and other[:fixed] == base[:fixed]
    assert (version(other) in Range.parse(f"~{written(base[:given_])}")) is inside


@given(core, core, core, st.integers(1, 3), st.integers(1, 3))
def test_a_hyphen_holds_both_ends_and_what_is_between(
    low: tuple[int, int, int],
    high: tuple[int, int, int],
    other: tuple[int, int, int],
    low_given: int,
    high_given: int,
) -> None:
    inside = low[:low_given] <= other[:low_given] and other[:high_given] <= high[:high_given]
    text = f"{written(low[:low_given])} - {written(high[:high_given])}"
    assert (version(other) in Range.parse(text)) is inside


@given(core, core, core)
def test_either_of_two_ranges_is_enough(
    one: tuple[int, int, int], two: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    text = f"^{written(one)} || <{written(two)}"
    either = version(other) in Range.parse(f"^{written(one)}") or other < two
    assert (version(other) in Range.parse(text)) is either


@given(st.text(alphabet="0123.xX*v <>=^~|-+rc", max_size=40))
def test_any_text_is_a_range_or_a_usage_error(text: str) -> None:
    try:
        found = Range.parse(text)
    except UsageError:
        return
    assert str(Range.parse(str(found))) == str(found)
