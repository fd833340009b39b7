"""The text that tags sort by, and the word for how a tag stands."""

from __future__ import annotations

from itertools import pairwise

import pytest
import semver
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from manyfest.release.versions.version import version_order
from manyfest.watch.history.rank import rank, standing
from manyfest.watch.values import PlaceSeen, TagState
from tests.histories import state

_NUMBERS = st.integers(0, 10**40)
_WORDS = st.from_regex(r"\A[0-9A-Za-z-]*[A-Za-z-][0-9A-Za-z-]*\Z")
_IDENTIFIERS = st.one_of(_NUMBERS.map(str), _WORDS)
_PRERELEASES = st.lists(_IDENTIFIERS, max_size=4).map(".".join)
_VERSIONS = st.builds(
    lambda numbers, pre: ".".join(map(str, numbers)) + (f"-{pre}" if pre else ""),
    st.tuples(_NUMBERS, _NUMBERS, _NUMBERS),
    _PRERELEASES,
)


def test_versions_sort_as_the_specification_of_semver_does_in_its_example() -> None:
    rising = (
        "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11"
        " 1.0.0-rc.1 1.0.0 2.0.0 2.1.0 2.1.1 2.10.0 11.0.0"
    ).split()
    assert sorted(sorted(rising), key=rank) == rising


@settings(deadline=None)
@given(st.lists(_VERSIONS, min_size=2, max_size=8))
@example(["1.0.0-a", "1.0.0-a-", "1.0.0-a.0", "1.0.0-a0", "1.0.0-A"])
def test_whatever_versions_they_are_they_sort_as_semver_sorts_them(versions: list[str]) -> None:
    parsed = {version: semver.Version.parse(version) for version in versions}
    by_rank = sorted(versions, key=lambda version: rank(version).encode())
    by_semver = sorted(versions, key=lambda version: parsed[version])
    assert [parsed[each] for each in by_rank] == [parsed[each] for each in by_semver]
    for lower, higher in pairwise(by_rank):
        assert (rank(lower) == rank(higher)) == (lower == higher)


@settings(deadline=None)
@given(st.lists(st.one_of(_VERSIONS, st.from_regex(r"\A[A-Za-z_][\w.-]{0,20}\Z")), max_size=8))
def test_all_tags_sort_as_they_do_elsewhere(tags: list[str]) -> None:
    assert sorted(tags, key=rank) == sorted(tags, key=version_order)


def test_what_is_no_version_comes_before_all_that_are() -> None:
    assert sorted(["0.0.1-a", "latest", "2", "v3.0.0", "edge"], key=rank) == [
        "2",
        "edge",
        "latest",
        "0.0.1-a",
        "v3.0.0",
    ]


def test_snapshots_sort_by_the_number_of_their_commits() -> None:
    assert rank("2.6.2-dev.9-gabc1234") < rank("2.6.2-dev.10-g0001234") < rank("2.6.2")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "complete"),
        ({"complete_at": None}, "incomplete"),
        ({"complete_at": None, "late_at": 9.0}, "late"),
        ({"late_at": 9.0}, "complete"),
        ({"differ_at": 9.0}, "differ"),
        ({"digest": ""}, "gone"),
        ({"digest": "", "differ_at": 9.0}, "gone"),
    ],
)
def test_how_a_tag_stands(more: dict[str, object], expected: str) -> None:
    assert standing(replace(state("2.6.1", at=1.0), **more)) == expected


def test_a_tag_that_was_never_there_is_not_gone_but_incomplete() -> None:
    awaited = TagState(image="app", tag="1.0.0", began=1.0, places=(PlaceSeen(place="here"),))
    assert standing(awaited) == "incomplete"


def test_a_tag_of_which_nothing_but_a_mirror_holds_anything_is_gone() -> None:
    mirror = PlaceSeen(place="mirror", digest="sha256:1", first_seen=3.0)
    left = TagState(image="app", tag="1.0.0", began=1.0, first_seen=2.0, places=(mirror,))
    assert standing(left) == "gone"
