"""Is a registry reachable? It takes several failures, over some time, to say that it is not."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from manyfest.watch.clock import not_after
from manyfest.watch.health.values import RegistryState
from manyfest.watch.values import Event, Sample

FAILURES = 3
"""So many requests in a row must have failed before a registry is told to be unreachable,"""

LASTING = 60.0
"""and the last of them so many seconds after the first."""

ANSWERS = 2
"""So many answers in a row are needed before it is told to have recovered."""

_TIMES = ("began", "at", "answered_at", "failing_since", "down_since", "limited_at")


def observe(
    before: RegistryState, samples: Sequence[Sample], now: float
) -> tuple[RegistryState, tuple[Event, ...]]:
    """What is known of a registry after those of the ``samples`` that are its own, and what there
    is to tell: that it is ``unreachable``, or has ``recovered``. A registry that says no or wants
    to be left alone answers."""
    state, events = not_after(before, now, _TIMES), []
    own = [each for each in samples if each.registry == before.registry]
    for sample in sorted(own, key=lambda each: each.at):
        at = min(sample.at, now)
        state = replace(state, began=at if state.began is None else state.began, at=now)
        state = _failed(state, sample, at) if sample.why else _answered(state, sample, at)
        if event := _told(state, at, now):
            events.append(event)
            state = _after(state, event)
    return state, tuple(events)


def let_go(state: RegistryState) -> RegistryState:
    """What is known of a registry that is not asked any more: not that it gives no answers."""
    return _up(state)


def _failed(state: RegistryState, sample: Sample, at: float) -> RegistryState:
    since = at if state.failing_since is None else state.failing_since
    failures = state.failures + 1
    return replace(state, failing_since=since, failures=failures, answers=0, why=sample.why)


def _answered(state: RegistryState, sample: Sample, at: float) -> RegistryState:
    limited_at = at if sample.limited else state.limited_at
    state = replace(state, answered_at=at, answers=state.answers + 1, limited_at=limited_at)
    return state if state.down_since is not None else _up(state)


def _told(state: RegistryState, at: float, now: float) -> Event | None:
    """What there is to tell ``now`` of a state that came to be by a sample of that time."""
    since = state.failing_since
    if since is None:
        return None
    told = Event(kind="recovered", at=now, registry=state.registry, lag=max(0.0, now - since))
    if state.down_since is not None:
        return told if state.answers >= ANSWERS else None
    if state.failures >= FAILURES and at - since >= LASTING:
        return replace(told, kind="unreachable", why=state.why)
    return None


def _after(state: RegistryState, told: Event) -> RegistryState:
    if told.kind == "recovered":
        return _up(state)
    return replace(state, down_since=state.failing_since)


def _up(state: RegistryState) -> RegistryState:
    return replace(state, failing_since=None, failures=0, why="", down_since=None)
