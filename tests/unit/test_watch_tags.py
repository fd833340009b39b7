"""Which tags are watched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.watch.config.pattern import Pattern
from manyfest.watch.config.values import TagChoice
from manyfest.watch.poll.choose import choose
from manyfest.watch.poll.tags import WatchedTags

TAGS = ["latest", "2.6.1", "2.6.0", "2.10.0", "v2.7.0", "2.7.0-rc.1", "2.6.1-arm64", "edge", "3"]
HUB, GHCR = "docker.io/app", "ghcr.io/app"


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (TagChoice(versions="*"), ("2.10.0", "v2.7.0", "2.6.1", "2.6.0")),
        (TagChoice(versions="*", newest=2), ("2.10.0", "v2.7.0")),
        (TagChoice(versions="~2.6"), ("2.6.1", "2.6.0")),
        (TagChoice(versions=">=2.7.0-rc.1"), ("2.10.0", "v2.7.0", "2.7.0-rc.1")),
        (TagChoice(match=Pattern.parse("[a-z]+")), ("latest", "edge")),
        (TagChoice(match=Pattern.parse(r".*-arm64")), ("2.6.1-arm64",)),
        (TagChoice(versions="*", match=Pattern.parse("v.*")), ("v2.7.0",)),
        (TagChoice(names=("edge", "nightly")), ("edge", "nightly")),
        (TagChoice(names=("latest",), versions="*", newest=1), ("latest", "2.10.0")),
    ],
)
def test_names_ranges_and_expressions_choose(choice: TagChoice, expected: tuple[str, ...]) -> None:
    assert choose(choice, TAGS) == expected


def test_what_is_no_tag_and_what_keeps_signatures_is_passed_over() -> None:
    listed = ["..", "a b", "x" * 200, f"sha256-{'a' * 64}.sig", f"sha256-{'a' * 64}", "good"]

    assert choose(TagChoice(match=Pattern.parse(".*")), listed) == ("good",)


def watched(*names: str) -> WatchedTags:
    """The tags of an image of which the two newest versions are watched, and these."""
    return WatchedTags(TagChoice(versions="*", newest=2, names=names), settle=60.0)


def test_what_any_place_lists_is_watched_everywhere() -> None:
    tags = watched()
    tags.list(HUB, ["2.6.0"])
    tags.list(GHCR, ["2.6.1"])

    assert tags.watched == {"2.6.0", "2.6.1"}


def test_older_versions_make_room_for_newer_ones() -> None:
    tags = watched("latest")
    tags.list(HUB, ["2.5.0", "2.6.0"])
    tags.list(HUB, ["2.5.0", "2.6.0", "2.6.1"])

    assert tags.watched == {"latest", "2.6.0", "2.6.1"}


def test_a_list_that_is_suddenly_empty_takes_nothing_away() -> None:
    tags = watched()
    tags.list(HUB, ["2.6.0", "2.6.1"])
    for tag in ("2.6.0", "2.6.1"):
        tags.see(HUB, tag, is_there=True, at=0.0)
    tags.list(HUB, [])

    assert tags.watched == {"2.6.0", "2.6.1"}


def test_a_tag_that_is_gone_is_watched_until_that_is_believed() -> None:
    tags = watched()
    tags.see(HUB, "2.6.0", is_there=True, at=0.0)
    tags.see(GHCR, "2.6.0", is_there=True, at=0.0)
    tags.see(HUB, "2.6.0", is_there=False, at=100.0)
    assert tags.watched == {"2.6.0"}

    tags.see(GHCR, "2.6.0", is_there=False, at=110.0)
    tags.see(HUB, "2.6.0", is_there=False, at=169.0)
    assert tags.watched == {"2.6.0"}

    tags.see(HUB, "2.6.0", is_there=False, at=170.0)
    assert tags.watched == set()


def test_one_that_comes_back_meanwhile_stays() -> None:
    tags = watched()
    tags.see(HUB, "2.6.0", is_there=True, at=0.0)
    tags.see(HUB, "2.6.0", is_there=False, at=100.0)
    tags.see(HUB, "2.6.0", is_there=True, at=130.0)
    tags.see(HUB, "2.6.0", is_there=False, at=170.0)

    assert tags.watched == {"2.6.0"}


def test_new_is_what_the_list_before_did_not_have() -> None:
    tags = watched()
    assert tags.list(HUB, ["2.5.0", "2.6.0"]) == set()
    assert tags.list(HUB, ["2.5.0", "2.6.0", "2.6.1", "edge"]) == {"2.6.1", "edge"}
    assert tags.list(HUB, ["2.5.0", "2.6.0", "2.6.1", "edge"]) == set()


def test_what_another_repository_had_already_is_not_new() -> None:
    tags = watched()
    tags.list(HUB, ["2.6.0"])
    tags.list(GHCR, [])

    assert tags.list(GHCR, ["2.6.0"]) == set()


def test_an_old_version_that_makes_up_for_a_newer_one_is_not_new() -> None:
    tags = watched()
    tags.list(HUB, ["2.5.0", "2.6.0", "2.6.1"])

    assert tags.list(HUB, ["2.5.0", "2.6.0"]) == set()
    assert tags.watched == {"2.5.0", "2.6.0"}


def test_after_a_start_anew_new_is_what_is_above_the_oldest_that_is_known() -> None:
    tags = watched("0.1.0")
    tags.recall(HUB, ["0.1.0", "2.3.0", "2.5.0", "2.6.0", "latest"])

    listed = ["0.1.0", "2.4.0", "2.5.0", "2.5.1", "2.6.0", "2.6.1", "latest"]
    assert tags.list(HUB, listed) == {"2.5.1", "2.6.0", "2.6.1"}
    assert tags.list(GHCR, [*listed, "2.7.0"]) == set()


def test_after_a_start_anew_what_only_the_choice_of_now_describes_was_there() -> None:
    tags = watched()
    tags.recall(HUB, ["1.0.0", "1.1.0"], TagChoice(versions="1"))

    assert tags.list(HUB, ["1.0.0", "1.1.0", "1.1.1", "2.0.0"]) == {"1.1.0", "1.1.1"}
    assert tags.list(HUB, ["1.0.0", "1.1.0", "1.1.1", "2.0.0", "2.0.1"]) == {"2.0.1"}


def test_after_a_start_anew_what_fewer_tags_left_no_room_for_was_there() -> None:
    tags = WatchedTags(TagChoice(versions="*", newest=4), settle=60.0)
    tags.recall(HUB, ["2.3.0", "2.5.0", "2.6.0"], TagChoice(versions="*", newest=2))

    assert tags.list(HUB, ["2.3.0", "2.4.0", "2.5.0", "2.6.0", "2.6.1"]) == {"2.6.0", "2.6.1"}


def test_after_a_start_anew_what_is_watched_beside_named_tags_was_there() -> None:
    tags = watched()
    tags.recall(HUB, ["2.5.0"], TagChoice(names=("2.5.0",)))

    assert tags.list(HUB, ["2.5.0", "2.6.0"]) == set()


def test_of_tags_of_which_nothing_is_known_none_is_new() -> None:
    tags = watched("latest")
    tags.recall(HUB, ["latest"])

    assert tags.list(HUB, ["2.6.0", "latest"]) == set()


def test_a_wider_choice_makes_nothing_new() -> None:
    before, wider = watched(), WatchedTags(TagChoice(versions="*", newest=4), settle=60.0)
    before.list(HUB, ["2.4.0", "2.5.0", "2.6.0"])
    before.list(GHCR, ["2.6.1"])
    wider.inherit(before, {HUB})

    assert wider.watched == {"2.4.0", "2.5.0", "2.6.0"}
    assert wider.list(HUB, ["2.4.0", "2.5.0", "2.6.0", "2.6.2"]) == {"2.6.2"}


def test_a_hint_admits_what_would_be_chosen_and_nothing_else() -> None:
    tags = watched()
    tags.list(HUB, ["2.5.0", "2.6.0"])

    assert tags.admit("2.6.1")
    assert tags.watched == {"2.6.0", "2.6.1"}
    assert not tags.admit("2.4.0")
    assert not tags.admit("edge")


def test_what_a_hint_admitted_outlasts_a_list_that_was_under_way() -> None:
    tags = watched()
    tags.list(HUB, ["2.6.0"])

    assert tags.admit("2.6.1")
    tags.list(HUB, ["2.5.0", "2.6.0"])
    assert tags.watched == {"2.6.0", "2.6.1"}


def test_what_a_hint_admitted_goes_when_it_is_not_there_for_long_enough() -> None:
    tags = WatchedTags(TagChoice(versions="*", newest=2), settle=60.0)
    tags.list(HUB, ["2.5.0", "2.6.0"])
    tags.admit("2.6.1")

    tags.see(HUB, "2.6.1", is_there=False, at=100.0)
    assert "2.6.1" in tags.watched
    tags.see(HUB, "2.6.1", is_there=False, at=160.0)
    assert tags.watched == {"2.5.0", "2.6.0"}


@given(
    st.lists(st.sampled_from([f"1.{n}.0" for n in range(12)]), max_size=8),
    st.sampled_from([f"1.{n}.0" for n in range(12)]),
    st.integers(1, 4),
)
def test_a_hint_chooses_as_a_list_with_it_would(listed: list[str], tag: str, newest: int) -> None:
    choice = TagChoice(versions=">=1.2", newest=newest, names=("1.5.0",))
    hinted, told = WatchedTags(choice, settle=60.0), WatchedTags(choice, settle=60.0)
    hinted.list(HUB, listed)
    told.list(HUB, [*listed, tag])

    assert hinted.admit(tag) == (tag in told.watched)
    assert hinted.watched == told.watched
