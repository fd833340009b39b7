from __future__ import annotations

import pytest
from msgspec.structs import replace

from manyfest.check.readiness import Readiness, missing, with_states
from manyfest.watch.decide import beginning, decide, due
from manyfest.watch.values import Change, Event, Place, Rule, TagState
from tests.unit.watch_tags import (
    ABSENT,
    AMD64,
    ARM64,
    DOWN,
    EMPTY,
    GHCR,
    HUB,
    MIRROR,
    NEXT,
    PART,
    WHOLE,
    Look,
    at,
    events,
    everywhere,
    having,
    index,
    kinds,
    observed,
    play,
    rule,
)

BOTH = rule()
ONE = rule(HUB)
WITH_MIRROR = rule(HUB, Place(repository=MIRROR, mirror=True, late=100.0))
LOSSY = having(WHOLE, ARM64, "partial", "a layer is missing")
ROUND = (HUB, GHCR)
STEPS = ("appeared", "platform ready")
"""What comes before a version is complete, where that does not matter."""


def complete(rule_: Rule, when: float = 0.0) -> TagState:
    """The state of a new tag that is complete everywhere at that time."""
    places = [place.repository for place in rule_.places]
    return play(rule_, everywhere(when, WHOLE, *places))[-1].state


def known(rule_: Rule, said: Readiness = WHOLE) -> TagState:
    """The state of a tag that was there when the watch began."""
    places = [place.repository for place in rule_.places]
    state = beginning(rule_, "2.6.0", 0.0, was_there=True)
    return play(rule_, everywhere(0.0, said, *places), state)[-1].state


def about(changes: list[Change]) -> list[tuple[str, str, str, str]]:
    return [(each.kind, each.place, each.was, each.what) for each in events(changes)]


# A version comes


def test_a_version_appears_is_ready_and_is_complete() -> None:
    (change,) = play(ONE, [(5.0, HUB, WHOLE)])
    appeared = Event(
        kind="appeared", at=5.0, image="gotify/server", tag="2.6.1", what="sha256:whole"
    )
    ready = replace(appeared, kind="platform ready", place=HUB, lag=0.0)
    assert change.events == (
        appeared,
        replace(ready, platform=AMD64, what="sha256:amd64"),
        replace(ready, platform=ARM64, what="sha256:arm64"),
        replace(appeared, kind="complete", lag=0.0),
    )


def test_it_is_complete_once_the_last_registry_has_it() -> None:
    changes = play(BOTH, [(0, HUB, WHOLE), (30, GHCR, PART), (50, GHCR, WHOLE)])
    assert at(changes, *STEPS) == [(50, "complete")]
    assert [each.lag for each in events(changes) if each.kind == "complete"] == [50.0]


def test_one_that_was_never_heard_of_may_not_have_it() -> None:
    assert "complete" not in kinds(play(BOTH, [(0, HUB, WHOLE), (9, GHCR, DOWN)]))


def test_a_platform_that_its_registry_has_in_part_is_not_ready() -> None:
    changes = play(ONE, [(0, HUB, LOSSY), (9, HUB, WHOLE)])
    assert [(each.at, each.platform) for each in events(changes) if each.platform] == [
        (0, AMD64),
        (9, ARM64),
    ]


def test_names_of_one_platform_are_the_same() -> None:
    rule_ = rule(HUB, platforms=("linux/amd64", "linux/arm64/v8"))
    answer = index("d", {"linux/arm64/v8": "a", "linux/amd64": "b"}, ())
    changes = play(rule_, [(0, HUB, answer), (1, HUB, WHOLE)])
    assert [each.platform for each in events(changes[:1]) if each.platform] == [AMD64, ARM64]
    assert kinds(changes)[3] == "complete"


def test_without_platforms_that_are_asked_for_all_that_any_registry_has_must_be_everywhere() -> (
    None
):
    rule_ = rule(platforms=())
    one, two = index("d1", {AMD64: "a"}, ()), index("d2", {AMD64: "a", ARM64: "b"}, ())
    changes = play(rule_, [(0, HUB, two), (1, GHCR, one), (2, GHCR, two)])
    assert at(changes, *STEPS) == [(2, "complete")]
    assert {name: seen.state for name, seen in changes[1].state.places[1].platforms.items()} == {
        AMD64: "different",
        ARM64: "missing",
    }


def test_an_absent_tag_without_platforms_that_are_asked_for_is_absent() -> None:
    rule_ = rule(platforms=())
    absent = with_states("", "", [missing("any", "no such tag")])
    one = index("d1", {AMD64: "a"}, ())
    changes = play(rule_, [(0, HUB, absent), (0, GHCR, one), (9, HUB, absent), (9, GHCR, one)])
    assert kinds(changes) == ["appeared", "platform ready"]
    assert changes[2].observations == changes[3].observations == ()


# A tag that moves


def test_a_tag_that_moves_is_another_version_from_its_first_sighting_on() -> None:
    changes = play(BOTH, [*everywhere(500, NEXT), *everywhere(530, NEXT, GHCR)], complete(BOTH))
    assert about(changes) == [
        ("moved", HUB, "sha256:whole", "sha256:next"),
        ("platform ready", HUB, "", "sha256:next-amd64"),
        ("platform ready", HUB, "", "sha256:next-arm64"),
        ("moved", GHCR, "sha256:whole", "sha256:next"),
        ("platform ready", GHCR, "", "sha256:next-amd64"),
        ("platform ready", GHCR, "", "sha256:next-arm64"),
        ("complete", "", "", "sha256:next"),
    ]
    state = changes[-1].state
    assert (state.digest, state.first_seen, state.complete_at) == ("sha256:next", 500.0, 500.0)


@pytest.mark.parametrize(("first", "second"), [(HUB, GHCR), (GHCR, HUB)])
def test_lags_of_a_moved_tag_count_from_where_it_moved_first(first: str, second: str) -> None:
    changes = play(BOTH, [(500, first, NEXT), (530, second, NEXT)], complete(BOTH))
    assert [(each.place, each.lag) for each in events(changes) if each.kind != "moved"] == [
        (first, 0.0),
        (first, 0.0),
        (second, 30.0),
        (second, 30.0),
        ("", 30.0),
    ]


def test_an_index_that_is_filled_is_no_move() -> None:
    changes = play(ONE, [(0, HUB, EMPTY), (10, HUB, PART), (20, HUB, WHOLE)])
    assert at(changes) == [
        (0, "appeared"),
        (10, "platform ready"),
        (20, "platform ready"),
        (20, "complete"),
    ]


def test_an_index_that_holds_another_image_instead_is_a_move_though_it_was_not_complete() -> None:
    other = index("sha256:other", {AMD64: "sha256:rebuilt"})
    changes = play(ONE, [(0, HUB, PART), (10, HUB, other)])
    assert about(changes)[2:] == [
        ("moved", HUB, "sha256:part", "sha256:other"),
        ("platform ready", HUB, "", "sha256:rebuilt"),
    ]
    assert changes[-1].state.first_seen == 10.0


def test_a_cache_that_alternates_makes_one_move() -> None:
    answers = [NEXT, WHOLE, NEXT, WHOLE, NEXT, NEXT, WHOLE, NEXT]
    looks = [(100.0 + number * 50, HUB, each) for number, each in enumerate(answers)]
    changes = play(ONE, looks, complete(ONE))
    assert at(changes, "platform ready") == [(100, "moved"), (100, "complete")]
    assert changes[-1].state.complete_at == 100.0


def test_a_tag_that_goes_back_and_stays_there_moved() -> None:
    looks = [(100.0, HUB, NEXT), (200.0, HUB, WHOLE), (259.0, HUB, WHOLE), (260.0, HUB, WHOLE)]
    changes = play(ONE, looks, complete(ONE))
    assert at(changes, "platform ready") == [
        (100, "moved"),
        (100, "complete"),
        (260, "moved"),
        (260, "complete"),
    ]
    assert changes[-1].state.places[0].since == 200.0


# What is taken back


def test_a_tag_that_is_away_for_less_than_the_time_to_settle_was_never_away() -> None:
    looks = [(100.0, HUB, ABSENT), (159.0, HUB, ABSENT), (160.0, HUB, WHOLE), (161.0, HUB, ABSENT)]
    assert kinds(play(ONE, looks, complete(ONE))) == []


def test_a_tag_that_is_away_for_longer_vanished() -> None:
    looks = [(100.0, GHCR, ABSENT), (160.0, GHCR, ABSENT), (161.0, HUB, WHOLE)]
    changes = play(BOTH, looks, complete(BOTH))
    vanished, incomplete = events(changes)
    assert (vanished.kind, vanished.place, vanished.was, vanished.what, vanished.why) == (
        "vanished",
        GHCR,
        "sha256:whole",
        "",
        "no such tag",
    )
    assert (incomplete.kind, incomplete.at, incomplete.what, incomplete.why) == (
        "incomplete",
        161.0,
        "sha256:whole",
        f"{GHCR} does not have the tag",
    )


def test_a_tag_that_is_deleted_everywhere_is_gone_and_nothing_else_is_told() -> None:
    looks: list[Look] = [look for when in (100.0, 160.0) for look in everywhere(when, ABSENT)]
    changes = play(BOTH, looks, complete(BOTH))
    assert about(changes) == [
        ("vanished", HUB, "sha256:whole", ""),
        ("vanished", GHCR, "sha256:whole", "gone"),
    ]
    assert (changes[-1].state.digest, changes[-1].state.first_seen) == ("", None)


def test_what_was_gone_and_comes_back_appears_again() -> None:
    looks = [(100.0, HUB, ABSENT), (160.0, HUB, ABSENT), (500.0, HUB, NEXT)]
    changes = play(ONE, looks, complete(ONE))
    assert at(changes, "platform ready") == [
        (160, "vanished"),
        (500, "appeared"),
        (500, "complete"),
    ]
    assert [each.lag for each in events(changes[-1:])] == [None, 0.0, 0.0, 0.0]


def test_a_layer_that_is_lost_for_long_makes_it_incomplete_and_then_it_is_complete_again() -> None:
    looks = [(100.0, HUB, LOSSY), (160.0, HUB, LOSSY), (300.0, HUB, WHOLE)]
    changes = play(ONE, looks, complete(ONE))
    assert at(changes) == [
        (160, "incomplete"),
        (300, "platform ready"),
        (300, "complete"),
    ]
    incomplete, ready, again = events(changes)
    assert incomplete.why == f"in {HUB} linux/arm64 is partial"
    assert (ready.lag, again.lag) == (None, None)


def test_a_layer_that_is_lost_for_less_than_the_time_to_settle_was_never_lost() -> None:
    looks = [(100.0, HUB, LOSSY), (159.0, HUB, LOSSY), (160.0, HUB, WHOLE), (161.0, HUB, LOSSY)]
    changes = play(ONE, looks, complete(ONE))
    assert kinds(changes) == []
    assert {each.state.places[0].platforms[ARM64].state for each in changes} == {"ready"}


def test_it_is_not_incomplete_while_another_registry_may_be_about_to_lose_it_too() -> None:
    looks = [(100.0, HUB, ABSENT), (130.0, GHCR, ABSENT), (160.0, HUB, ABSENT)]
    changes = play(BOTH, [*looks, (170.0, GHCR, ABSENT)], complete(BOTH))
    assert at(changes) == [(160, "vanished")]
    back = play(BOTH, [(180.0, GHCR, WHOLE)], changes[-1].state)
    assert at(back) == [(180, "incomplete")]


def test_a_silence_changes_nothing_that_was_known() -> None:
    changes = play(BOTH, [*everywhere(100, DOWN), *everywhere(9999, DOWN)], complete(BOTH))
    assert kinds(changes) == []
    assert [len(each.observations) for each in changes] == [1, 1, 0, 0]
    state = changes[-1].state
    assert state.complete_at == 0.0
    assert [(each.silent_since, each.silence) for each in state.places] == [(100, DOWN)] * 2
    (back,) = play(BOTH, [(10_000, HUB, WHOLE)], state)
    assert back.state.places[0].silent_since is None
    assert len(back.observations) == 1


def test_a_silence_in_between_does_not_end_a_doubt() -> None:
    looks: list[Look] = [(100.0, HUB, ABSENT), (130.0, HUB, DOWN), (160.0, HUB, ABSENT)]
    assert at(play(ONE, looks, complete(ONE))) == [(160, "vanished")]


# Registries that differ


def test_registries_that_differ_for_long_are_told_and_so_is_that_they_agree() -> None:
    looks: list[Look] = [(100, GHCR, NEXT), *everywhere(159, WHOLE, HUB), (159, GHCR, NEXT)]
    looks += [(161, HUB, WHOLE), (162, GHCR, NEXT), (400, HUB, NEXT)]
    changes = play(BOTH, looks, complete(BOTH))
    assert at(changes, "platform ready") == [
        (100, "moved"),
        (162, "differ"),
        (400, "moved"),
        (400, "agree"),
        (400, "complete"),
    ]
    differ = events(changes)[3]
    assert differ.why == f"{HUB} holds sha256:whole; {GHCR} holds sha256:next"


def test_a_registry_that_is_not_done_does_not_differ() -> None:
    changes = play(BOTH, [look for when in (0, 100, 200) for look in [
        (when, HUB, WHOLE), (when, GHCR, PART)
    ]])  # fmt: skip
    assert "differ" not in kinds(changes)


def test_they_do_not_agree_while_one_says_something_else() -> None:
    looks: list[Look] = [(100, GHCR, NEXT), (160, HUB, WHOLE), (160, GHCR, NEXT)]
    looks += [(310, GHCR, WHOLE), (320, HUB, ABSENT), (370, GHCR, WHOLE), (375, HUB, WHOLE)]
    changes = play(BOTH, looks, complete(BOTH))
    assert at(changes, "platform ready") == [
        (100, "moved"),
        (160, "differ"),
        (370, "moved"),
        (375, "agree"),
        (375, "complete"),
    ]


def test_the_soak_is_not_over_while_registries_may_differ() -> None:
    rule_ = rule(soak=100.0)
    looks = [(90, GHCR, NEXT), (101, HUB, WHOLE), (101, GHCR, NEXT)]
    assert "soaked" not in kinds(play(rule_, looks, complete(rule_)))


# Soak


def test_the_soak_is_over_once_each_registry_said_so_after_it() -> None:
    rule_ = rule(soak=100.0)
    looks: list[Look] = [(99, HUB, WHOLE), (99, GHCR, WHOLE), (100, HUB, WHOLE), (100, GHCR, DOWN)]
    changes = play(rule_, [*looks, (170, GHCR, WHOLE), (200, HUB, WHOLE)], complete(rule_))
    assert [(each.at, each.kind, each.lag) for each in events(changes)] == [(170, "soaked", 170)]


def test_the_soak_begins_anew_when_the_digest_changes() -> None:
    rule_ = rule(HUB, soak=100.0)
    looks = [(90.0, HUB, NEXT), (100.0, HUB, NEXT), (189.0, HUB, NEXT), (190.0, HUB, NEXT)]
    changes = play(rule_, looks, complete(rule_))
    assert at(changes, "platform ready") == [(90, "moved"), (90, "complete"), (190, "soaked")]


def test_a_stale_answer_does_not_begin_the_soak_anew_but_does_not_end_it_either() -> None:
    rule_ = rule(HUB, soak=100.0)
    changes = play(rule_, [(0.0, HUB, PART), (10.0, HUB, WHOLE)])
    looks = [(50.0, HUB, PART), (60.0, HUB, WHOLE), (110.0, HUB, PART), (112.0, HUB, WHOLE)]
    assert at(play(rule_, looks, changes[-1].state)) == [(112, "soaked")]


def test_without_a_soak_time_what_is_complete_has_soaked_and_nobody_is_told_twice() -> None:
    changes = play(ONE, [(0, HUB, WHOLE), (100, HUB, WHOLE)])
    assert "soaked" not in kinds(changes)
    assert changes[0].state.soaked_at == 0.0


# Late


def test_a_version_that_is_not_complete_in_time_is_late_once() -> None:
    rule_ = rule(late=100.0)
    looks = [(0, HUB, WHOLE), (0, GHCR, PART), (99, GHCR, PART), (100, GHCR, PART)]
    changes = play(rule_, [*looks, (200, GHCR, PART), (201, GHCR, WHOLE), (999, GHCR, WHOLE)])
    assert at(changes, *STEPS) == [(100, "late"), (201, "complete")]
    late = next(each for each in events(changes) if each.kind == "late")
    assert (late.why, late.lag) == (f"in {GHCR} linux/arm64 is missing", 100.0)
    assert changes[-1].state.late_at is None


def test_it_is_late_though_a_registry_is_silent_and_it_is_said_that_it_is() -> None:
    rule_ = rule(late=100.0)
    state = play(rule_, [(0, HUB, WHOLE), (1, GHCR, PART), (50, GHCR, DOWN)])[-1].state
    assert due(rule_, state) == 100.0
    (late,) = decide(rule_, state, [], 100.0).events
    assert (late.kind, late.why) == (
        "late",
        f"in {GHCR} linux/arm64 is missing when it answered last",
    )


def test_it_is_not_late_before_somebody_was_asked_at_the_limit() -> None:
    rule_ = rule(HUB, late=100.0)
    state = play(rule_, [(0, HUB, PART), (60, HUB, PART)])[-1].state
    assert decide(rule_, state, [], 100.0).events == ()
    assert at(play(rule_, [(101, HUB, WHOLE)], state), *STEPS) == [(101, "complete")]


def test_what_was_complete_once_is_incomplete_and_not_late() -> None:
    rule_ = rule(HUB, late=100.0)
    looks = [(50.0, HUB, LOSSY), (110.0, HUB, LOSSY), (300.0, HUB, LOSSY)]
    assert at(play(rule_, looks, complete(rule_))) == [(110, "incomplete")]


# Mirrors


def test_no_version_waits_for_a_mirror_and_the_mirror_is_late() -> None:
    looks = [(0, MIRROR, ABSENT), (0, HUB, WHOLE), (99, MIRROR, ABSENT), (100, MIRROR, PART)]
    changes = play(WITH_MIRROR, [*looks, (200, MIRROR, PART), (300, MIRROR, WHOLE)])
    assert [(each.at, each.kind, each.place) for each in events(changes)] == [
        (0, "appeared", ""),
        (0, "platform ready", HUB),
        (0, "platform ready", HUB),
        (0, "complete", ""),
        (100, "platform ready", MIRROR),
        (100, "late", MIRROR),
        (300, "platform ready", MIRROR),
        (300, "complete", MIRROR),
    ]


def test_a_mirror_that_follows_in_time_is_not_told_to_be_complete() -> None:
    looks = [(0, HUB, WHOLE), (0, MIRROR, ABSENT), (50, MIRROR, WHOLE), (150, MIRROR, WHOLE)]
    assert at(play(WITH_MIRROR, looks), *STEPS) == [(0, "complete")]


def test_a_mirror_that_holds_something_else_is_late_and_does_not_make_a_difference() -> None:
    looks = [(0, HUB, WHOLE), (0, MIRROR, NEXT), (100, MIRROR, NEXT), (200, MIRROR, WHOLE)]
    changes = play(WITH_MIRROR, looks)
    assert at(changes, "platform ready", "appeared") == [
        (0, "complete"),
        (100, "late"),
        (200, "moved"),
        (200, "complete"),
    ]
    late = next(each for each in events(changes) if each.kind == "late")
    assert late.why == f"{MIRROR} holds sha256:next"


def test_a_mirror_that_lost_what_it_had_gets_its_time_again() -> None:
    state = complete(WITH_MIRROR)
    looks = [(500, MIRROR, LOSSY), (560, MIRROR, LOSSY), (599, MIRROR, LOSSY), (600, MIRROR, LOSSY)]
    assert at(play(WITH_MIRROR, looks, state)) == [(600, "late")]


def test_a_mirror_has_no_limit_unless_one_is_said() -> None:
    rule_ = rule(HUB, Place(repository=MIRROR, mirror=True))
    looks = [(0, HUB, WHOLE), (0, MIRROR, ABSENT), (99_999, MIRROR, ABSENT)]
    assert "late" not in kinds(play(rule_, looks))


def test_others_are_not_held_against_a_mirror_that_comes_first() -> None:
    rule_ = rule(Place(repository=MIRROR, mirror=True), HUB)
    state = play(rule_, [(0, MIRROR, NEXT), (0, HUB, WHOLE)])[-1].state
    assert state.digest == "sha256:whole"
    assert {seen.state for seen in state.places[1].platforms.values()} == {"ready"}
    assert {seen.state for seen in state.places[0].platforms.values()} == {"different"}


# What was there when the watch began


def test_what_changes_in_a_tag_that_was_there_is_news() -> None:
    changes = play(BOTH, everywhere(100, NEXT), known(BOTH))
    assert at(changes, "platform ready") == [(100, "moved"), (100, "moved"), (100, "complete")]
    assert changes[-1].state.was_there is False


def test_a_release_that_was_half_done_when_the_watch_began_is_told_of_from_there_on() -> None:
    rule_ = rule(late=100.0, soak=50.0)
    looks = [(500, HUB, WHOLE), (501, GHCR, WHOLE), *everywhere(551, WHOLE)]
    changes = play(rule_, looks, known(rule_, PART))
    assert [(each.at, each.kind, each.lag) for each in events(changes)] == [
        (500, "platform ready", None),
        (501, "platform ready", None),
        (501, "complete", None),
        (551, "soaked", None),
    ]


def test_nobody_is_told_that_what_was_complete_all_along_has_soaked() -> None:
    rule_ = rule(soak=100.0)
    changes = play(rule_, everywhere(100, WHOLE), known(rule_))
    assert kinds(changes) == []
    assert changes[-1].state.soaked_at == 100.0
    assert len(changes[-1].observations) == 1  # it is to be kept


def test_a_registry_that_answers_for_the_first_time_much_later_brings_no_news() -> None:
    state = beginning(BOTH, "2.6.0", 0.0, was_there=True)
    changes = play(BOTH, [(0, HUB, WHOLE), (0, GHCR, DOWN), (9999, GHCR, WHOLE)], state)
    assert kinds(changes) == []
    assert changes[-1].state.complete_at == 9999


def test_a_tag_that_was_asked_for_by_name_and_comes_later_is_news() -> None:
    state = beginning(BOTH, "2.6.1", 0.0, was_there=True)
    changes = play(BOTH, [*everywhere(0, ABSENT), *everywhere(100, WHOLE)], state)
    assert at(changes, "platform ready") == [(100, "appeared"), (100, "complete")]
    assert events(changes)[-1].lag == 0.0
    assert changes[-1].state.was_there is False


# Rules that change


def test_a_registry_that_is_added_and_lacks_what_is_out_is_no_news_until_it_has_it() -> None:
    changes = play(BOTH, [(100, GHCR, ABSENT), (300, GHCR, ABSENT)], complete(ONE))
    assert kinds(changes) == []
    assert changes[-1].state.complete_at is None
    later = play(BOTH, [(400, GHCR, WHOLE)], changes[-1].state)
    assert at(later, "platform ready") == [(400, "complete")]


def test_a_registry_that_is_added_and_has_it_changes_nothing() -> None:
    changes = play(BOTH, [(100, GHCR, WHOLE), (200, HUB, WHOLE)], complete(ONE))
    assert kinds(changes) == []
    assert changes[-1].state.complete_at == 0.0


def test_a_registry_that_is_removed_is_not_waited_for_any_more() -> None:
    state = play(BOTH, [(0, HUB, WHOLE), (0, GHCR, ABSENT)])[-1].state
    change = decide(ONE, state, [], 100.0)
    assert [each.kind for each in change.events] == ["complete"]
    assert [each.place for each in change.state.places] == [HUB]


def test_a_registry_that_becomes_a_mirror_is_not_waited_for_any_more() -> None:
    state = play(BOTH, [(0, HUB, WHOLE), (0, GHCR, ABSENT)])[-1].state
    rule_ = rule(HUB, Place(repository=GHCR, mirror=True))
    assert kinds(play(rule_, [(100, HUB, WHOLE)], state)) == ["complete"]


def test_a_platform_that_is_asked_for_now_and_was_never_there_is_no_news() -> None:
    riscv = "linux/riscv64"
    rule_ = rule(HUB, platforms=(AMD64, ARM64, riscv), late=50.0)
    wanted = (AMD64, ARM64, riscv)
    old = index("sha256:whole", {AMD64: "sha256:amd64", ARM64: "sha256:arm64"}, wanted)
    changes = play(rule_, [(100, HUB, old), (300, HUB, old)], complete(ONE))
    assert kinds(changes) == []
    assert changes[-1].state.complete_at is None
    images = {AMD64: "sha256:amd64", ARM64: "sha256:arm64", riscv: "sha256:riscv64"}
    new = index("sha256:new", images, wanted)  # what was complete once moves, it is not filled
    later = play(rule_, [(400, HUB, new)], changes[-1].state)
    assert at(later, "platform ready") == [(400, "moved"), (400, "complete")]


def test_an_answer_to_a_question_about_fewer_platforms_tells_nothing() -> None:
    rule_ = rule(HUB, platforms=(AMD64, ARM64, "linux/riscv64"))
    (change,) = play(rule_, [(100, HUB, NEXT)], complete(ONE))
    assert change.events == ()
    assert change.observations == ()
    assert change.state == complete(ONE)


def test_what_places_not_watched_say_is_passed_over() -> None:
    state = complete(ONE)
    assert decide(ONE, state, [observed(ONE, (5.0, GHCR, NEXT))], 5.0) == Change(state=state)


# Clocks and order


def test_an_answer_that_is_older_than_the_last_one_tells_nothing() -> None:
    state = play(ONE, [(100, HUB, WHOLE)])[-1].state
    late_arrival = observed(ONE, (90.0, HUB, NEXT))
    assert decide(ONE, state, [late_arrival], 101.0) == Change(state=state)


def test_after_the_clock_was_put_back_what_is_counted_is_counted_from_then() -> None:
    rule_ = rule(HUB, soak=100.0)
    looks = [(-5000.0, HUB, WHOLE), (-4901.0, HUB, WHOLE), (-4900.0, HUB, WHOLE)]
    assert at(play(rule_, looks, complete(rule_))) == [(-4900, "soaked")]


def test_after_the_clock_was_put_back_the_first_answer_counts() -> None:
    state = play(ONE, [(100, HUB, PART)])[-1].state
    change = decide(ONE, state, [observed(ONE, (49.5, HUB, WHOLE))], 50.0)
    assert [each.kind for each in change.events] == ["platform ready", "complete"]
    assert [each.lag for each in change.events] == [0.5, 0.5]


def test_a_clock_that_goes_far_forward_and_back_tells_nothing_twice() -> None:
    rule_ = rule(HUB, soak=100.0, late=50.0)
    looks = [(1e9, HUB, WHOLE), (20.0, HUB, WHOLE), (500.0, HUB, WHOLE), (900.0, HUB, WHOLE)]
    assert at(play(rule_, looks, complete(rule_))) == [(1e9, "soaked")]


# When something is due


@pytest.mark.parametrize(
    ("rule_", "looks", "expected"),
    [
        (BOTH, [(0, HUB, PART)], None),
        (rule(late=100.0), [(0, HUB, PART)], 100.0),
        (rule(HUB, soak=30.0), [(5, HUB, WHOLE)], 35.0),
        (BOTH, [*everywhere(0, WHOLE), (10, HUB, ABSENT)], 70.0),
        (BOTH, [*everywhere(0, WHOLE), (10, HUB, LOSSY)], 70.0),
        (BOTH, [*everywhere(0, WHOLE), (10, HUB, NEXT)], 70.0),
        (BOTH, [*everywhere(0, WHOLE), (10, GHCR, NEXT)], 70.0),
        (BOTH, [*everywhere(0, WHOLE), (10, HUB, ABSENT), (11, HUB, WHOLE)], None),
        (BOTH, [*everywhere(0, WHOLE), (10, HUB, ABSENT), (11, HUB, DOWN)], None),
        (WITH_MIRROR, [(0, HUB, WHOLE), (1, MIRROR, ABSENT)], 100.0),
    ],
)
def test_when_something_is_due(
    rule_: Rule, looks: list[tuple[float, str, Readiness | str]], expected: float | None
) -> None:
    assert due(rule_, play(rule_, looks)[-1].state) == expected


def test_a_tag_of_which_nothing_is_known_has_nothing_due() -> None:
    assert due(BOTH, beginning(BOTH, "2.6.1", 0.0)) is None


# What is kept


def test_the_observations_that_changed_something_are_kept_and_no_others() -> None:
    looks = [(0, HUB, PART), (1, HUB, PART), (2, HUB, WHOLE), (3, HUB, WHOLE)]
    assert [len(each.observations) for each in play(ONE, looks)] == [1, 0, 1, 0]


def test_a_doubt_and_its_end_are_kept() -> None:
    looks = [(10, HUB, ABSENT), (20, HUB, ABSENT), (30, HUB, WHOLE), (40, HUB, WHOLE)]
    assert [len(each.observations) for each in play(ONE, looks, complete(ONE))] == [1, 0, 1, 0]


def test_an_answer_that_is_no_news_is_noted_with_its_time() -> None:
    (change,) = play(ONE, [(77, HUB, WHOLE)], complete(ONE))
    seen = complete(ONE).places[0]
    assert change.state.places == (replace(seen, answered_at=77),)
