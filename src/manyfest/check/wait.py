"""Asking until an image is complete everywhere and has been for the soak time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from manyfest.check.soak import (
    Answer,
    Decision,
    Event,
    Question,
    State,
    decide,
    next_instant,
    unsure,
)
from manyfest.check.watched import Watched
from manyfest.copy import JOBS
from manyfest.pauses import growing_pauses
from manyfest.threads import together, workers

Tell = Callable[[Sequence[Event], State], None]


class Patience(Struct, frozen=True, kw_only=True):
    """Seconds between two looks: ``first`` after a change, then growing up to ``longest``."""

    first: float = 2.0
    longest: float = 30.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def pauses(self) -> Iterator[float]:
        """The pauses after a change, without end."""
        return growing_pauses(self.first, self.longest, self.jitter)


def wait(
    places: Sequence[Watched], question: Question, tell: Tell, patience: Patience | None = None
) -> Decision:
    """Look at all places until there is a verdict, and return the decision that has it. ``tell`` is
    given what changed, and what is known, after each look.

    At the end of the soak everything is asked for once more. Raises what a registry raises if that
    will not pass.
    """
    patience = patience or Patience()
    state = State.at(patience.clock(), len(places))
    pauses = patience.pauses()
    while True:
        over = state.since if _due(question, state, patience) <= 0 else None
        answers = _look(places, over)
        now = patience.clock()
        decision = decide(question, state, answers, now)
        state = decision.state
        tell(decision.events, state)
        if decision.verdict == "ready" and not _is_sure(places, state, now):
            decision = replace(decision, verdict=unsure(question, state, now))
        if decision.verdict != "wait":
            return decision
        if decision.events:
            pauses = patience.pauses()
        pause, due = next(pauses), _due(question, state, patience)
        patience.sleep(min(pause, due) if due > 0 else pause)


def _due(question: Question, state: State, patience: Patience) -> float:
    """Seconds until the soak or the time is over."""
    return next_instant(question, state) - patience.clock()


def _is_sure(places: Sequence[Watched], state: State, now: float) -> bool:
    """Whether it was the first sighting, or all was asked for once more."""
    return state.since == now or all(place.confirmed == state.since for place in places)


def _look(places: Sequence[Watched], confirm: float | None) -> list[Answer]:
    with workers(JOBS, "wait") as pool:
        return together(pool, lambda place: place.look(confirm), places)
