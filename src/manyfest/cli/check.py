"""``manyfest check``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from manyfest.cli.session import Session, with_registries
from manyfest.cli.text import escaped, table

if TYPE_CHECKING:
    from manyfest.check.readiness import Readiness
    from manyfest.oci.platform import Platform
    from manyfest.oci.reference import Reference
    from manyfest.stores.base import Source

EXIT_NO = 3


@click.command()
@click.argument("references", nargs=-1, required=True)
@click.option("--platform", "platforms", multiple=True, metavar="P", help="Must be there.")
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
    from manyfest.oci.platform import Platform
    from manyfest.oci.reference import Reference

    wanted = tuple(Platform.parse(platform) for platform in platforms)
    answers = []
    faults: list[str] = []
    with session.stores() as stores:
        for reference in map(Reference.parse, references):
            with stores.source(reference) as source:
                answer = readiness(source, reference.target, wanted, str(reference))
                answers.append(answer)
                if deep and answer.ready:
                    faults += _read_through(session, source, reference, wanted)
    if as_json:
        session.out_json({"images": answers, "faults": faults})
    else:
        session.out("\n\n".join(_text(answer) for answer in answers))
        for fault in faults:
            session.out(escaped(fault))
    if faults or not all(answer.ready for answer in answers):
        click.get_current_context().exit(EXIT_NO)


def _read_through(
    session: Session, source: Source, reference: Reference, wanted: tuple[Platform, ...]
) -> list[str]:
    from manyfest.check.image import check_image

    with session.progress() as progress:
        root = source.resolve(reference.target)
        report = check_image(source, root, platforms=wanted, progress=progress)
    return [str(finding) for finding in report.findings]


def _text(answer: Readiness) -> str:
    rows: list[tuple[str, ...]] = [("PLATFORM", "STATE", "DIGEST", "WHY")]
    rows += [
        (state.platform, state.state, state.digest[: len("sha256:") + 12], state.why)
        for state in answer.platforms
    ]
    verdict = "ready" if answer.ready else "NOT ready"
    return escaped(f"{answer.reference}  {verdict}\n{table(rows)}")
