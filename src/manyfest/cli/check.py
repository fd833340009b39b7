"""``manyfest check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from manyfest.cli.platforms import parse_platforms, platforms_option
from manyfest.cli.session import Session, with_registries
from manyfest.cli.text import one_line, table

if TYPE_CHECKING:
    from manyfest.check.readiness import Readiness
    from manyfest.check.report import Finding
    from manyfest.oci.platform import Platform
    from manyfest.oci.reference import Reference
    from manyfest.stores.base import Source

EXIT_NO = 3


@click.command()
@click.argument("references", nargs=-1, required=True)
@platforms_option("It must have this platform")
@click.option("--deep", is_flag=True, help="Read every byte: digests, programs, entrypoints.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_registries
def command(
    session: Session,
    references: tuple[str, ...],
    platforms: tuple[str, ...],
    *,
    deep: bool,
    as_json: bool,
) -> None:
    """Check that the images at REFERENCES are complete, for the platforms asked for.

    The answer is yes (exit 0) or no (exit 3). A registry that does not answer is an error.
    """
    from manyfest.check.readiness import readiness
    from manyfest.oci.reference import Reference

    wanted = parse_platforms(platforms)
    answers = []
    with session.stores() as stores:
        for reference in map(Reference.parse, references):
            with stores.source(reference) as source:
                answer = readiness(source, reference.target, wanted, str(reference))
                faults: tuple[Finding, ...] = ()
                if deep and answer.ready:
                    faults = _read_through(session, source, reference, wanted)
                answers.append(Answer(answer, faults))
    if as_json:
        session.out_json({"images": [answer.facts() for answer in answers]})
    else:
        session.out("\n\n".join(map(_text, answers)))
    if not all(answer.is_yes for answer in answers):
        click.get_current_context().exit(EXIT_NO)


class Answer(NamedTuple):
    """About one image: whether it is complete, and what reading it showed."""

    readiness: Readiness
    faults: tuple[Finding, ...]

    @property
    def is_yes(self) -> bool:
        """Whether nothing is missing and nothing is wrong."""
        return self.readiness.ready and not self.faults

    def facts(self) -> dict[str, object]:
        """As in ``--json``."""
        import msgspec

        return {**msgspec.structs.asdict(self.readiness), "faults": self.faults}


def _read_through(
    session: Session, source: Source, reference: Reference, wanted: tuple[Platform, ...]
) -> tuple[Finding, ...]:
    from manyfest.check.image import check_image

    with session.progress() as progress:
        root = source.resolve(reference.target)
        return check_image(source, root, platforms=wanted, progress=progress).findings


def _text(answer: Answer) -> str:
    ready = answer.readiness
    rows: list[tuple[str, ...]] = [("PLATFORM", "STATE", "DIGEST", "WHY")]
    rows += [
        (state.platform, state.state, state.digest[: len("sha256:") + 12], state.why)
        for state in ready.platforms
    ]
    verdict = "ready" if answer.is_yes else "NOT ready"
    if answer.faults:
        verdict = (
            f"NOT right: {len(answer.faults)} {'fault' if len(answer.faults) == 1 else 'faults'}"
        )
    lines = [f"{one_line(ready.reference)}  {verdict}", table(rows)]
    return "\n".join([*lines, *(one_line(str(fault)) for fault in answer.faults)])
