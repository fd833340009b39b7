"""``manyfest check``."""

from __future__ import annotations

from contextlib import nullcontext

import click

from manyfest.cli.check_text import answer_text, facts
from manyfest.cli.platforms import parse_platforms, platforms_option
from manyfest.cli.readiness_options import in_option, signed_by_option, why_unsigned
from manyfest.cli.session import Session, with_registries
from manyfest.cli.text import tell
from manyfest.errors import AnswerIsNo


@click.command()
@click.argument("references", nargs=-1, required=True)
@platforms_option("It must have this platform")
@in_option
@signed_by_option
@click.option("--deep", is_flag=True, help="Read every byte: digests, programs, entrypoints.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_registries
def command(
    session: Session,
    references: tuple[str, ...],
    platforms: tuple[str, ...],
    elsewhere: tuple[str, ...],
    signed_by: str,
    *,
    deep: bool,
    as_json: bool,
) -> None:
    """Check that the images at REFERENCES are complete, for the platforms asked for, and the same
    in every registry.

    The answer is yes (exit 0) or no (exit 3). A registry that does not answer is an error. Without
    --platform it is about every platform that any of the registries has. With --signed-by the index
    must be signed with that key, or each platform's image.
    """
    from manyfest.check.everywhere import check_everywhere
    from manyfest.check.places import find_places
    from manyfest.oci.reference import Reference
    from manyfest.progress import NoProgress

    wanted = parse_platforms(platforms)
    places = find_places(map(Reference.parse, references), elsewhere)
    shown = session.progress() if deep else nullcontext(NoProgress())
    with session.stores() as stores, shown as progress:
        answers, silent = check_everywhere(
            stores,
            places,
            wanted,
            deep=deep,
            why_unsigned=why_unsigned(signed_by),
            progress=progress,
        )
    if answers and not as_json:
        session.out("\n\n".join(map(answer_text, answers)))
    for error in silent[1:]:
        tell(str(error))
    for error in silent:
        raise error
    if as_json:
        session.out_json({"images": [facts(answer) for answer in answers]})
    if not all(answer.is_yes for answer in answers):
        click.get_current_context().exit(AnswerIsNo.exit_code)
