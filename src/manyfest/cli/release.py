"""``manyfest release``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from manyfest.cli.hand_over import HandOver, hand_over_options, say_obstacles
from manyfest.cli.interrupts import interruptible
from manyfest.cli.project import (
    ask_git,
    config_option,
    load_config,
    outcome_line,
    parse_image,
    parse_repository,
    version_option,
)
from manyfest.cli.session import Session, with_registries

if TYPE_CHECKING:
    from manyfest.release.project.config import Config
    from manyfest.release.steps.step import Outcome, Release
    from manyfest.release.versions.occasion import Occasion
    from manyfest.release.versions.version import Version
    from manyfest.stores.open import Stores


@click.command()
@config_option
@version_option
@click.option("--from", "from_", metavar="REF", help="Release this image instead of building.")
@click.option("--to", multiple=True, metavar="REPO", help="Publish here, not where 'publish' says.")
@click.option("--allow-dirty", is_flag=True, help="Release a work tree that differs from git.")
@click.option(
    "--allow-other-commit", is_flag=True, help="Take an image that says it is of another commit."
)
@click.option("--dry-run", is_flag=True, help="Print the plan; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@hand_over_options
@with_registries
def command(
    session: Session,
    config_file: Path,
    told: str,
    from_: str | None,
    to: tuple[str, ...],
    *,
    allow_dirty: bool,
    allow_other_commit: bool,
    dry_run: bool,
    as_json: bool,
    hand_over: HandOver,
) -> None:
    """Build every platform, check the image, and publish it under its tags: whole, or not at all.

    Interrupted at any point, the same command goes on. Prints a report and, last, the digest.
    """
    from manyfest.threads import workers

    config = load_config(config_file)
    with workers(1, "git") as pool:
        asked = pool.submit(ask_git, config, told)
        # Loaded while git is asked: both take a while.
        from manyfest.cli.release_report import as_table, plan_text
        from manyfest.release.reporting.report import plan_report, release_report
        from manyfest.release.run import run
        from manyfest.release.steps.preflight import require_possible

        version, occasion = asked.result()
    with session.stores() as stores:
        release = _release(config, version, occasion, stores, to=to, from_=from_)
        release.allow_dirty, release.allow_other_commit = allow_dirty, allow_other_commit
        if dry_run:
            require_possible(release)
            say_obstacles(session, release)
            plan = plan_report(release)
            session.out_json(plan) if as_json else session.out(plan_text(plan))
            return
        outcomes: list[Outcome] = []
        with (
            interruptible(),
            closing(release),
            hand_over.of(session, release, outcomes),
            session.progress() as progress,
        ):
            release.progress = progress
            for outcome in run(release):
                outcomes.append(outcome)
                progress.say(outcome_line(outcome))
    report = release_report(release, outcomes)
    if as_json:
        session.out_json(report)
    else:
        session.out(as_table(report))
        session.out(report.digest)


def _release(
    config: Config,
    version: Version,
    occasion: Occasion,
    stores: Stores,
    *,
    to: tuple[str, ...],
    from_: str | None,
) -> Release:
    from manyfest.progress import NoProgress
    from manyfest.release.destinations import destinations
    from manyfest.release.steps.step import Release
    from manyfest.release.tags.plan import plan_tags

    repositories = tuple(dict.fromkeys(map(parse_repository, to))) or config.publish
    return Release(
        config=config,
        version=version,
        tags=plan_tags(config, version, occasion),
        destinations=destinations(config, repositories),
        archive=config.archive_path(version),
        stores=stores,
        progress=NoProgress(),
        taken_from=parse_image(from_) if from_ else None,
    )
