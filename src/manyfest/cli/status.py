"""``manyfest status``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from manyfest.cli.project import config_option, load_config
from manyfest.cli.repositories import destinations_of, repositories_option
from manyfest.cli.session import Session, with_registries
from manyfest.cli.text import one_line, tell
from manyfest.errors import AnswerIsNo

if TYPE_CHECKING:
    from manyfest.release.published.status import LineStatus, Status, TagState


@click.command()
@config_option
@repositories_option
@click.option("--all", "every", is_flag=True, help="Look at the tags of every version.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_registries
def command(
    session: Session,
    config_file: Path,
    repositories: tuple[str, ...],
    *,
    every: bool,
    as_json: bool,
) -> None:
    """Show which tag holds which version, in each repository, and whether it is complete.

    Exits with 3 if the repositories differ, if a part of a platform is missing, or if a version is
    half released. A registry that does not answer is an error; what stands in the others is shown
    all the same.
    """
    from manyfest.release.published.status import read_status

    config = load_config(config_file)
    with session.stores() as stores:
        places = destinations_of(config, repositories)
        status, silent = read_status(config, stores, places, every=every)
    if silent and status.tags and not as_json:
        session.out(_rows(status))
    for error in silent[1:]:
        tell(str(error))
    for error in silent:
        raise error
    session.out_json(status) if as_json else session.out(_text(status))
    if not status.good:
        click.get_current_context().exit(AnswerIsNo.exit_code)


def _text(status: Status) -> str:
    if not status.tags:
        return f"{status.name}: nothing is released yet"
    verdict = "complete everywhere"
    if not status.good:
        verdict = "NOT released whole" if status.half else "NOT the same and complete everywhere"
    lines = []
    if status.lines:
        lines.append(f"other lines: {', '.join(map(_line, status.lines))}")
    half: dict[str, list[str]] = {}
    for each in status.half:
        half.setdefault(f"{each.what}; {each.mend}", []).append(each.repository)
    lines += [f"{', '.join(places)}: {what}" for what, places in half.items()]
    newest = {each.version: ", ".join(each.elsewhere) for each in status.not_out}
    lines += [
        f"{version} is not out under {tags}: it was taken back, or its release did not end"
        for version, tags in newest.items()
    ]
    return "\n".join([_rows(status), *map(one_line, lines), f"{status.name}: {verdict}"])


def _line(line: LineStatus) -> str:
    places = [f"{each.version or 'no version'} in {each.repository}" for each in line.repositories]
    if not line.agree:
        return f"{line.tag} (differs: {', '.join(places)})"
    return f"{line.tag} at {line.repositories[0].version or 'no version of its own'}"


def _rows(status: Status) -> str:
    from manyfest.cli.text import short, table

    rows = [("TAG", "REPOSITORY", "VERSION", "DIGEST", "PLATFORMS")]
    for tag in status.tags:
        name = tag.tag if tag.agree else f"{tag.tag} (differs)"
        rows += [
            (
                name,
                state.repository,
                state.version or "-",
                short(state.digest) or "-",
                _platforms(state),
            )
            for state in tag.repositories
        ]
    return table(rows)


def _platforms(state: TagState) -> str:
    if not state.digest:
        return "no such tag"
    if state.complete:
        return f"all {len(state.platforms)}" if len(state.platforms) > 1 else "complete"
    lacking = (each for each in state.platforms if each.state != "ready")
    return ", ".join(f"{each.platform} {each.state}: {each.why}" for each in lacking)
