"""When something that lasts has lasted long enough, and whether who must confirm it has.

Each function gives an instant in seconds since 1970, or ``None`` if nothing is waited for.
"""

from __future__ import annotations

from collections.abc import Iterable

from manyfest.watch.decide.together import mains, whole
from manyfest.watch.values import Place, PlaceSeen, Rule, TagState


def doubt_over(rule: Rule, seen: PlaceSeen) -> float | None:
    """When what the place answers is believed, if it answers so again."""
    return seen.doubt.since + rule.settle if seen.doubt else None


def soak_over(rule: Rule, state: TagState) -> float | None:
    """When the version has been complete for long enough."""
    if state.complete_at is None or state.soaked_at is not None:
        return None
    return state.complete_at + rule.soak


def late_over(rule: Rule, state: TagState) -> float | None:
    """When a version that was never complete is late. What was there when the watch began never
    is: nobody knows since when."""
    if not rule.late or state.first_seen is None or state.was_there:
        return None
    if state.first_complete_at is not None or state.late_at is not None:
        return None
    if whole(rule, state.places):  # it will be complete, unless what is doubted now lasts
        return None
    return state.first_seen + rule.late


def loss_over(rule: Rule, state: TagState) -> float | None:
    """When a version that was complete is so no more."""
    if state.complete_at is None:
        return None
    unfinished = [seen for seen in lacking(rule, state) if seen.complete_at is None]
    since = (seen.since if seen.lost_at is None else seen.lost_at for seen in unfinished)
    return min(since) + rule.settle if unfinished else None


def difference_over(rule: Rule, state: TagState) -> float | None:
    """When places that are complete and differ are told to."""
    pair = differing(rule, state) if state.differ_at is None else ()
    if not pair:
        return None
    first, *others = (seen.complete_at or 0.0 for seen in pair)
    return min(max(first, other) for other in others) + rule.settle


def mirror_over(place: Place, seen: PlaceSeen, state: TagState) -> float | None:
    """When a mirror that does not hold what is complete is late: so long after that was complete,
    or after the mirror had it."""
    if not (place.mirror and place.late) or seen.late_at is not None or seen.was_there:
        return None
    if state.complete_at is None or state.untold or has(seen, state.digest):
        return None
    fell_at = seen.since if state.digest in seen.earlier else seen.lost_at
    return max(state.complete_at, fell_at or 0.0) + place.late


def lacking(rule: Rule, state: TagState) -> list[PlaceSeen]:
    """Those that say that they do not hold the version completely."""
    return [
        seen
        for seen in mains(rule, state.places)
        if seen.answered_at is not None and not has(seen, state.digest)
    ]


def differing(rule: Rule, state: TagState) -> tuple[PlaceSeen, ...]:
    """The first place that is complete, and those that are and hold another digest; nothing if
    there are none."""
    complete = [seen for seen in mains(rule, state.places) if seen.complete_at is not None]
    others = [seen for seen in complete if seen.digest != complete[0].digest]
    return (complete[0], *others) if others else ()


def has(seen: PlaceSeen, digest: str) -> bool:
    """Whether the place holds all of it."""
    return bool(digest) and seen.digest == digest and seen.complete_at is not None


def have_confirmed(places: Iterable[PlaceSeen], since: float) -> bool:
    """Whether all have said from that instant on what is believed of them."""
    return all(
        seen.answered_at is not None and seen.answered_at >= since and seen.doubt is None
        for seen in places
    )


def have_been_asked(places: Iterable[PlaceSeen], since: float) -> bool:
    """Whether all have answered from that instant on, or give no answers."""
    return all(
        seen.silent_since is not None
        or (seen.answered_at is not None and seen.answered_at >= since)
        for seen in places
    )
