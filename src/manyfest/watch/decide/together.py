"""The places of one tag, held against each other."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from manyfest.check.agreement import agreed
from manyfest.check.readiness import PlatformState, Readiness
from manyfest.watch.decide.answers import as_readiness
from manyfest.watch.decide.place import is_ready
from manyfest.watch.values import PlaceSeen, PlatformSeen, Rule


def mains(rule: Rule, places: Sequence[PlaceSeen]) -> list[PlaceSeen]:
    """Those that are no mirrors: what they hold is what a version is."""
    return [seen for place, seen in zip(rule.places, places, strict=True) if not place.mirror]


def held_digest(rule: Rule, places: Sequence[PlaceSeen]) -> str:
    """What the first of them that has the tag holds."""
    return next((seen.digest for seen in mains(rule, places) if seen.digest), "")


def whole(rule: Rule, places: Sequence[PlaceSeen]) -> str:
    """The digest that all of them hold with all platforms ready, or nothing."""
    seen = mains(rule, places)
    digests = {each.digest if each.complete_at is not None else "" for each in seen}
    return digests.pop() if len(digests) == 1 else ""


def compared(rule: Rule, tag: str, places: Sequence[PlaceSeen]) -> tuple[PlaceSeen, ...]:
    """The places, each with its states as they are beside the others, and whether it is complete.
    A mirror is held against the others, and they are not held against it."""
    said = {
        seen.place: as_readiness(rule, tag, seen) for seen in places if seen.answered_at is not None
    }
    leading = [said[seen.place] for seen in mains(rule, places) if seen.place in said]
    led = dict(zip((each.reference for each in leading), agreed(leading), strict=True))
    return tuple(
        _completed(seen, led.get(answer.reference) or agreed([*leading, answer])[-1])
        if (answer := said.get(seen.place))
        else seen
        for seen in places
    )


def _completed(seen: PlaceSeen, answer: Readiness) -> PlaceSeen:
    platforms = {each.platform: _beside(seen, each) for each in answer.platforms}
    is_complete = bool(seen.digest) and all(map(is_ready, platforms.values()))
    if is_complete:
        complete_at = seen.answered_at if seen.complete_at is None else seen.complete_at
        return replace(seen, platforms=platforms, complete_at=complete_at, lost_at=None)
    lost_at = seen.lost_at if seen.complete_at is None else seen.answered_at
    return replace(seen, platforms=platforms, complete_at=None, lost_at=lost_at)


def _beside(seen: PlaceSeen, state: PlatformState) -> PlatformSeen:
    known = seen.platforms.get(state.platform)
    ready_at = known.ready_at if known else None
    return PlatformSeen(state=state.state, digest=state.digest, why=state.why, ready_at=ready_at)
