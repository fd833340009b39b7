"""What the tests of a watch's decisions share: answers, made short, and rounds of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import msgspec

from manyfest.check.readiness import PlatformState, Readiness, State, missing, with_states
from manyfest.watch.decide import beginning, decide
from manyfest.watch.values import Change, Event, Observation, Place, Rule, TagState

HUB = "docker.io/gotify/server"
GHCR = "ghcr.io/gotify/server"
MIRROR = "mirror.example/gotify/server"
AMD64, ARM64, ARMV7 = "linux/amd64", "linux/arm64", "linux/arm/v7"

Look: TypeAlias = tuple[float, str, Readiness | str]
"""When, where, and the answer or why there is none."""


def rule(
    *places: str | Place,
    platforms: tuple[str, ...] = (AMD64, ARM64),
    late: float = 0.0,
    soak: float = 0.0,
    settle: float = 60.0,
) -> Rule:
    """What is expected of an image, in two registries if nothing else is said."""
    named = [
        each if isinstance(each, Place) else Place(repository=each)
        for each in places or (HUB, GHCR)
    ]
    return Rule(
        image="gotify/server",
        places=tuple(named),
        platforms=platforms,
        late=late,
        soak=soak,
        settle=settle,
    )


def index(digest: str, images: dict[str, str], wanted: Sequence[str] = (AMD64, ARM64)) -> Readiness:
    """An index with ``images`` by platform, all of them whole."""
    has = ", ".join(images) or "none"
    states = (
        PlatformState(platform=name, state="ready", digest=images[name], why="")
        if name in images
        else missing(name, f"it has {has}")
        for name in wanted or images
    )
    return with_states("", digest, states)


def having(answer: Readiness, platform: str, state: State, why: str = "") -> Readiness:
    """The same, with another state of one platform."""
    states = (
        msgspec.structs.replace(each, state=state, why=why) if each.platform == platform else each
        for each in answer.platforms
    )
    return with_states(answer.reference, answer.digest, states)


ABSENT = with_states("", "", [missing(AMD64, "no such tag"), missing(ARM64, "no such tag")])
EMPTY = index("sha256:empty", {})
PART = index("sha256:part", {AMD64: "sha256:amd64"})
WHOLE = index("sha256:whole", {AMD64: "sha256:amd64", ARM64: "sha256:arm64"})
NEXT = index("sha256:next", {AMD64: "sha256:next-amd64", ARM64: "sha256:next-arm64"})
DOWN = "it is down"


def observed(rule_: Rule, look: Look, tag: str = "2.6.1") -> Observation:
    """One look, as a watch notes it."""
    at, place, said = look
    answer = None if isinstance(said, str) else said
    silence = said if isinstance(said, str) else ""
    return Observation(
        image=rule_.image, tag=tag, place=place, at=at, answer=answer, silence=silence
    )


def play(rule_: Rule, looks: Iterable[Look], state: TagState | None = None) -> list[Change]:
    """What follows from these looks, each of which is decided on at once. The tag is a new one, if
    no state is given."""
    changes: list[Change] = []
    for look in looks:
        state = state or beginning(rule_, "2.6.1", look[0])
        changes.append(decide(rule_, state, [observed(rule_, look, state.tag)], look[0]))
        state = changes[-1].state
    return changes


def events(changes: Iterable[Change]) -> list[Event]:
    return [event for change in changes for event in change.events]


def kinds(changes: Iterable[Change]) -> list[str]:
    return [event.kind for event in events(changes)]


def at(changes: Iterable[Change], *but: str) -> list[tuple[float, str]]:
    """When what was told, but for these kinds."""
    return [(event.at, event.kind) for event in events(changes) if event.kind not in but]


def everywhere(when: float, said: Readiness | str, *places: str) -> list[Look]:
    """The same look at all places."""
    return [(when, place, said) for place in places or (HUB, GHCR)]
