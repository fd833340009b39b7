"""``manyfest publish``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from manyfest.cli.hand_over import HandOver, hand_over_options, say_obstacles
from manyfest.cli.interrupts import interruptible
from manyfest.cli.platforms import parse_platforms
from manyfest.cli.project import (
    ask_git,
    config_option,
    load_config,
    outcome_line,
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
@click.option(
    "--expect",
    multiple=True,
    metavar="P",
    help="Wait for this platform, by default all of 'build.platforms'. Repeat it, or separate"
    " several by commas.",
)
@click.option(
    "--timeout", default="30m", show_default=True, metavar="TIME", help="Wait at most so long."
)
@click.option("--to", multiple=True, metavar="REPO", help="Publish here, not where 'publish' says.")
@click.option("--dry-run", is_flag=True, help="Print the plan; change nothing, and do not wait.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@hand_over_options
@with_registries
def command(
    session: Session,
    config_file: Path,
    told: str,
    expect: tuple[str, ...],
    timeout: str,
    to: tuple[str, ...],
    *,
    dry_run: bool,
    as_json: bool,
    hand_over: HandOver,
) -> None:
    """Wait for the platforms that `manyfest stage` pushes, join them, and publish: whole, or not
    at all.

    Only the configuration and the version are needed, not the build context. If a platform is late
    for too long, the answer is no (exit 3), and nothing is changed. Prints a report and, last, the
    digest.
    """
    from manyfest.build.duration import Duration
    from manyfest.cli.release_report import as_table
    from manyfest.release.rendezvous.joining import publish_steps
    from manyfest.release.rendezvous.staging import with_platforms
    from manyfest.release.rendezvous.waiting import Patience
    from manyfest.release.reporting.report import release_report
    from manyfest.release.run import run
    from manyfest.release.steps.preflight import require_possible

    patience = Patience(timeout=Duration.parse(timeout).seconds)
    config = load_config(config_file)
    if expected := parse_platforms(expect):
        config = with_platforms(config, expected)
    version, occasion = ask_git(config, told)
    with session.stores() as stores:
        release = _release(config, version, occasion, stores, to=to)
        if dry_run:
            require_possible(release)
            say_obstacles(session, release)
            _show_plan(session, release, as_json=as_json)
            return
        outcomes: list[Outcome] = []
        with (
            interruptible(),
            closing(release),
            hand_over.of(session, release, outcomes),
            session.progress() as progress,
        ):
            release.progress = progress
            for outcome in run(release, publish_steps(release, patience)):
                outcomes.append(outcome)
                progress.say(outcome_line(outcome))
    report = release_report(release, outcomes)
    if as_json:
        session.out_json(report)
    else:
        session.out(as_table(report))
        session.out(report.digest)


def _release(
    config: Config, version: Version, occasion: Occasion, stores: Stores, *, to: tuple[str, ...]
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
        allow_dirty=True,  # nothing of the work tree is published
        joins=True,
    )


def _show_plan(session: Session, release: Release, *, as_json: bool) -> None:
    from manyfest.cli.release_report import plan_text
    from manyfest.release.rendezvous.staging import staging_tag
    from manyfest.release.reporting.report import plan_report

    plan = plan_report(release)
    if as_json:
        session.out_json(plan)
        return
    head, _, rest = plan_text(plan, "publish").partition("\n")
    wait = [
        f"wait     {platform}, as {staging_tag(release.version, platform)}"
        for platform in release.config.build.platforms
    ]
    session.out("\n".join([head, *wait, rest]))
