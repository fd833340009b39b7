"""``manyfest version``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from manyfest.cli.hand_over import give_version
from manyfest.cli.project import config_option, load_config, version_option
from manyfest.cli.session import Session, with_registries
from manyfest.cli.text import table

if TYPE_CHECKING:
    from manyfest.release.project.config import Config
    from manyfest.release.tags.plan import PlannedTag
    from manyfest.release.tags.report import Verdicts, VersionReport
    from manyfest.release.versions.version import Version


@click.command()
@config_option
@version_option
@click.option("--offline", is_flag=True, help="Do not ask the registries what they hold.")
@click.option("--next", "next_", is_flag=True, help="Propose the next version, from the commits.")
@click.option("--notes", is_flag=True, help="Print the changelog's section, from the commits.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_registries
def command(
    session: Session,
    config_file: Path,
    told: str,
    *,
    offline: bool,
    next_: bool,
    notes: bool,
    as_json: bool,
) -> None:
    """Show the version of this commit, from git's tags, and the tags that a release would set.

    A tag such as latest moves only forward: the registries in 'publish' are asked what they hold.

    --next reads the messages of the commits since the last version, by Conventional Commits; if
    none asks for a release, the exit code is 3.
    """
    from manyfest.cli.version_commits import require_possible, show_next, show_notes
    from manyfest.errors import ManyfestError
    from manyfest.release.tags.plan import plan_tags
    from manyfest.release.tags.report import version_report
    from manyfest.release.versions.occasion import find_occasion
    from manyfest.release.versions.version import find_version

    require_possible(told, next_=next_, notes=notes, as_json=as_json)
    config = load_config(config_file)
    if notes:
        show_notes(session, config, told, next_=next_)
        return
    if next_:
        show_next(session, config, as_json=as_json)
        return
    version = find_version(config.root, told, prefix=config.version_prefix)
    tags = plan_tags(config, version, find_occasion(config.root))
    verdicts: Verdicts = {}
    if offline:
        tags = tuple(map(_unasked, tags))
    elif config.publish and any(tag.goes_by for tag in tags):
        try:
            verdicts = _verdicts(session, config, version, tags)
        except ManyfestError as error:
            error.mend = "; ".join(filter(None, (error.mend, "--offline asks no registry")))
            raise
    report = version_report(version, tags, verdicts)
    give_version(session, report, tags)
    if as_json:
        session.out_json(report)
    else:
        session.out(_as_table(report))
        session.out(report.version)


def _unasked(tag: PlannedTag) -> PlannedTag:
    if not tag.goes_by:
        return tag
    return replace(tag, reason=f"{tag.reason_unasked}; the registries were not asked (--offline)")


def _verdicts(
    session: Session, config: Config, version: Version, tags: tuple[PlannedTag, ...]
) -> Verdicts:
    """What each repository says; several are asked at the same time."""
    from manyfest.copy import JOBS
    from manyfest.release.destinations import destinations
    from manyfest.release.tags.judge import judge_at
    from manyfest.threads import workers

    places = destinations(config, config.publish)
    with session.stores() as stores, workers(JOBS, "judge") as pool:
        judged = pool.map(
            lambda place: judge_at(stores.registry(place), place, tags, config, version), places
        )
        return {place.place: said for place, said in zip(places, judged, strict=True)}


def _as_table(report: VersionReport) -> str:
    rows = [("TAG", "MOVES", "WHY")]
    for tag in report.tags:
        rows.append((tag.tag, _yes(moves=tag.moves), tag.reason))
        rows += [
            ("", _yes(moves=each.moves), f"{repository.repository}: {each.reason}")
            for repository in report.repositories
            for each in repository.tags
            if each.tag == tag.tag
        ]
    return table(rows)


def _yes(*, moves: bool) -> str:
    return "yes" if moves else "no"
