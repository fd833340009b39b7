"""The events, and what they say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from manyfest.watch.decide.instants import has
from manyfest.watch.decide.place import Heard, is_ready
from manyfest.watch.values import Event, Kind, PlaceSeen, TagState

GONE = "gone"
"""What the last ``vanished`` of a tag is about."""

_MOST = 3
"""So many places are named, and the number of the others."""


def event(
    kind: Kind,
    state: TagState,
    now: float,
    *,
    what: str = "",
    why: str = "",
    lag: float | None = None,
) -> Event:
    """An event of the version; about its digest, if nothing else is said."""
    what = what or state.digest
    return Event(kind=kind, at=now, image=state.image, tag=state.tag, what=what, why=why, lag=lag)


def of_place(heard: Heard, state: TagState, now: float) -> Iterator[Event]:
    """What one place's news are, apart from what they mean for the version."""
    if heard.quiet:
        return
    seen, was = heard.after, heard.before.digest
    if heard.became == "moved":
        moved = event("moved", state, now, what=seen.digest)
        yield replace(moved, place=seen.place, was=was)
    if heard.became == "vanished":
        why = next((each.why for each in seen.platforms.values()), "")
        vanished = event("vanished", state, now, why=why)
        yield replace(vanished, place=seen.place, was=was, what="" if state.digest else GONE)
    lag = _lag_in(heard, state, now)
    for name in heard.ready:
        ready = event("platform ready", state, now, what=seen.platforms[name].digest, lag=lag)
        yield replace(ready, place=seen.place, platform=name)


def lag(state: TagState, now: float) -> float | None:
    """Seconds from the first sighting of the version, if that is known."""
    if state.first_seen is None or state.was_there:
        return None
    return max(0.0, now - state.first_seen)


def what_lacks(state: TagState, places: Iterable[PlaceSeen]) -> str:
    """Which of the places do not hold the version, and why; the first few of them."""
    lines = [_what_lacks(seen) for seen in places if not has(seen, state.digest)]
    more = len(lines) - _MOST
    return "; ".join(lines[:_MOST]) + (f"; and {more} more" if more > 0 else "")


def _what_lacks(seen: PlaceSeen) -> str:
    if seen.answered_at is None:
        return f"{seen.place} gives no answer" + (f": {seen.silence}" if seen.silence else "")
    last = " when it answered last" if seen.silent_since is not None else ""
    if not seen.digest:
        return f"{seen.place} does not have the tag{last}"
    lacking = [
        f"{name} is {each.state}" for name, each in seen.platforms.items() if not is_ready(each)
    ]
    if not lacking:
        return f"{seen.place} holds {seen.digest}{last}"
    return f"in {seen.place} {', '.join(lacking)}{last}"


def _lag_in(heard: Heard, state: TagState, now: float) -> float | None:
    """Of a place's news. What is there again says nothing of how long anything takes; a place that
    moved on before the others is the first to have what it holds."""
    seen, was = heard.after, heard.before
    if state.was_there or state.first_seen is None or was.lost_at is not None:
        return None
    if heard.became == "came" and was.first_seen is not None and was.first_seen >= state.first_seen:
        return None
    is_ahead = heard.became == "moved" or state.first_complete_at is not None
    if seen.digest != state.digest and is_ahead:
        return max(0.0, now - (seen.first_seen or now))
    return max(0.0, now - state.first_seen)
