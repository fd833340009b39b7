"""``manyfest stage``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from manyfest.cli.hand_over import HandOver
from manyfest.cli.interrupts import interruptible
from manyfest.cli.platforms import parse_platforms, platforms_option
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
    from manyfest.progress import Progress
    from manyfest.release.reporting.report import ReleaseReport
    from manyfest.release.steps.step import Outcome, Release


@click.command()
@config_option
@version_option
@platforms_option("Stage this platform")
@click.option("--from", "from_", metavar="REF", help="Take the platform from here; build nothing.")
@click.option("--to", multiple=True, metavar="REPO", help="Stage here, not where 'publish' says.")
@click.option("--allow-dirty", is_flag=True, help="Stage a work tree that differs from git.")
@click.option(
    "--allow-other-commit", is_flag=True, help="Take an image that says it is of another commit."
)
@click.option("--dry-run", is_flag=True, help="Print the plan; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@with_registries
def command(
    session: Session,
    config_file: Path,
    told: str,
    platforms: tuple[str, ...],
    from_: str | None,
    to: tuple[str, ...],
    *,
    allow_dirty: bool,
    allow_other_commit: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Build one platform, or take it from REF, check it, and push it for `manyfest publish`.

    It gets the tag of its platform, such as 2.6.1-arm64; no other tag is set. Prints a report and,
    last, the digest.
    """
    from manyfest.cli.release_report import as_table, plan_text
    from manyfest.errors import UsageError
    from manyfest.release.rendezvous.staging import one_platform
    from manyfest.release.reporting.report import plan_report
    from manyfest.release.steps.preflight import require_possible

    config = load_config(config_file)
    wanted = parse_platforms(platforms)
    if not wanted:
        raise UsageError(
            "no platform is named",
            mend=f"name it: --platform {config.build.platforms[0]}",
        )
    version, occasion = ask_git(config, told)
    with session.stores() as stores:
        releases = [
            one_platform(
                config,
                version,
                platform,
                repositories=tuple(dict.fromkeys(map(parse_repository, to))) or config.publish,
                stores=stores,
                occasion=occasion,
                taken_from=parse_image(from_) if from_ else None,
            )
            for platform in wanted
        ]
        for release in releases:
            release.allow_dirty, release.allow_other_commit = allow_dirty, allow_other_commit
            require_possible(release)
        if dry_run:
            plans = [replace(plan_report(release), notify=()) for release in releases]
            if as_json:
                session.out_json({"staged": plans})
            else:
                session.out("\n\n".join(plan_text(plan, "stage") for plan in plans))
            return
        with session.progress() as progress:
            reports = [_stage(session, release, progress) for release in releases]
    if as_json:
        session.out_json({"staged": reports})
        return
    for report in reports:
        session.out(as_table(report))
        session.out(report.digest)


def _stage(session: Session, release: Release, progress: Progress) -> ReleaseReport:
    from manyfest.release.rendezvous.staging import STAGE_STEPS
    from manyfest.release.reporting.report import release_report
    from manyfest.release.run import run

    outcomes: list[Outcome] = []
    with (
        interruptible(),
        closing(release),
        HandOver().of(session, release, outcomes, tell=False),
    ):
        release.progress = progress
        for outcome in run(release, STAGE_STEPS):
            outcomes.append(outcome)
            progress.say(outcome_line(outcome))
    return release_report(release, outcomes)
