"""What the places together mean for the version, a step for each thing that may happen to it.

Each step gives the state as it is then, and what there is to tell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from manyfest.watch.decide import instants, telling
from manyfest.watch.decide.place import Heard
from manyfest.watch.decide.together import held_digest, mains, whole
from manyfest.watch.values import Event, Kind, PlaceSeen, Rule, TagState

After: TypeAlias = tuple[TagState, tuple[Event, ...]]
Step: TypeAlias = Callable[["Round", TagState], After]


class Round(Struct, frozen=True):
    """One decision: under which ``rule``, what ``was`` known, what was ``heard`` if anything was,
    and when it is."""

    rule: Rule
    was: TagState
    heard: Heard | None
    now: float

    @property
    def has_news(self) -> bool:
        """Whether what was heard is to be told."""
        return self.heard is not None and self.heard.is_news

    def is_quiet(self, seen: PlaceSeen) -> bool:
        """Whether what is known of the place since this round is no news."""
        heard = self.heard
        return heard is not None and heard.quiet and heard.after.place == seen.place

    def has_moved(self, seen: PlaceSeen) -> bool:
        """Whether the tag moved in that place in this round."""
        heard = self.heard
        return heard is not None and heard.became == "moved" and heard.after.place == seen.place


def seen_first(round_: Round, state: TagState) -> After:
    """The tag is there for the first time, or again after it was gone everywhere."""
    state = replace(state, digest=held_digest(round_.rule, state.places))
    if not state.digest or state.first_seen is not None:
        return state, ()
    present = [seen for seen in mains(round_.rule, state.places) if seen.digest]
    is_news = round_.has_news
    state = replace(
        state,
        first_seen=min(seen.since for seen in present),
        was_there=not is_news,
        places=tuple(_new_version(seen, is_news=is_news) for seen in state.places),
    )
    return state, (telling.event("appeared", state, round_.now),) if is_news else ()


def began_anew(round_: Round, state: TagState) -> After:
    """The tag moved in the place that tells what the version is: it is another one now."""
    if state.digest in ("", round_.was.digest):
        return state, ()
    holding = [seen for seen in mains(round_.rule, state.places) if seen.digest == state.digest]
    if not round_.has_moved(holding[0]):
        return state, ()
    state = replace(
        state,
        first_seen=min(seen.first_seen or seen.since for seen in holding),
        was_there=False,
        complete_at=None,
        first_complete_at=None,
        soaked_at=None,
        late_at=None,
        places=tuple(_answered_anew(seen) for seen in state.places),
    )
    return state, ()


def gone(round_: Round, state: TagState) -> After:
    """The tag is in no place any more that is no mirror."""
    if state.digest or not round_.was.digest:
        return state, ()
    state = TagState(
        image=state.image,
        tag=state.tag,
        began=state.began,
        places=tuple(replace(seen, late_at=None) for seen in state.places),
    )
    return state, ()


def lost(round_: Round, state: TagState) -> After:
    """What was complete is so no more, and not because the tag moved everywhere."""
    if state.complete_at is None:
        return state, ()
    lacking = instants.lacking(round_.rule, state)
    unfinished = [seen for seen in lacking if seen.complete_at is None]
    is_another = state.digest != round_.was.digest
    is_quiet = all(round_.is_quiet(seen) for seen in unfinished)
    if not (is_another or (unfinished and is_quiet) or _has_lasted(round_, state, unfinished)):
        return state, ()
    why = telling.what_lacks(state, unfinished)
    told = telling.event("incomplete", state, round_.now, what=round_.was.digest, why=why)
    return replace(state, complete_at=None, soaked_at=None), () if is_quiet else (told,)


def differs(round_: Round, state: TagState) -> After:
    """Places that are complete hold different things, or do so no longer."""
    if state.differ_at is not None:
        return _agreed(round_, state)
    pair = instants.differing(round_.rule, state)
    over = instants.difference_over(round_.rule, state)
    if over is None:
        return state, ()
    is_quiet = round_.is_quiet(pair[0]) or all(map(round_.is_quiet, pair[1:]))
    has_lasted = round_.now >= over and instants.have_confirmed(pair, over)
    if not (is_quiet or (has_lasted and not _any_silent(pair))):
        return state, ()
    why = "; ".join(f"{seen.place} holds {seen.digest}" for seen in pair)
    told = telling.event("differ", state, round_.now, why=why)
    state = replace(state, differ_at=round_.now, complete_at=None, soaked_at=None, untold=is_quiet)
    return state, () if is_quiet else (told,)


def completed(round_: Round, state: TagState) -> After:
    """All of it is everywhere."""
    leading = mains(round_.rule, state.places)
    if state.complete_at is not None or not whole(round_.rule, state.places):
        return state, ()
    if any(seen.doubt for seen in leading):
        return state, ()
    is_first = state.first_complete_at is None
    untold = state.was_there and not round_.has_news
    state = replace(
        state,
        complete_at=round_.now,
        first_complete_at=round_.now if is_first else state.first_complete_at,
        soaked_at=None if round_.rule.soak else round_.now,
        late_at=None,
        untold=untold,
    )
    lag = telling.lag(state, round_.now) if is_first else None
    return state, () if untold else (telling.event("complete", state, round_.now, lag=lag),)


def soaked(round_: Round, state: TagState) -> After:
    """It has been complete for the soak time, and every place said so after that."""
    over = instants.soak_over(round_.rule, state)
    if over is None or round_.now < over:
        return state, ()
    leading = mains(round_.rule, state.places)
    is_whole = whole(round_.rule, state.places) == state.digest
    if not (is_whole and instants.have_confirmed(leading, over)):
        return state, ()
    state = replace(state, soaked_at=round_.now)
    is_first = state.complete_at == state.first_complete_at
    lag = telling.lag(state, round_.now) if is_first else None
    return state, () if state.untold else (telling.event("soaked", state, round_.now, lag=lag),)


def late(round_: Round, state: TagState) -> After:
    """It is not complete within its time."""
    over = instants.late_over(round_.rule, state)
    if over is None or round_.now < over:
        return state, ()
    leading = mains(round_.rule, state.places)
    lacking = [seen for seen in leading if not instants.has(seen, state.digest)]
    if not instants.have_been_asked(lacking, over):
        return state, ()
    why = telling.what_lacks(state, lacking)
    lag = telling.lag(state, round_.now)
    told = telling.event("late", state, round_.now, why=why, lag=lag)
    return replace(state, late_at=round_.now), (told,)


def mirrored(round_: Round, state: TagState) -> After:
    """A mirror does not follow in time, or does so at last."""
    events: list[Event] = []
    places: list[PlaceSeen] = []
    for place, seen in zip(round_.rule.places, state.places, strict=True):
        over = instants.mirror_over(place, seen, state)
        late_at = seen.late_at
        if late_at is not None and instants.has(seen, state.digest):
            late_at = None
            events.append(_of_mirror("complete", round_, state, seen))
        elif over is not None and round_.now >= over and instants.have_been_asked((seen,), over):
            late_at = round_.now
            events.append(_of_mirror("late", round_, state, seen))
        places.append(seen if late_at == seen.late_at else replace(seen, late_at=late_at))
    return replace(state, places=tuple(places)), tuple(events)


BEFORE: tuple[Step, ...] = (seen_first, began_anew, gone)
"""What a version is, which the news of the places are told of,"""

AFTER: tuple[Step, ...] = (lost, differs, completed, soaked, late, mirrored)
"""and what they mean for it."""


def _new_version(seen: PlaceSeen, *, is_news: bool) -> PlaceSeen:
    seen = _answered_anew(seen) if is_news else seen
    return replace(seen, first_seen=seen.since if seen.digest else None)


def _answered_anew(seen: PlaceSeen) -> PlaceSeen:
    """From now on the place is watched since before the version came, if it was heard of at all."""
    return seen if seen.answered_at is None else replace(seen, was_there=False)


def _has_lasted(round_: Round, state: TagState, unfinished: list[PlaceSeen]) -> bool:
    """Whether the loss is confirmed, and nobody else is about to say the same."""
    over = instants.loss_over(round_.rule, state)
    if over is None or round_.now < over:
        return False
    others = [
        seen
        for seen in mains(round_.rule, state.places)
        if seen not in unfinished and seen.answered_at is not None
    ]
    is_settled = all(seen.doubt is None or seen.silent_since is not None for seen in others)
    return (
        is_settled
        and instants.have_been_asked(others, over)
        and any(instants.have_confirmed((seen,), over) for seen in unfinished)
    )


def _of_mirror(kind: Kind, round_: Round, state: TagState, seen: PlaceSeen) -> Event:
    why = telling.what_lacks(state, (seen,))
    return replace(telling.event(kind, state, round_.now, why=why), place=seen.place)


def _agreed(round_: Round, state: TagState) -> After:
    leading = mains(round_.rule, state.places)
    digests = {seen.digest for seen in leading if seen.digest}
    if len(digests) > 1 or any(seen.doubt for seen in leading):
        return state, ()
    is_told = not state.untold or round_.has_news
    state = replace(state, differ_at=None, untold=False)
    return state, (telling.event("agree", state, round_.now),) if is_told else ()


def _any_silent(places: tuple[PlaceSeen, ...]) -> bool:
    return any(seen.silent_since is not None for seen in places)
