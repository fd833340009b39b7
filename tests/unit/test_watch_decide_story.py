"""The story of 2.6.1: it was out, and for twenty minutes and more not everybody could pull it.

An index that is empty at first is filled platform by platform, in two registries at different
times. A cache before the one gives old answers now and then, and a mirror is behind.
"""

from __future__ import annotations

import msgspec
import pytest

from manyfest.check.readiness import Readiness, missing, with_states
from manyfest.watch.decide import beginning, decide, due
from manyfest.watch.health.incidents import follow
from manyfest.watch.values import Event, Incident, Place, Rule, TagState
from tests.unit.watch_tags import (
    AMD64,
    ARM64,
    ARMV7,
    GHCR,
    HUB,
    MIRROR,
    events,
    index,
    observed,
    play,
    rule,
)

MINUTE = 60.0
PLATFORMS = (AMD64, ARM64, ARMV7)
RULE = rule(
    HUB,
    GHCR,
    Place(repository=MIRROR, mirror=True, late=30 * MINUTE),
    platforms=PLATFORMS,
    late=20 * MINUTE,
    soak=60 * MINUTE,
)
ABSENT = with_states("", "", [missing(each, "no such tag") for each in PLATFORMS])
EMPTY = index("sha256:0", {}, PLATFORMS)
ONE = index("sha256:1", {AMD64: "sha256:a"}, PLATFORMS)
TWO = index("sha256:2", {AMD64: "sha256:a", ARM64: "sha256:b"}, PLATFORMS)
ALL = index("sha256:3", {AMD64: "sha256:a", ARM64: "sha256:b", ARMV7: "sha256:c"}, PLATFORMS)

# minute, Docker Hub, ghcr.io, the mirror
STORY: list[tuple[int, Readiness | str, Readiness | str, Readiness | str]] = [
    (0, EMPTY, ABSENT, ABSENT),
    (2, EMPTY, ABSENT, ABSENT),
    (5, ONE, EMPTY, ABSENT),
    (6, EMPTY, EMPTY, ABSENT),  # a cache that is behind
    (7, ONE, ONE, ABSENT),
    (9, TWO, ONE, ABSENT),
    (10, ONE, ONE, ABSENT),  # again,
    (11, EMPTY, "it timed out", ABSENT),  # and even more
    (12, TWO, ONE, ABSENT),
    (15, TWO, TWO, ABSENT),
    (20, TWO, TWO, ABSENT),  # that should have been all
    (22, ALL, TWO, ABSENT),
    (23, ABSENT, TWO, ABSENT),  # a cache that knows nothing yet
    (24, ALL, ALL, ABSENT),
    (25, TWO, ALL, ABSENT),
    (26, ALL, ALL, ABSENT),
    (54, ALL, ALL, ABSENT),  # the mirror should have it
    (70, ALL, ALL, ALL),
    (84, ALL, "it timed out", ALL),  # the soak is over, but for one that does not say so
    (85, ALL, ALL, ALL),
    (99, ALL, ALL, ALL),
]

# minute, what, where, platform, about, minutes since the first sighting
TOLD = [
    (0, "appeared", "", "", "sha256:0", None),
    (5, "platform ready", HUB, AMD64, "sha256:a", 5),
    (7, "platform ready", GHCR, AMD64, "sha256:a", 7),
    (9, "platform ready", HUB, ARM64, "sha256:b", 9),
    (15, "platform ready", GHCR, ARM64, "sha256:b", 15),
    (20, "late", "", "", "sha256:2", 20),
    (22, "platform ready", HUB, ARMV7, "sha256:c", 22),
    (24, "platform ready", GHCR, ARMV7, "sha256:c", 24),
    (24, "complete", "", "", "sha256:3", 24),
    (54, "late", MIRROR, "", "sha256:3", None),
    (70, "platform ready", MIRROR, AMD64, "sha256:a", 70),
    (70, "platform ready", MIRROR, ARM64, "sha256:b", 70),
    (70, "platform ready", MIRROR, ARMV7, "sha256:c", 70),
    (70, "complete", MIRROR, "", "sha256:3", None),
    (85, "soaked", "", "", "sha256:3", 85),
]

LOOKS = [
    (minute * MINUTE, place, said)
    for minute, *answers in STORY
    for place, said in zip((HUB, GHCR, MIRROR), answers, strict=True)
]


def shown(told: list[Event]) -> list[tuple[float, str, str, str, str, float | None]]:
    return [
        (
            each.at / MINUTE,
            each.kind,
            each.place,
            each.platform,
            each.what,
            None if each.lag is None else each.lag / MINUTE,
        )
        for each in told
    ]


def test_each_step_is_told_once_in_order_and_no_stale_answer_is() -> None:
    assert shown(events(play(RULE, LOOKS))) == TOLD


def test_late_says_what_is_missing_where() -> None:
    late = [each for each in events(play(RULE, LOOKS)) if each.kind == "late"]
    assert [each.why for each in late] == [
        f"in {HUB} linux/arm/v7 is missing; in {GHCR} linux/arm/v7 is missing",
        f"{MIRROR} does not have the tag",
    ]


def test_it_is_the_same_if_all_answers_of_a_round_come_at_once() -> None:
    state, told = beginning(RULE, "2.6.1", 0.0), list[Event]()
    for minute, *answers in STORY:
        looks = zip((HUB, GHCR, MIRROR), answers, strict=True)
        seen = [observed(RULE, (minute * MINUTE, *look)) for look in looks]
        change = decide(RULE, state, seen, minute * MINUTE)
        told += change.events
        state = change.state
    assert shown(told) == TOLD


@pytest.mark.parametrize("restart", range(0, len(LOOKS), 7))
def test_it_is_the_same_if_the_watch_is_restarted_in_between(restart: int) -> None:
    first = play(RULE, LOOKS[:restart])
    kept = msgspec.json.encode(first[-1].state) if first else b"null"
    known = msgspec.json.decode(kept, type=TagState | None)
    assert shown(events(first) + events(play(RULE, LOOKS[restart:], known))) == TOLD


def test_what_is_due_is_known_beforehand() -> None:
    """Right after each round: what the next decision is due for, though nobody tells anything."""
    instants = [
        (minute, None if (at := due(RULE, state)) is None else at / MINUTE)
        for minute, state in states_by_round(RULE).items()
    ]
    assert instants == [
        (0, 20),  # late
        (2, 20),
        (5, 20),
        (6, 7),  # the empty index might last
        (7, 20),
        (9, 20),
        (10, 11),
        (11, 12),
        (12, 20),
        (15, 20),
        (20, None),
        (22, None),
        (23, 24),
        (24, 54),  # the mirror is late
        (25, 26),
        (26, 54),
        (54, 84),  # the soak is over
        (70, 84),
        (84, None),
        (85, None),
        (99, None),
    ]


def states_by_round(rule_: Rule) -> dict[float, TagState]:
    """The last state of each minute."""
    changes = play(rule_, LOOKS)
    return {at / MINUTE: change.state for (at, _, _), change in zip(LOOKS, changes, strict=True)}


def test_it_makes_two_incidents() -> None:
    ongoing: tuple[Incident, ...] = ()
    past: list[Incident] = []
    for change in play(RULE, LOOKS):
        opened, closed = follow(ongoing, change.events)
        ongoing = tuple(
            each
            for each in (*ongoing, *opened)
            if each.began not in [other.began for other in closed]
        )
        past += closed
    assert ongoing == ()
    assert [(each.kind, each.place, each.began / MINUTE, each.ended) for each in past] == [
        ("late", "", 20, 24 * MINUTE),
        ("late", MIRROR, 54, 70 * MINUTE),
    ]


def test_what_there_was_at_last() -> None:
    state = play(RULE, LOOKS)[-1].state
    hub = state.places[0]
    assert (state.first_seen, state.complete_at, state.soaked_at) == (0.0, 1440.0, 5100.0)
    assert {name: seen.ready_at for name, seen in hub.platforms.items()} == {
        AMD64: 5 * MINUTE,
        ARM64: 9 * MINUTE,
        ARMV7: 22 * MINUTE,
    }
