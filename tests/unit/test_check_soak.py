from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfest.check.agreement import agreed
from manyfest.check.readiness import PlatformState, Readiness, missing, with_states
from manyfest.check.soak import (
    Answer,
    Decision,
    Event,
    Question,
    Silence,
    State,
    decide,
    next_instant,
)

AMD64, ARM64 = "linux/amd64", "linux/arm64"
ONE = Question(groups=((0,),), soak=60.0, timeout=300.0)
TWO = Question(groups=((0, 1),), soak=60.0, timeout=300.0)
DOWN = Silence("it is down")
RESTS = Silence("it wants to be left alone for 90 s", rests=True)
NOTHING = with_states("app:v1", "", [missing(AMD64, "no tag"), missing(ARM64, "no tag")])
EMPTY = with_states(
    "app:v1", "empty", [missing(AMD64, "it has none"), missing(ARM64, "it has none")]
)


def holding(root: str, arm64: str = "ready") -> Readiness:
    """An index with two images, one of which may be in another state."""
    states = {AMD64: "ready", ARM64: arm64}
    return with_states(
        "app:v1",
        root,
        [
            PlatformState(
                platform=name,
                state=state,  # type: ignore[arg-type]
                digest=f"{root} {name}",
                why="" if state == "ready" else f"it is {state}",
            )
            for name, state in states.items()
        ],
    )


def play(question: Question, *rounds: tuple[float, Sequence[Answer]]) -> list[Decision]:
    """What follows from answers at these times, the first of which is the beginning."""
    state = State.at(rounds[0][0], len(rounds[0][1]))
    decisions = []
    for now, answers in rounds:
        decisions.append(decide(question, state, answers, now))
        state = decisions[-1].state
    return decisions


def verdicts(decisions: Sequence[Decision]) -> list[str]:
    return [each.verdict for each in decisions]


def kinds(decision: Decision) -> list[str]:
    return [each.kind for each in decision.events]


def test_what_is_complete_for_the_whole_soak_time_is_ready() -> None:
    whole = [holding("new")]
    decisions = play(ONE, (0, whole), (30, whole), (59, whole), (60, whole))
    assert verdicts(decisions) == ["wait", "wait", "wait", "ready"]
    assert [kinds(each) for each in decisions] == [["holds", "complete"], [], [], []]


def test_without_a_soak_time_the_first_complete_sighting_is_enough() -> None:
    question = Question(groups=((0,),), soak=0.0, timeout=300.0)
    assert verdicts(play(question, (0, [EMPTY]), (9, [holding("new")]))) == ["wait", "ready"]


def test_an_empty_index_is_filled_platform_by_platform() -> None:
    rounds = [(0.0, EMPTY), (10.0, holding("one", "missing")), (20.0, holding("one", "partial"))]
    decisions = play(ONE, *((now, [answer]) for now, answer in (*rounds, (30.0, holding("one")))))
    assert [each.events for each in decisions] == [
        (
            Event("holds", 0, what="empty"),
            Event("state", 0, AMD64, "missing", "it has none"),
            Event("state", 0, ARM64, "missing", "it has none"),
        ),
        (
            Event("holds", 0, what="one"),
            Event("state", 0, AMD64, "ready"),
            Event("state", 0, ARM64, "missing", "it is missing"),
        ),
        (Event("state", 0, ARM64, "partial", "it is partial"),),
        (Event("state", 0, ARM64, "ready"), Event("complete")),
    ]


def test_a_tag_that_is_not_there_is_told_of_in_one_line() -> None:
    (first,) = play(ONE, (0, [NOTHING]))
    assert first.events == (Event("holds", 0, what="", why="no tag"),)


def test_the_soak_time_begins_anew_when_the_digest_changes() -> None:
    old, new = [holding("old")], [holding("new")]
    decisions = play(ONE, (0, old), (50, new), (70, new), (109, new), (110, new))
    assert verdicts(decisions) == ["wait", "wait", "wait", "wait", "ready"]
    assert kinds(decisions[1]) == ["holds", "restarted"]


def test_a_stale_answer_in_between_is_a_change_too() -> None:
    old, new = [holding("old", "missing")], [holding("new")]
    decisions = play(ONE, (0, new), (30, old), (40, new), (70, new), (99, new), (100, new))
    assert verdicts(decisions) == ["wait"] * 5 + ["ready"]
    assert kinds(decisions[1]) == ["holds", "state", "incomplete"]
    assert kinds(decisions[2]) == ["holds", "state", "complete"]


def test_the_soak_time_begins_when_the_last_place_is_complete() -> None:
    whole, behind = holding("new"), holding("old", "missing")
    decisions = play(
        TWO, (0, [whole, behind]), (100, [whole, whole]), (159, [whole] * 2), (160, [whole] * 2)
    )
    assert verdicts(decisions) == ["wait", "wait", "wait", "ready"]


def test_two_complete_images_that_differ_are_not_ready() -> None:
    decisions = play(TWO, (0, [holding("new"), holding("other")]), (300, [holding("new")] * 2))
    assert [(each.platform, each.what) for each in decisions[0].events if each.kind == "state"] == [
        (AMD64, "different"),
        (ARM64, "different"),
    ]
    assert decisions[1].state.since == 300


def test_another_digest_than_the_expected_one_is_not_ready() -> None:
    question = Question(groups=((0,),), soak=0.0, timeout=300.0, expected="new")
    assert verdicts(play(question, (0, [holding("old")]), (5, [holding("new")]))) == [
        "wait",
        "ready",
    ]


@pytest.mark.parametrize("silence", [DOWN, RESTS])
def test_who_does_not_answer_neither_ends_nor_breaks_the_soak(silence: Silence) -> None:
    whole = holding("new")
    decisions = play(
        TWO,
        (0, [whole, whole]),
        (30, [whole, silence]),
        (60, [whole, silence]),
        (61, [whole, whole]),
    )
    assert verdicts(decisions) == ["wait", "wait", "wait", "ready"]
    assert decisions[3].state.since == 0


def test_the_soak_begins_with_the_last_that_is_seen_complete_and_ends_when_each_says_so() -> None:
    """Two registries that want to be asked seldom may never answer at the same moment."""
    whole, behind = holding("new"), holding("new", "missing")
    decisions = play(
        TWO,
        (0, [whole, behind]),
        (10, [RESTS, whole]),
        (69, [whole, RESTS]),
        (75, [RESTS, whole]),
        (80, [whole, RESTS]),
    )
    assert [each.state.since for each in decisions] == [None, 10, 10, 10, 10]
    assert verdicts(decisions) == ["wait", "wait", "wait", "wait", "ready"]


def test_a_change_that_is_seen_after_a_silence_begins_the_soak_anew() -> None:
    old, new = holding("old"), holding("new")
    decisions = play(TWO, (0, [old, old]), (10, [DOWN, new]), (20, [new, new]))
    assert [each.state.since for each in decisions] == [0, None, 20]


def test_a_silence_is_told_of_once_and_so_is_its_end() -> None:
    whole = [holding("new")]
    other = Silence("another reason")
    decisions = play(ONE, (0, whole), (1, [DOWN]), (2, [other]), (3, whole))
    assert [each.events for each in decisions[1:]] == [
        (Event("silent", 0, why="it is down"),),
        (),
        (Event("answers", 0),),
    ]


def test_a_rest_is_told_of_once_and_its_end_is_not() -> None:
    whole = [holding("new")]
    decisions = play(ONE, (0, whole), (1, [RESTS]), (2, [RESTS]), (3, whole))
    assert [kinds(each) for each in decisions[1:]] == [["rests"], [], []]


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ([holding("new"), holding("new", "missing")], "late"),
        ([holding("new"), NOTHING], "late"),
        ([DOWN, holding("new", "missing")], "late"),
        ([DOWN, holding("new")], "unclear"),
        ([DOWN, DOWN], "unclear"),
    ],
)
def test_when_the_time_is_over_it_is_a_no_only_if_somebody_says_so(
    answers: list[Answer], verdict: str
) -> None:
    assert verdicts(play(TWO, (0, answers), (299, answers), (300, answers))) == [
        "wait",
        "wait",
        verdict,
    ]


def test_the_soak_time_comes_on_top_of_the_timeout() -> None:
    whole = [holding("new")]
    decisions = play(ONE, (0, [NOTHING]), (300, whole), (359, whole), (360, whole))
    assert verdicts(decisions) == ["wait", "wait", "wait", "ready"]


def test_what_changes_after_the_timeout_is_too_late() -> None:
    decisions = play(ONE, (0, [holding("old")]), (290, [holding("new")]), (301, [holding("third")]))
    assert verdicts(decisions) == ["wait", "wait", "late"]


def test_a_silence_at_the_end_of_the_soak_is_waited_for_as_long_as_the_timeout() -> None:
    whole = [holding("new")]
    decisions = play(ONE, (0, whole), (60, [DOWN]), (359, [DOWN]), (360, [DOWN]))
    assert verdicts(decisions) == ["wait", "wait", "wait", "unclear"]


def test_the_next_instant_is_the_end_of_the_soak_or_of_the_time() -> None:
    waiting, soaking = play(ONE, (5, [NOTHING]), (10, [holding("new")]))
    assert next_instant(ONE, waiting.state) == 305
    assert next_instant(ONE, soaking.state) == 70


# Whatever is seen, and whenever

ANSWERS: list[Answer] = [
    DOWN,
    RESTS,
    NOTHING,
    EMPTY,
    holding("one", "partial"),
    holding("one", "missing"),
    holding("one"),
    holding("two"),
]
ROUNDS = st.lists(
    st.tuples(
        st.integers(min_value=1, max_value=100),
        st.tuples(st.sampled_from(ANSWERS), st.sampled_from(ANSWERS)),
    ),
    min_size=1,
    max_size=20,
)
Rounds = list[tuple[int, tuple[Answer, Answer]]]


def played(rounds: Rounds) -> tuple[list[float], list[Decision]]:
    """The times of the rounds, and what follows from them."""
    now, times = 0.0, []
    for pause, _ in rounds:
        now += pause
        times.append(now)
    answers = [each for _, each in rounds]
    return times, play(TWO, *zip(times, answers, strict=True))


def complete_since(times: Sequence[float], rounds: Rounds) -> float | None:
    """The same as the decisions say, found by looking back over all that was seen."""
    last: dict[int, Readiness] = {}
    since: list[tuple[float, str]] = []
    for now, (_, answers) in zip(times, rounds, strict=True):
        last |= {at: each for at, each in enumerate(answers) if isinstance(each, Readiness)}
        whole = len(last) == 2 and all(each.ready for each in agreed([last[0], last[1]]))
        if not whole or (since and since[0][1] != last[0].digest):
            since = []
        if whole:
            since.append((now, last[0].digest))
    return since[0][0] if since else None


@settings(deadline=None)
@given(ROUNDS)
def test_complete_means_unbroken_since_all_were_known_to_be(rounds: Rounds) -> None:
    times, decisions = played(rounds)
    for count in range(1, len(rounds) + 1):
        expected = complete_since(times[:count], rounds[:count])
        assert decisions[count - 1].state.since == expected


@settings(deadline=None)
@given(ROUNDS)
def test_yes_needs_the_whole_soak_time_and_no_the_whole_timeout(rounds: Rounds) -> None:
    times, decisions = played(rounds)
    for now, decision, (_, answers) in zip(times, decisions, rounds, strict=True):
        since = decision.state.since
        if decision.verdict == "ready":
            assert since is not None
            assert now - since >= 60
            assert all(seen.at >= since + 60 for seen in decision.state.seen)
            assert all(each and each.ready for each in decision.state.answers)
        if decision.verdict in ("late", "unclear"):
            assert now - times[0] >= 300
        if decision.verdict == "unclear":
            assert any(isinstance(each, Silence) for each in answers)
        if now - times[0] >= 300 + 60 + 300:
            assert decision.verdict != "wait"


@settings(deadline=None)
@given(ROUNDS)
def test_the_events_tell_every_change_and_none_twice(rounds: Rounds) -> None:
    _, decisions = played(rounds)
    digests: list[str | None] = [None, None]
    states: list[dict[str, str]] = [{}, {}]
    silent: list[str] = ["", ""]
    is_complete = False
    for decision in decisions:
        for event in decision.events:
            if event.kind == "holds":
                assert digests[event.place] != event.what
                digests[event.place] = event.what
                if not event.what:
                    states[event.place] = dict.fromkeys((AMD64, ARM64), "missing")
            elif event.kind == "state":
                states[event.place][event.platform] = event.what
            elif event.kind in ("silent", "rests"):
                assert silent[event.place] != event.kind
                silent[event.place] = event.kind
            elif event.kind == "answers":
                assert silent[event.place] == "silent"
                silent[event.place] = ""
            else:
                assert is_complete is (event.kind != "complete")
                is_complete = event.kind != "incomplete"
        for place, (seen, answer) in enumerate(
            zip(decision.state.seen, decision.state.answers, strict=True)
        ):
            if not seen.silence:
                silent[place] = ""
            assert digests[place] == (answer.digest if answer else None)
            told = {each.platform: each.state for each in answer.platforms} if answer else {}
            known = {AMD64: "ready", ARM64: "ready"} | states[place] if answer else {}
            assert known == told
        assert is_complete is (decision.state.since is not None)
