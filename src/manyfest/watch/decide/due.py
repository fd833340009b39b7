"""When the next decision is due even if nothing is seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

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

_Instant = tuple[float, Sequence[PlaceSeen]]


def due(rule: Rule, state: TagState) -> float | None:
    """When something is due, in seconds since 1970: a soak that is over, a version that is late, or
    what must last before it is believed. ``None`` if there is nothing.

    All places are to be asked at that time, for answers from then on confirm it. It may be past if
    some were not asked since; who gives no answer is not waited for.
    """
    waiting = (at for at, places in instants(rule, state) if not have_been_asked(places, at))
    return min(waiting, default=None)


def instants(rule: Rule, state: TagState) -> Iterator[_Instant]:
    """What is waited for, and who has to confirm it."""
    state = aligned(rule, state)
    leading = mains(rule, state.places)
    for place, seen in zip(rule.places, state.places, strict=True):
        yield from _of((doubt_over(rule, seen), mirror_over(place, seen, state)), (seen,))
    instants = (
        soak_over(rule, state),
        late_over(rule, state),
        loss_over(rule, state),
        difference_over(rule, state),
    )
    yield from _of(instants, leading)


def _of(instants: Iterable[float | None], places: Sequence[PlaceSeen]) -> Iterator[_Instant]:
    for at in instants:
        if at is not None:
            yield at, places
