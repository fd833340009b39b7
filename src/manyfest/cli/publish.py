"""``manyfest publish``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from manyfest.cli.hand_over import HandOver, hand_over_options, say_obstacles
from manyfest.cli.platforms import parse_platforms
from manyfest.cli.project import ask_git, config_option, load_config, version_option
from manyfest.cli.releasing import carry_out, show_report, to_option, whole_release
from manyfest.cli.session import Session, with_registries

if TYPE_CHECKING:
    from manyfest.release.steps.step import Release


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
@to_option("Publish")
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
    for too long, the answer is no (exit 3), and nothing is changed. A registry must answer when it
    begins; one that falls silent while it waits is asked again. Prints a report and, last, the
    digest.
    """
    from manyfest.duration import Duration
    from manyfest.release.rendezvous.joining import publish_steps
    from manyfest.release.rendezvous.staging import with_platforms
    from manyfest.release.rendezvous.waiting import Patience
    from manyfest.release.steps.preflight import require_possible

    patience = Patience(timeout=Duration.parse(timeout).seconds)
    config = load_config(config_file)
    if expected := parse_platforms(expect):
        config = with_platforms(config, expected)
    version, occasion = ask_git(config, told)
    with session.stores() as stores:
        release = whole_release(config, version, occasion, stores, to=to)
        release.allow_dirty = True  # nothing of the work tree is published
        release.joins = True
        if dry_run:
            require_possible(release)
            say_obstacles(session, release)
            _show_plan(session, release, as_json=as_json)
            return
        steps = publish_steps(release, patience)
        report = carry_out(session, release, steps, session.progress(), hand_over)
    session.out_json(report) if as_json else show_report(session, report)


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
