"""``manyfest check``."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from manyfest.cli.check_text import Answer, answer_text
from manyfest.cli.platforms import parse_platforms, platforms_option
from manyfest.cli.session import Session, with_registries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from manyfest.check.instead import Instead
    from manyfest.check.places import Places
    from manyfest.check.readiness import Readiness
    from manyfest.check.report import Finding
    from manyfest.errors import ManyfestError
    from manyfest.oci.platform import Platform
    from manyfest.oci.reference import Reference
    from manyfest.stores.base import Source
    from manyfest.stores.open import Stores

EXIT_NO = 3


@click.command()
@click.argument("references", nargs=-1, required=True)
@platforms_option("It must have this platform")
@click.option(
    "--in",
    "elsewhere",
    multiple=True,
    metavar="PLACE",
    help="It must be the same there: HOST, HOST/PREFIX/ or HOST/REPOSITORY. Repeatable.",
)
@click.option("--deep", is_flag=True, help="Read every byte: digests, programs, entrypoints.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_registries
def command(
    session: Session,
    references: tuple[str, ...],
    platforms: tuple[str, ...],
    elsewhere: tuple[str, ...],
    *,
    deep: bool,
    as_json: bool,
) -> None:
    """Check that the images at REFERENCES are complete, for the platforms asked for, and the same
    in every registry.

    The answer is yes (exit 0) or no (exit 3). A registry that does not answer is an error. Without
    --platform it is about every platform that any of the registries has.
    """
    from manyfest.check.places import find_places
    from manyfest.oci.reference import Reference

    wanted = parse_platforms(platforms)
    places = find_places(map(Reference.parse, references), elsewhere)
    with session.stores() as stores:
        asked = _Asking(session, stores, places, wanted)
        answers = asked.answers(deep=deep)
    if as_json:
        if not asked.silent:
            session.out_json({"images": [answer.facts() for answer in answers]})
    elif answers:
        session.out("\n\n".join(map(answer_text, answers)))
    for error in asked.silent[1:]:
        session.say(str(error))
    for error in asked.silent:
        raise error
    if not all(answer.is_yes for answer in answers):
        click.get_current_context().exit(EXIT_NO)


class _Asking:
    """Asks all places. Those that could not tell are ``silent``, each with its error."""

    def __init__(
        self, session: Session, stores: Stores, places: Places, wanted: Sequence[Platform]
    ) -> None:
        self._session = session
        self._stores = stores
        self._places = places
        self._wanted = wanted
        self.silent: list[ManyfestError] = []

    def answers(self, *, deep: bool) -> list[Answer]:
        """What the others answer, in the order of the places."""
        from manyfest.check.agreement import agreed

        with ExitStack() as opened:
            sources = {
                each: opened.enter_context(self._stores.source(each))
                for each in self._places.references
            }
            looked = self._look(sources)
            faults: dict[Reference, tuple[Finding, ...]] = {}
            if deep:
                faults = self._read_through(sources, looked)
            for group in self._places.groups:
                known = [each for each in group if each in looked]
                looked.update(zip(known, agreed([looked[each] for each in known]), strict=True))
            return [
                Answer(answer, faults.get(each, ()), _instead(sources[each], each, answer))
                for each, answer in looked.items()
            ]

    def _look(self, sources: Mapping[Reference, Source]) -> dict[Reference, Readiness]:
        from manyfest.check.readiness import readiness
        from manyfest.copy import JOBS
        from manyfest.errors import ManyfestError
        from manyfest.threads import together, workers

        def look(reference: Reference) -> Readiness | ManyfestError:
            try:
                return readiness(sources[reference], reference.target, self._wanted, str(reference))
            except ManyfestError as error:
                return error

        with workers(JOBS, "check") as pool:
            looks = zip(sources, together(pool, look, sources), strict=True)
        looked: dict[Reference, Readiness] = {}
        for reference, answer in looks:
            if isinstance(answer, ManyfestError):
                self.silent.append(answer)
            else:
                looked[reference] = answer
        return looked

    def _read_through(
        self, sources: Mapping[Reference, Source], looked: dict[Reference, Readiness]
    ) -> dict[Reference, tuple[Finding, ...]]:
        """Read all of what is complete; what is wrong with it. Notes what is mislabelled."""
        from manyfest.check.image import check_image
        from manyfest.check.readiness import with_findings

        faults: dict[Reference, tuple[Finding, ...]] = {}
        for reference, answer in looked.items():
            if not answer.ready:
                continue
            source = sources[reference]
            with self._session.progress() as progress:
                root = source.resolve(answer.digest)
                report = check_image(source, root, platforms=self._wanted, progress=progress)
            faults[reference] = report.findings
            looked[reference] = with_findings(answer, report.findings)
        return faults


def _instead(source: Source, reference: Reference, answer: Readiness) -> tuple[Instead, ...]:
    from manyfest.check.instead import find_instead

    return find_instead(source, reference.image, answer) if reference.image else ()
