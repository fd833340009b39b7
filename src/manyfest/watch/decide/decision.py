"""One decision about one tag."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from manyfest.watch.clock import not_after
from manyfest.watch.decide import steps, telling
from manyfest.watch.decide.answers import is_the_same
from manyfest.watch.decide.beginning import aligned
from manyfest.watch.decide.due import instants
from manyfest.watch.decide.place import Heard, hear
from manyfest.watch.decide.together import compared, held_digest, whole
from manyfest.watch.values import Change, Event, Observation, PlaceSeen, Rule, TagState

_TIMES = (
    "began",
    "first_seen",
    "complete_at",
    "first_complete_at",
    "soaked_at",
    "late_at",
    "differ_at",
)
_TIMES_IN_PLACE = (
    "since",
    "first_seen",
    "complete_at",
    "answered_at",
    "silent_since",
    "lost_at",
    "late_at",
)


def decide(rule: Rule, before: TagState, observed: Sequence[Observation], now: float) -> Change:
    """What follows ``now`` from what was known ``before`` and what was ``observed`` since, in the
    order in which it was. Nothing need have been: some things are due all the same.

    The observations of the change are those that changed something. If it has neither these nor
    events, its state only knows of later answers, and need not be kept. Observations of other
    places than the rule's change nothing.
    """
    state = _put_back(aligned(rule, before), observed, now)
    changed = [] if state is before else [_judged(rule, state, None, now)]
    for each in observed:
        changed.append(_decide(rule, changed[-1].state if changed else state, each, now))
    if not observed:
        changed.append(_decide(rule, changed[-1].state if changed else state, None, now))
    return Change(
        state=changed[-1].state,
        observations=tuple(each for change in changed for each in change.observations),
        events=tuple(each for change in changed for each in change.events),
    )


def _decide(rule: Rule, state: TagState, observation: Observation | None, now: float) -> Change:
    """What follows from one observation, or from the time. Nearly always it is nothing, so that is
    found out quickly."""
    if _is_settled(rule, state) and all(at > now for at, _ in instants(rule, state)):
        if observation is None:
            return Change(state=state)
        if (same := _confirmed(state, observation, now)) is not None:
            return Change(state=same)
    return _judged(rule, state, observation, now)


def _is_settled(rule: Rule, state: TagState) -> bool:
    """Whether nothing follows from what is known, as it may if the rule is another than before."""
    if state.digest != held_digest(rule, state.places):
        return False
    return state.complete_at is not None or not whole(rule, state.places)


def _confirmed(state: TagState, observation: Observation, now: float) -> TagState | None:
    """The state with the time of the answer, if the observation says nothing new."""
    answer = observation.answer
    for number, seen in enumerate(state.places):
        if seen.place != observation.place:
            continue
        if answer is None:
            return None if seen.silent_since is None else state
        if observation.signed_by != seen.signed_by or not is_the_same(seen, answer):
            return None
        at = max(min(observation.at, now), seen.answered_at or 0.0)
        return _with_place(state, number, replace(seen, answered_at=at))
    return state


def _judged(rule: Rule, was: TagState, observation: Observation | None, now: float) -> Change:
    """What follows, thought through."""
    state, heard = _hear(rule, was, observation, now)
    state = replace(state, places=compared(rule, state.tag, state.places))
    known = state
    round_ = steps.Round(rule, was, heard, now)
    state, first = _follow(steps.BEFORE, round_, state)
    news = tuple(telling.of_place(heard, state, now)) if heard else ()
    state, last = _follow(steps.AFTER, round_, state)
    events = (*first, *news, *last)
    is_kept = heard is not None and (heard.changed or (state != known and not events))
    observations = (observation,) if observation and is_kept else ()
    return Change(state=state, observations=observations, events=events)


def _hear(
    rule: Rule, state: TagState, observation: Observation | None, now: float
) -> tuple[TagState, Heard | None]:
    for number, seen in enumerate(state.places):
        if observation and seen.place == observation.place:
            heard = hear(rule, seen, observation, now)
            return _with_place(state, number, heard.after), heard
    return state, None


def _with_place(state: TagState, number: int, seen: PlaceSeen) -> TagState:
    places = (*state.places[:number], seen, *state.places[number + 1 :])
    return replace(state, places=places)


def _follow(
    steps_: Iterable[steps.Step], round_: steps.Round, state: TagState
) -> tuple[TagState, tuple[Event, ...]]:
    events: list[Event] = []
    for step in steps_:
        state, told = step(round_, state)
        events += told
    return state, tuple(events)


def _put_back(state: TagState, observed: Sequence[Observation], now: float) -> TagState:
    """The state, with nothing in it that lies in the future. If something did, the clock was put
    back, and the times of the answers that are there now may be just before now."""
    own = (getattr(state, name) for name in _TIMES)
    of_places = (time for each in state.places for time in (each.answered_at, each.silent_since))
    if all(time is None or time <= now for time in (*own, *of_places)):
        return state
    last = min([now, *(each.at for each in observed)])
    places = tuple(_place_put_back(seen, last) for seen in state.places)
    return replace(not_after(state, last, _TIMES), places=places)


def _place_put_back(seen: PlaceSeen, now: float) -> PlaceSeen:
    doubt = not_after(seen.doubt, now, ("since",)) if seen.doubt else None
    platforms = {name: not_after(each, now, ("ready_at",)) for name, each in seen.platforms.items()}
    return replace(not_after(seen, now, _TIMES_IN_PLACE), doubt=doubt, platforms=platforms)
