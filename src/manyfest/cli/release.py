"""``manyfest release``."""

from __future__ import annotations

from pathlib import Path

import click

from manyfest.cli.hand_over import HandOver, hand_over_options, say_obstacles
from manyfest.cli.project import ask_git, config_option, load_config, parse_image, version_option
from manyfest.cli.releasing import carry_out, show_report, to_option, whole_release
from manyfest.cli.session import Session, with_registries


@click.command()
@config_option
@version_option
@click.option("--from", "from_", metavar="REF", help="Release this image instead of building.")
@to_option("Publish")
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
        from manyfest.cli.release_report import plan_text
        from manyfest.release.reporting.report import plan_report
        from manyfest.release.run import STEPS
        from manyfest.release.steps.preflight import require_buildable, require_possible

        version, occasion = asked.result()
    with session.stores() as stores:
        source = parse_image(from_) if from_ else None
        release = whole_release(config, version, occasion, stores, to=to, taken_from=source)
        release.allow_dirty, release.allow_other_commit = allow_dirty, allow_other_commit
        if dry_run:
            require_possible(release)
            if source is None:
                require_buildable(release)
            say_obstacles(session, release)
            plan = plan_report(release)
            session.out_json(plan) if as_json else session.out(plan_text(plan))
            return
        report = carry_out(session, release, STEPS, session.progress(), hand_over)
    session.out_json(report) if as_json else show_report(session, report)
