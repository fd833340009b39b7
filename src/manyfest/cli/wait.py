"""``manyfest wait``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from manyfest.cli.interrupts import interruptible
from manyfest.cli.platforms import parse_platforms, platforms_option
from manyfest.cli.readiness_options import in_option, signed_by_option, why_unsigned
from manyfest.cli.session import Session, with_registries
from manyfest.cli.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manyfest.check.places import Places
    from manyfest.check.signed import WhyUnsigned
    from manyfest.check.soak import Decision, Event, Question, State
    from manyfest.check.watched import Watched
    from manyfest.cli.wait_display import Lines
    from manyfest.oci.platform import Platform
    from manyfest.oci.reference import Reference
    from manyfest.stores.open import Stores
    from manyfest.stores.registry.pacing import Pacing


@click.command()
@click.argument("references", nargs=-1, required=True)
@platforms_option("It must have this platform")
@in_option
@click.option("--digest", default="", metavar="D", help="It must be this one: sha256:…")
@signed_by_option
@click.option(
    "--soak",
    default="0",
    show_default=True,
    metavar="TIME",
    callback=parse_time,
    help="It must have been complete, and the same, for so long: 1h.",
)
@click.option(
    "--timeout",
    default="30m",
    show_default=True,
    metavar="TIME",
    callback=parse_time,
    help="It must become complete within this time; --soak comes on top.",
)
@with_registries
def command(
    session: Session,
    references: tuple[str, ...],
    platforms: tuple[str, ...],
    elsewhere: tuple[str, ...],
    *,
    digest: str,
    signed_by: str,
    soak: float,
    timeout: float,
) -> None:
    """Wait until the images at REFERENCES are complete for the platforms, in every registry.

    With --soak they must then stay as they are for that time, which begins anew when a digest
    changes. Prints the digest. If the time runs out, the answer is no (exit 3). A registry that
    does not answer is asked again until then, and is an error if it still does not. Either
    --platform or --digest says what is complete.
    """
    from manyfest.check.places import find_places
    from manyfest.check.soak import Question
    from manyfest.check.wait import wait
    from manyfest.cli.wait_text import event_line, status_line
    from manyfest.oci.reference import Reference
    from manyfest.stores.registry.pacing import Pacing

    wanted = parse_platforms(platforms)
    _require_aim(wanted, digest)
    places = find_places(map(Reference.parse, references), elsewhere)
    question = Question(
        groups=_numbered(places),
        soak=soak,
        timeout=timeout,
        expected=_digest(digest),
    )
    names = [str(each) for each in places.references]
    pacing, unsigned = Pacing(), why_unsigned(signed_by)
    with session.stores(pacing=pacing) as stores:
        watched = [_watched(stores, each, wanted, pacing, unsigned) for each in places.references]
        with interruptible(), _display(session) as display:

            def tell(events: Sequence[Event], state: State) -> None:
                for event in events:
                    display.tell(event_line(event, names, question))
                display.show(lambda now: status_line(question, state, now))

            decision = wait(watched, question, tell)
    _require_yes(decision, names, question)
    held = decision.state.digests
    session.out("\n".join(dict.fromkeys(held[group[0]] for group in question.groups)))


def _require_aim(wanted: Sequence[Platform], digest: str) -> None:
    from manyfest.errors import UsageError

    if not (wanted or digest):
        raise UsageError(
            "nothing says for which platforms it must be complete: an index may grow",
            mend="name them with --platform, or the index with --digest",
        )


def _numbered(places: Places) -> tuple[tuple[int, ...], ...]:
    """The groups, by the numbers of their references."""
    numbers = {each: number for number, each in enumerate(places.references)}
    return tuple(tuple(numbers[each] for each in group) for group in places.groups)


def _digest(text: str) -> str:
    from manyfest.errors import InvalidDigest, UsageError
    from manyfest.oci.digest import Digest

    try:
        return str(Digest.parse(text)) if text else ""
    except InvalidDigest as error:
        raise UsageError(error.what, where="--digest", mend=error.mend) from None


def _display(session: Session) -> Lines:
    from manyfest.cli.wait_display import Lines, Terminal

    is_live = sys.stderr.isatty() and not session.quiet
    return Terminal(session.say) if is_live else Lines(session.say)


def _watched(
    stores: Stores,
    reference: Reference,
    wanted: Sequence[Platform],
    pacing: Pacing,
    unsigned: WhyUnsigned | None,
) -> Watched:
    from manyfest.check.watched import Asked, Watched
    from manyfest.errors import UsageError

    name = reference.image
    if name is None:
        raise UsageError(
            "it lies in no registry", where=str(reference), mend="ask with: manyfest check"
        )
    return Watched(
        Asked(
            source=stores.source(reference),
            name=reference.target,
            wanted=wanted,
            reference=str(reference),
            rest=lambda: pacing.pause(name.registry),
            require_registry=lambda: stores.require_registry(name),
            why_unsigned=unsigned,
        )
    )


def _is_to_come(state: State) -> bool:
    """Whether something is still to come, for which another tag may serve."""
    states = {each.state for answer in state.answers if answer for each in answer.platforms}
    return not states.isdisjoint(("missing", "partial"))


def _require_yes(decision: Decision, names: Sequence[str], question: Question) -> None:
    """Raises :class:`~manyfest.errors.AnswerIsNo`, or :class:`~manyfest.errors.StoreError` if a
    registry could not tell."""
    from manyfest.cli.wait_text import not_ready, span
    from manyfest.errors import AnswerIsNo, StoreError

    state = decision.state
    if decision.verdict == "late":
        lacking = not_ready(names, state) or "it changed too late for the soak time"
        raise AnswerIsNo(
            f"not complete within {span(question.timeout)}: {lacking}",
            mend="manyfest check shows whether another tag serves meanwhile"
            if _is_to_come(state)
            else "",
        )
    if decision.verdict == "unclear":
        name, why = next(
            (name, seen.silence.why)
            for name, seen in zip(names, state.seen, strict=True)
            if seen.silence
        )
        raise StoreError(f"the time is over, and it does not tell: {why}", where=name)
