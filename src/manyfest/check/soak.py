"""Has an image been complete everywhere for long enough? Pure: what was seen, and when, goes in.

The soak time begins when the last of all places is seen complete, with what it should hold, and
begins anew when a digest changes. What an image says of its own age counts for nothing. A place
that does not answer leaves what was known of it as it is; but the answer is yes only once each has
said so after the soak time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from manyfest.check.agreement import agreed
from manyfest.check.readiness import PlatformState, Readiness

Kind = Literal[
    "holds", "state", "silent", "rests", "answers", "complete", "restarted", "incomplete"
]
Verdict = Literal["wait", "ready", "late", "unclear"]


class Question(Struct, frozen=True, kw_only=True):
    """What is waited for. ``groups`` are the numbers of the places that should hold the same, and
    ``expected`` the digest that it must be, or empty. Times are in seconds.

    The soak time comes on top of ``timeout``: what does not begin to be complete within that is
    late, and who does not answer gets that time once more at the end.
    """

    groups: tuple[tuple[int, ...], ...]
    soak: float
    timeout: float
    expected: str = ""


class Silence(Struct, frozen=True):
    """A place that could not tell, and ``why``. One that ``rests`` was not asked, as it wants."""

    why: str
    rests: bool = False


Answer: TypeAlias = Readiness | Silence


class Seen(Struct, frozen=True):
    """What one place said last, and when, and why it says nothing now."""

    answer: Readiness | None = None
    at: float = 0.0
    silence: Silence | None = None


class State(Struct, frozen=True, kw_only=True):
    """What is known: since ``began``, of each place, and since when all is complete. ``answers``
    are those of the places, held against each other."""

    began: float
    seen: tuple[Seen, ...]
    answers: tuple[Readiness | None, ...]
    since: float | None = None

    @classmethod
    def at(cls, now: float, places: int) -> State:
        """Before anything was seen."""
        return cls(began=now, seen=(Seen(),) * places, answers=(None,) * places)

    @property
    def digests(self) -> tuple[str, ...]:
        """What each place holds; empty if that is nothing, or not known."""
        return tuple(answer.digest if answer else "" for answer in self.answers)

    def all_said(self, since: float) -> bool:
        """Whether every place has said something from that moment on."""
        return all(seen.answer and seen.at >= since for seen in self.seen)


class Event(Struct, frozen=True):
    """One change. ``place`` is its number, or -1 for all; ``what`` is the digest that it holds, the
    new state, or the reason."""

    kind: Kind
    place: int = -1
    platform: str = ""
    what: str = ""
    why: str = ""


class Decision(Struct, frozen=True):
    """What follows: what is known now, what changed, and whether that is an end.

    ``late``: the answer is no. ``unclear``: the time is over, and a place does not answer.
    """

    state: State
    events: tuple[Event, ...]
    verdict: Verdict


def decide(question: Question, before: State, answers: Sequence[Answer], now: float) -> Decision:
    """What follows from the ``answers`` of all places, which were given at ``now``."""
    seen = tuple(_seen(was, answer, now) for was, answer in zip(before.seen, answers, strict=True))
    judged = _judged(question, seen)
    after = State(began=before.began, seen=seen, answers=judged)
    after = replace(after, since=_since(before, after, now))
    events = (*_changes(before, after), *_soak_changes(before, after))
    return Decision(after, events, _verdict(question, after, now))


def unsure(question: Question, state: State, now: float) -> Verdict:
    """The verdict when all is complete for long enough, and a place has yet to say so."""
    last = next_instant(question, state) + question.timeout
    return "unclear" if now >= last else "wait"


def next_instant(question: Question, state: State) -> float:
    """When the next decision is due even if nothing changes."""
    if state.since is not None:
        return state.since + question.soak
    return state.began + question.timeout


def _seen(before: Seen, answer: Answer, now: float) -> Seen:
    if isinstance(answer, Silence):
        return replace(before, silence=answer)
    return Seen(answer, now)


def _judged(question: Question, seen: Sequence[Seen]) -> tuple[Readiness | None, ...]:
    """The answers, held against each other in their groups; of who is silent the last one."""
    judged = [each.answer for each in seen]
    for group in question.groups:
        known = {place: answer for place in group if (answer := judged[place])}
        for place, answer in zip(
            known, agreed(list(known.values()), question.expected), strict=True
        ):
            judged[place] = answer
    return tuple(judged)


def _since(before: State, after: State, now: float) -> float | None:
    if not all(answer and answer.ready for answer in after.answers):
        return None
    if before.since is not None and before.digests == after.digests:
        return before.since
    return now


def _verdict(question: Question, state: State, now: float) -> Verdict:
    last = state.began + question.timeout
    if state.since is not None and state.since <= last:
        over = next_instant(question, state)
        is_said = now >= over and state.all_said(over)
        return "ready" if is_said else unsure(question, state, now)
    if now < last:
        return "wait"
    return "late" if state.all_said(now) or _surely_not(state) else "unclear"


def _surely_not(state: State) -> bool:
    """Whether one that answers says no, whatever the silent ones would say."""
    return any(
        answer and not answer.ready and not seen.silence
        for seen, answer in zip(state.seen, state.answers, strict=True)
    )


def _changes(before: State, after: State) -> Iterator[Event]:
    """What is new, place by place. What is known of a silent one may change too: it is held against
    the others."""
    for place, (was, now) in enumerate(zip(before.seen, after.seen, strict=True)):
        yield from _silence_changes(place, was.silence, now.silence)
        yield from _place_changes(place, before.answers[place], after.answers[place])


def _silence_changes(place: int, was: Silence | None, now: Silence | None) -> Iterator[Event]:
    """A silence is told of once, whatever its reason is later; a rest has no end worth telling."""
    if now and (was is None or was.rests != now.rests):
        yield Event("rests" if now.rests else "silent", place, why=now.why)
    if was and not was.rests and not now:
        yield Event("answers", place)


def _place_changes(place: int, was: Readiness | None, now: Readiness | None) -> Iterator[Event]:
    """A new digest; then the platforms that are in another state, and those that are not ready
    under the new digest. Of a tag that is not there that alone is told."""
    if now is None:
        return
    moved = was is None or was.digest != now.digest
    if moved:
        why = "" if now.digest else now.platforms[0].why
        yield Event("holds", place, what=now.digest, why=why)
    if not now.digest:
        return
    states = {each.platform: each.state for each in was.platforms} if was else {}
    for each in now.platforms:
        told = states.get(each.platform, "ready")
        if each.state != told or (moved and each.state != "ready"):
            yield _state_event(place, each)


def _state_event(place: int, state: PlatformState) -> Event:
    return Event("state", place, state.platform, state.state, state.why)


def _soak_changes(before: State, after: State) -> Iterator[Event]:
    if before.since == after.since:
        return
    if after.since is None:
        yield Event("incomplete")
    else:
        yield Event("complete" if before.since is None else "restarted")
