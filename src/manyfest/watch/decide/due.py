"""When the next decision is due even if nothing is seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from manyfest.watch.decide.beginning import aligned
from manyfest.watch.decide.instants import (
    difference_over,
    doubt_over,
    have_been_asked,
    late_over,
    loss_over,
    mirror_over,
    soak_over,
)
from manyfest.watch.decide.together import mains
from manyfest.watch.values import PlaceSeen, Rule, TagState


def due(rule: Rule, state: TagState) -> float | None:
    """When something is due, in seconds since 1970: a soak that is over, a version that is late, or
    what must last before it is believed. ``None`` if there is nothing.

    All places are to be asked at that time, for answers from then on confirm it. It may be past:
    then somebody is still to be asked. Who gives no answer is not waited for.
    """
    waiting = (at for at, is_waiting in instants(rule, state) if is_waiting)
    return min(waiting, default=None)


def instants(rule: Rule, state: TagState) -> Iterator[tuple[float, bool]]:
    """Each instant from which something may follow, and whether it may without any answer, or with
    those of somebody who was not asked since and may answer."""
    state = aligned(rule, state)
    leading = mains(rule, state.places)
    for place, seen in zip(rule.places, state.places, strict=True):
        yield from _confirmed(doubt_over(rule, seen), (seen,))
        yield from _by_itself(mirror_over(place, seen, state))
    yield from _by_itself(late_over(rule, state))
    yield from _confirmed(soak_over(rule, state), leading)
    yield from _confirmed(loss_over(rule, state), leading)
    yield from _confirmed(difference_over(rule, state), leading)


def _by_itself(at: float | None) -> Iterator[tuple[float, bool]]:
    if at is not None:
        yield at, True


def _confirmed(at: float | None, by: Sequence[PlaceSeen]) -> Iterator[tuple[float, bool]]:
    if at is not None:
        yield at, not have_been_asked(by, at)
