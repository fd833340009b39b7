"""Whatever is seen, whenever, and whatever the clock does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from manyfest.check.readiness import Readiness
from manyfest.watch.decide import beginning, decide, due
from manyfest.watch.values import Change, Event, Place, PlaceSeen, TagState
from tests.unit.watch_tags import (
    ABSENT,
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
    events,
    everywhere,
    having,
    observed,
    play,
    rule,
)

RULE = rule(HUB, GHCR, Place(repository=MIRROR, mirror=True, late=100), late=300, soak=200)
PLACES = (HUB, GHCR, MIRROR)
LOSSY = having(WHOLE, ARM64, "partial", "a layer is missing")
ANSWERS: list[Readiness | str] = [DOWN, ABSENT, EMPTY, PART, WHOLE, WHOLE, NEXT, LOSSY]
STEPS = st.tuples(
    st.integers(min_value=0, max_value=90), st.sampled_from(PLACES), st.sampled_from(ANSWERS)
)
JUMPS = st.tuples(
    st.integers(min_value=-4000, max_value=4000), st.sampled_from(PLACES), st.sampled_from(ANSWERS)
)
Steps = list[tuple[int, str, Readiness | str]]
SEEN = st.lists(STEPS, max_size=40)
SEEN_BY_A_BAD_CLOCK = st.lists(st.one_of(STEPS, STEPS, STEPS, JUMPS), max_size=40)
ROUNDS = st.lists(
    st.tuples(
        st.integers(min_value=1, max_value=90),
        st.tuples(*[st.sampled_from(ANSWERS)] * 3),
    ),
    max_size=15,
)
Rounds = list[tuple[int, tuple[Readiness | str, ...]]]


def looks(steps: Steps, start: float = 1_000_000.0) -> list[Look]:
    """The steps, one pause after the other."""
    now, made = start, list[Look]()
    for pause, place, said in steps:
        now += pause
        made.append((now, place, said))
    return made


def in_rounds(rounds: Rounds) -> list[Look]:
    """All places looked at again and again."""
    return looks(
        [
            (pause if place == HUB else 0, place, each)
            for pause, said in rounds
            for place, each in zip(PLACES, said, strict=True)
        ]
    )


def settling(start: float, said: Readiness) -> list[Look]:
    """What is seen if all that happens has happened: for long, the same everywhere."""
    return [
        look for pause in range(1, 12) for look in everywhere(start + pause * 70, said, *PLACES)
    ]


def believed(seen: Sequence[Look], place: str) -> str:
    """The digest that a place is believed to hold, found by going over all that it said."""
    digest, earlier, said, since = "", set[str](), "", 0.0
    for now, where, answer in seen:
        if where != place or isinstance(answer, str):
            continue
        if answer.digest != said or answer.digest == digest:
            said, since = answer.digest, now
        is_new = bool(said) and said not in earlier
        if said != digest and (is_new or now - since >= RULE.settle):
            earlier = (earlier | {digest}) - {said}
            digest = said
    return digest


def last_answers(seen: Sequence[Look]) -> dict[str, Readiness]:
    return {place: answer for _, place, answer in seen if isinstance(answer, Readiness)}


def is_complete(seen: Sequence[Look]) -> bool:
    """Whether both registries said last that they hold the same, and all of it."""
    last = last_answers(seen)
    both = [last[place] for place in (HUB, GHCR) if place in last]
    return len(both) == 2 and both[0].digest == both[1].digest and all(map(is_whole, both))


def is_whole(answer: Readiness) -> bool:
    return bool(answer.digest) and answer.ready


@settings(deadline=None)
@given(SEEN)
def test_every_change_of_a_digest_is_believed_when_it_should_be_and_told_once(steps: Steps) -> None:
    seen = looks(steps)
    held = dict.fromkeys(PLACES, "")
    for count, change in enumerate(play(RULE, seen), start=1):
        place = seen[count - 1][1]
        was, now = held[place], believed(seen[:count], place)
        told = [(each.kind, each.was) for each in change.events if each.place == place]
        assert (("vanished", was) in told) is (bool(was) and not now)
        if ("moved", was) in told:
            assert was
            assert now not in ("", was)
        assert {each.place: each.digest for each in change.state.places} == held | {place: now}
        held[place] = now


@settings(deadline=None)
@given(SEEN)
def test_nothing_is_told_to_vanish_that_was_away_for_less_than_the_time_to_settle(
    steps: Steps,
) -> None:
    seen = looks(steps)
    for count, change in enumerate(play(RULE, seen), start=1):
        if any(each.kind == "vanished" for each in change.events):
            now, place, _ = seen[count - 1]
            answers = [
                (at, answer)
                for at, where, answer in seen[:count]
                if where == place and isinstance(answer, Readiness)
            ]
            last = max(number for number, (_, answer) in enumerate(answers) if answer.digest)
            first_away = answers[last + 1][0]
            assert now - first_away >= RULE.settle


@settings(deadline=None)
@given(SEEN)
def test_a_platform_is_told_to_be_ready_again_only_if_it_was_not_for_long(steps: Steps) -> None:
    seen = looks(steps)
    changes = play(RULE, seen)
    last = dict[tuple[str, str], int]()
    for number, change in enumerate(changes):
        for each in change.events:
            about = each.place, each.what
            if each.kind in ("moved", "vanished"):
                last = {key: at for key, at in last.items() if key[0] != each.place}
            if each.kind == "platform ready":
                if about in last:
                    between = seen[last[about] + 1 : number]
                    assert longest_without(each.platform, each.place, between) >= RULE.settle
                last[about] = number


def longest_without(platform: str, place: str, seen: Sequence[Look]) -> float:
    """For how long a place said again and again that a platform is not ready."""
    longest, since = 0.0, None
    for now, where, answer in seen:
        if where == place and isinstance(answer, Readiness):
            ready = [each.platform for each in answer.platforms if each.state == "ready"]
            since = None if platform in ready else now if since is None else since
            longest = max(longest, now - (now if since is None else since))
    return longest


@settings(deadline=None)
@given(SEEN)
@example([(0, HUB, WHOLE), (0, GHCR, WHOLE), (1, GHCR, NEXT), (70, HUB, WHOLE)])
def test_complete_is_told_exactly_when_all_registries_say_so(steps: Steps) -> None:
    seen = looks(steps)
    was: TagState | None = None
    for count, change in enumerate(play(RULE, seen), start=1):
        state = change.state
        if any(each.kind == "complete" and not each.place for each in change.events):
            assert is_complete(seen[:count])
            assert was is None or was.complete_at is None or was.digest != state.digest
        if is_complete(seen[:count]):
            digest = last_answers(seen[:count])[HUB].digest
            is_believed = all(each.digest == digest for each in state.places[:2])
            assert (state.complete_at is not None) >= is_believed
        was = state


@settings(deadline=None)
@given(SEEN)
def test_events_of_the_version_follow_each_other_in_the_only_order_that_makes_sense(
    steps: Steps,
) -> None:
    check_order(play(RULE, looks(steps)))


# An event of the version: what must be so, what must not, what is so then, and what is not
ORDER: dict[str, tuple[set[str], set[str], set[str], set[str]]] = {
    "appeared": (set(), {"there"}, {"there"}, {"complete", "soaked", "late", "differ"}),
    "complete": ({"there"}, {"complete", "differ"}, {"complete"}, {"late"}),
    "incomplete": ({"complete"}, set(), set(), {"complete", "soaked"}),
    "soaked": ({"complete"}, {"soaked"}, {"soaked"}, set()),
    "late": ({"there"}, {"complete", "late"}, {"late"}, set()),
    "differ": ({"there"}, {"differ"}, {"differ"}, {"complete", "soaked"}),
    "agree": ({"differ"}, set(), set(), {"differ"}),
}


def check_order(changes: Iterable[Change]) -> None:
    """Nothing is told that is known already, and what is told is what is known."""
    so, digest = set[str](), ""
    for change in changes:
        state = change.state
        if state.digest != digest and any(each.kind == "moved" for each in change.events):
            so -= {"complete", "soaked", "late"}
        for each in change.events:
            if not each.place:
                must, must_not, then, then_not = ORDER[each.kind]
                assert must <= so
                assert not must_not & so
                so = (so | then) - then_not
        so = so if state.digest else set()
        assert so == known(state)
        digest = state.digest


def known(state: TagState) -> set[str]:
    times = {
        "complete": state.complete_at,
        "soaked": state.soaked_at,
        "late": state.late_at,
        "differ": state.differ_at,
    }
    return {name for name, at in times.items() if at is not None} | (
        {"there"} if state.digest else set()
    )


@settings(deadline=None)
@given(SEEN)
def test_an_event_is_told_at_the_time_of_the_decision(steps: Steps) -> None:
    seen = looks(steps)
    for (now, _, _), change in zip(seen, play(RULE, seen), strict=True):
        assert {each.at for each in change.events} <= {now}


@settings(deadline=None)
@given(ROUNDS)
def test_soaked_is_told_once_all_registries_said_so_after_the_soak_time(rounds: Rounds) -> None:
    seen = in_rounds(rounds)
    for count, change in enumerate(play(RULE, seen), start=1):
        if any(each.kind == "soaked" for each in change.events):
            since = change.state.complete_at
            assert since is not None
            confirmed = {
                place
                for now, place, answer in seen[:count]
                if now >= since + RULE.soak and isinstance(answer, Readiness) and answer.ready
            }
            assert {HUB, GHCR} <= confirmed


@settings(deadline=None)
@given(SEEN, st.sampled_from([WHOLE, NEXT]))
def test_in_the_end_all_is_told_that_came_to_be(steps: Steps, said: Readiness) -> None:
    seen = looks(steps)
    changes = play(RULE, [*seen, *settling(seen[-1][0] if seen else 1_000_000.0, said)])
    state, told = changes[-1].state, events(changes)
    assert state.soaked_at is not None
    assert (state.digest, state.differ_at, state.late_at) == (said.digest, None, None)
    assert [each.complete_at is not None for each in state.places] == [True] * 3
    assert [each.late_at for each in state.places] == [None] * 3
    assert last_of(told, "complete", "incomplete", "differ").what == said.digest
    assert last_of(told, "soaked").what == said.digest


@settings(deadline=None)
@given(SEEN)
def test_in_the_end_all_is_told_that_is_gone(steps: Steps) -> None:
    seen = looks(steps)
    changes = play(RULE, [*seen, *settling(seen[-1][0] if seen else 1_000_000.0, ABSENT)])
    state, told = changes[-1].state, events(changes)
    assert [state.digest, *(each.digest for each in state.places)] == [""] * 4
    was_there = {place for _, place, said in seen if isinstance(said, Readiness) and said.digest}
    assert {each.place for each in told if each.kind == "vanished"} == was_there
    if was_there & {HUB, GHCR}:
        assert last_of([each for each in told if each.place != MIRROR], "vanished").what == "gone"


def last_of(told: Iterable[Event], *kinds: str) -> Event:
    return [each for each in told if each.kind in kinds and each.place != MIRROR][-1]


@settings(deadline=None)
@given(SEEN)
def test_a_state_that_was_kept_as_json_goes_on_as_if_nothing_had_been(steps: Steps) -> None:
    state = beginning(RULE, "2.6.1", 1_000_000.0)
    for look in looks(steps):
        kept = msgspec.json.decode(msgspec.json.encode(state), type=TagState)
        assert kept == state
        change = decide(RULE, state, [observed(RULE, look)], look[0])
        assert decide(RULE, kept, [observed(RULE, look)], look[0]) == change
        state = change.state


@settings(deadline=None)
@given(SEEN, st.integers(min_value=0, max_value=40))
def test_what_was_not_kept_is_not_missed_after_a_restart(steps: Steps, count: int) -> None:
    """A change without observations and events need not be kept."""
    seen = looks(steps)
    changes = play(RULE, seen)
    kept: TagState | None = None
    for change in changes[:count]:
        if change.observations or change.events:
            kept = change.state
    if kept is None:
        return
    later = play(RULE, seen[count:], kept)
    confirmed = ("soaked", "late", "incomplete", "differ")  # by answers: it may be the next ones
    expected = [each for each in events(changes[count:]) if each.kind not in confirmed]
    assert [each for each in events(later) if each.kind not in confirmed] == expected


@settings(deadline=None)
@given(ROUNDS)
def test_it_makes_no_difference_how_many_answers_are_decided_on_at_once(rounds: Rounds) -> None:
    seen = in_rounds(rounds)
    one_by_one = play(RULE, seen)
    state = beginning(RULE, "2.6.1", seen[0][0] if seen else 0.0)
    together: list[Event] = []
    for number in range(0, len(seen), 3):
        of_round = [observed(RULE, look) for look in seen[number : number + 3]]
        change = decide(RULE, state, of_round, seen[number][0])
        together += change.events
        state = change.state
    assert together == events(one_by_one)
    assert not seen or state == one_by_one[-1].state


@settings(deadline=None)
@given(SEEN)
def test_the_same_answer_again_is_no_change(steps: Steps) -> None:
    state = beginning(RULE, "2.6.1", 1_000_000.0)
    for look in looks(steps):
        state = decide(RULE, state, [observed(RULE, look)], look[0]).state
        again = decide(RULE, state, [observed(RULE, look)], look[0])
        assert again == Change(state=state)
        assert decide(RULE, state, [], look[0]) == Change(state=state)


@settings(deadline=None)
@given(SEEN)
def test_nothing_happens_by_itself_before_it_is_due(steps: Steps) -> None:
    for change, (now, _, _) in zip(play(RULE, seen := looks(steps)), seen, strict=True):
        at = due(RULE, change.state)
        until = now + 1_000_000 if at is None else max(now, at - 1)
        assert decide(RULE, change.state, [], until).events == ()


@settings(deadline=None)
@given(ROUNDS)
def test_who_asks_when_it_is_due_is_done_with_it(rounds: Rounds) -> None:
    """All are asked at that time: what comes after is later, so nobody asks without a pause."""
    state = beginning(RULE, "2.6.1", 1_000_000.0)
    for now, place, said in in_rounds(rounds):
        state = decide(RULE, state, [observed(RULE, (now, place, said))], now).state
    seen = last_answers(in_rounds(rounds))
    for _ in range(10):
        at = due(RULE, state)
        if at is None:
            return
        now = max(at, *(each.answered_at or 0.0 for each in state.places), state.began)
        asked = [observed(RULE, (now, place, seen.get(place, DOWN))) for place in PLACES]
        state = decide(RULE, state, asked, now).state
        again = due(RULE, state)
        assert again is None or again > at
    raise AssertionError("it is never done")


@settings(deadline=None)
@given(SEEN_BY_A_BAD_CLOCK)
def test_a_clock_that_jumps_makes_no_nonsense(steps: Steps) -> None:
    seen = looks(steps)
    changes = play(RULE, seen)
    check_order(changes)
    for (now, _, _), change in zip(seen, changes, strict=True):
        assert all(each.lag is None or each.lag >= 0 for each in change.events)
        assert max(times(change.state)) <= now


@settings(deadline=None)
@given(SEEN_BY_A_BAD_CLOCK, st.sampled_from([WHOLE, NEXT]))
def test_after_a_clock_that_jumped_all_is_told_in_the_end(steps: Steps, said: Readiness) -> None:
    seen = looks(steps)
    changes = play(RULE, [*seen, *settling(seen[-1][0] if seen else 1_000_000.0, said)])
    assert changes[-1].state.soaked_at is not None
    assert last_of(events(changes), "soaked").what == said.digest


def times(state: TagState) -> list[float]:
    """All times that are known, but for the beginning of nothing."""
    found = [state.first_seen, state.complete_at, state.first_complete_at, state.soaked_at]
    found += [state.late_at, state.differ_at, *(time for each in state.places for time in of(each))]
    return [each for each in found if each is not None]


def of(seen: PlaceSeen) -> list[float | None]:
    ready = [each.ready_at for each in seen.platforms.values()]
    doubted = [seen.doubt.since] if seen.doubt else []
    found = [seen.since, seen.first_seen, seen.complete_at, seen.answered_at, seen.silent_since]
    return [*found, seen.lost_at, seen.late_at, *doubted, *ready]


@settings(deadline=None)
@given(st.permutations(PLACES), st.lists(st.sampled_from(ANSWERS[1:]), min_size=3, max_size=3))
def test_what_was_there_when_the_watch_began_is_never_told(
    places: list[str], answers: list[Readiness]
) -> None:
    """Whatever it was, in whichever order the registries say so, for as long as it stays so."""
    state, told = beginning(RULE, "2.6.0", 1_000_000.0, was_there=True), list[Event]()
    for number in range(20):
        now = 1_000_000.0 + number * 70
        for place, said in zip(places, answers, strict=True):
            change = decide(RULE, state, [observed(RULE, (now, place, said), "2.6.0")], now)
            told += change.events
            state = change.state
    assert told == []
    assert {each.place: each.digest for each in state.places} == {
        place: said.digest for place, said in zip(places, answers, strict=True)
    }
