from __future__ import annotations

import pytest

from manyfest.check.agreement import agreed
from manyfest.check.readiness import ANY, PlatformState, Readiness, missing, with_states

AMD64, ARM64 = "linux/amd64", "linux/arm64"
NONE = missing(ANY, "'v1' is not in it")


def there(platform: str, image: str, state: str = "ready", why: str = "") -> PlatformState:
    assert state in ("ready", "partial", "mislabelled")
    return PlatformState(platform=platform, state=state, digest=image, why=why)  # type: ignore[arg-type]


def answer(place: str, root: str, *states: PlatformState) -> Readiness:
    return with_states(f"{place}/app:v1", root, states)


def shown(answers: tuple[Readiness, ...]) -> list[list[tuple[str, str, str]]]:
    return [[(each.platform, each.state, each.why) for each in one.platforms] for one in answers]


def test_what_is_complete_and_the_same_everywhere_is_ready() -> None:
    both = [answer(place, "root", there(AMD64, "a"), there(ARM64, "b")) for place in ("one", "two")]
    assert agreed(both) == tuple(both)
    assert all(each.ready for each in agreed(both))


def test_another_image_is_different_where_it_is_not_what_the_first_place_has() -> None:
    one = answer("one", "root", there(AMD64, "a"), there(ARM64, "b"))
    two = answer("two", "other", there(AMD64, "a"), there(ARM64, "c"))
    first, second = agreed([one, two])
    assert first == one
    assert not second.ready
    assert shown((second,)) == [
        [
            (AMD64, "different", "the same image, but in another index than in one/app:v1"),
            (ARM64, "different", "it is another image than in one/app:v1"),
        ]
    ]


def test_a_platform_that_one_place_has_is_missing_in_the_others() -> None:
    one = answer("one", "root", there(AMD64, "a"))
    two = answer("two", "other", there(AMD64, "a"), there(ARM64, "b"))
    assert shown(agreed([one, two]))[0] == [
        (AMD64, "ready", ""),
        (ARM64, "missing", "it has linux/amd64"),
    ]
    assert not agreed([one, two])[0].ready


@pytest.mark.parametrize("first", [True, False])
def test_a_tag_that_is_not_there_lacks_what_the_others_have(first: bool) -> None:
    none, one = answer("none", "", NONE), answer("one", "root", there(AMD64, "a"))
    states = shown(agreed([none, one] if first else [one, none]))
    assert states[0 if first else 1] == [(AMD64, "missing", "'v1' is not in it")]
    assert states[1 if first else 0] == [(AMD64, "ready", "")]


def test_a_tag_that_is_nowhere_stays_missing() -> None:
    nowhere = [answer("one", "", NONE), answer("two", "", NONE)]
    assert agreed(nowhere) == tuple(nowhere)


def test_an_image_is_held_against_the_first_place_that_has_its_platform() -> None:
    one = answer("one", "root", there(AMD64, "a"), missing(ARM64, "it has linux/amd64"))
    two = answer("two", "other", there(AMD64, "a"), there(ARM64, "b"))
    three = answer("three", "third", there(AMD64, "a"), there(ARM64, "c"))
    _, second, third = shown(agreed([one, two, three]))
    assert second[1] == (
        ARM64,
        "different",
        "the same image, but in another index than in one/app:v1",
    )
    assert third[1] == (ARM64, "different", "it is another image than in two/app:v1")


@pytest.mark.parametrize("state", ["partial", "mislabelled"])
def test_what_is_wrong_by_itself_is_told_rather_than_that_it_is_different(state: str) -> None:
    one = answer("one", "root", there(AMD64, "a"))
    two = answer("two", "other", there(AMD64, "b", state, "its own reason"))
    assert shown(agreed([one, two]))[1] == [(AMD64, state, "its own reason")]


def test_an_index_whose_inner_part_is_not_there_stays_incomplete() -> None:
    gap = missing(ANY, "sha256:ab is missing")
    one = answer("one", "root", there(AMD64, "a"), gap)
    two = answer("two", "root", there(AMD64, "a"), there(ARM64, "b"))
    assert shown(agreed([one, two]))[0] == [
        (AMD64, "ready", ""),
        (ARM64, "missing", "it has linux/amd64"),
        (ANY, "missing", "sha256:ab is missing"),
    ]


def test_with_an_expected_digest_every_other_one_is_different() -> None:
    one = answer("one", "sha256:old", there(AMD64, "a"))
    two = answer("two", "sha256:new", there(AMD64, "b"))
    assert shown(agreed([one, two], "sha256:new")) == [
        [(AMD64, "different", "it is not of sha256:new")],
        [(AMD64, "ready", "")],
    ]
