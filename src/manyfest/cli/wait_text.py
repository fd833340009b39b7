"""What ``manyfest wait`` tells meanwhile: what changed, and how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from manyfest.cli.text import short

if TYPE_CHECKING:
    from manyfest.check.soak import Event, Question, State


def event_line(event: Event, references: Sequence[str], question: Question) -> str:
    """A change, for people."""
    if event.kind == "complete":
        lasts = f"; that must last {span(question.soak)}" if question.soak else ""
        return f"complete everywhere{lasts}"
    if event.kind == "restarted":
        return (
            f"the digest changed, and all is complete again; that must last {span(question.soak)}"
        )
    if event.kind == "incomplete":
        return "no longer complete everywhere"
    return f"{references[event.place]}{_of_place(event)}"


def _of_place(event: Event) -> str:
    if event.kind == "state":
        why = f": {event.why}" if event.why else ""
        return f" {event.platform}: {event.what}{why}"
    if event.kind == "holds":
        return f": holds {short(event.what)}" if event.what else f": {event.why}"
    if event.kind == "rests":
        return f": {event.why}"
    return ": answers again" if event.kind == "answers" else f": does not tell: {event.why}"


def status_line(question: Question, state: State, now: float) -> str:
    """How far it is, for people: ``5 of 8 ready, 12 min left``."""
    if state.since is not None:
        left = max(state.since + question.soak - now, 0.0)
        return f"complete everywhere, for {span(left)} more"
    known = [answer for answer in state.answers if answer]
    states = [each for answer in known for each in answer.platforms]
    ready = sum(each.state == "ready" for each in states)
    left = max(state.began + question.timeout - now, 0.0)
    silent = sum(seen.silence is not None for seen in state.seen)
    told = f", {silent} not telling" if silent else ""
    return f"{ready} of {len(states)} ready{told}, {span(left)} left"


def not_ready(references: Sequence[str], state: State) -> str:
    """What is missing where."""
    lacking = [
        f"{reference} {each.platform} is {each.state} ({each.why})"
        for reference, answer in zip(references, state.answers, strict=True)
        for each in (answer.platforms if answer else ())
        if each.state != "ready"
    ]
    return ", ".join(lacking)


def span(seconds: float) -> str:
    """A length of time as it is typed: ``1h``, ``12m30s``, ``0s``."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "m"), (left, "s")]
    return "".join(f"{amount}{unit}" for amount, unit in parts if amount) or "0s"
