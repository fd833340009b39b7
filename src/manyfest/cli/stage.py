"""``manyfest stage``."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import click
from msgspec.structs import replace

from manyfest.cli.hand_over import HandOver
from manyfest.cli.platforms import parse_platforms, platforms_option
from manyfest.cli.project import ask_git, config_option, load_config, parse_image, version_option
from manyfest.cli.releasing import carry_out, repositories_of, show_report, to_option
from manyfest.cli.session import Session, with_registries


@click.command()
@config_option
@version_option
@platforms_option("Stage this platform")
@click.option("--from", "from_", metavar="REF", help="Take the platform from here; build nothing.")
@to_option("Stage")
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
    from manyfest.cli.release_report import plan_text
    from manyfest.errors import UsageError
    from manyfest.release.rendezvous.staging import STAGE_STEPS, one_platform
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
                repositories=repositories_of(config, to),
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
            reports = [
                carry_out(
                    session, release, STAGE_STEPS, nullcontext(progress), HandOver(), tell=False
                )
                for release in releases
            ]
    if as_json:
        session.out_json({"staged": reports})
        return
    for report in reports:
        show_report(session, report)
