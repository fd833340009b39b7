"""What several registries say of one image, held against each other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from manyfest.check.readiness import ANY, PlatformState, Readiness, missing, with_states


def agreed(answers: Sequence[Readiness], expected: str = "") -> tuple[Readiness, ...]:
    """The answers of places that should hold the same image, in their order.

    A platform that one of them has is missing where it is not. What is complete and is not what the
    first place has is different: another image, or another index around the same one, since
    whoever pins a digest pins that of the index. With ``expected`` all are held against that one.
    """
    names = _platforms(answers)
    answers = [_completed(answer, names) for answer in answers]
    return tuple(_compared(answer, answers, expected) for answer in answers)


def _platforms(answers: Iterable[Readiness]) -> list[str]:
    """All that any of them has, or was asked for."""
    states = (state for answer in answers for state in answer.platforms)
    return list(dict.fromkeys(state.platform for state in states if state.platform != ANY))


def _completed(answer: Readiness, names: Sequence[str]) -> Readiness:
    """With a state for every platform. What nobody asked for and is nowhere stays as it is."""
    if not names:
        return answer
    own = {state.platform: state for state in answer.platforms}
    unknown = [state for state in (own.pop(ANY, None),) if state and own]
    why = answer.platforms[0].why if not own else f"it has {', '.join(own)}"
    states = [own.get(name) or missing(name, why) for name in names]
    return with_states(answer.reference, answer.digest, [*states, *unknown])


def _compared(answer: Readiness, answers: Sequence[Readiness], expected: str) -> Readiness:
    if not answer.digest or answer.digest == (expected or _first(answers).digest):
        return answer
    states = [
        replace(state, state="different", why=_why(state, answers, expected))
        if state.state == "ready"
        else state
        for state in answer.platforms
    ]
    return with_states(answer.reference, answer.digest, states)


def _first(answers: Iterable[Readiness]) -> Readiness:
    """The one that others are held against: the first that has anything."""
    return next(answer for answer in answers if answer.digest)


def _why(state: PlatformState, answers: Sequence[Readiness], expected: str) -> str:
    """How what is there for a platform differs from what should be."""
    if expected:
        return f"it is not of {expected}"
    digests = ((each.reference, _digest_of(state.platform, each)) for each in answers)
    reference, digest = next(each for each in digests if each[1])
    if digest != state.digest:
        return f"it is another image than in {reference}"
    return f"the same image, but in another index than in {_first(answers).reference}"


def _digest_of(platform: str, answer: Readiness) -> str:
    return next((each.digest for each in answer.platforms if each.platform == platform), "")
