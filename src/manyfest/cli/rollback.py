"""``manyfest rollback``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from manyfest.cli.interrupts import interruptible
from manyfest.cli.project import config_option, load_config
from manyfest.cli.repositories import destinations_of, repositories_option
from manyfest.cli.session import Session, with_registries
from manyfest.cli.text import short

if TYPE_CHECKING:
    from manyfest.release.project.config import Config
    from manyfest.release.published.rollback import RollbackReport


@click.command()
@config_option
@click.option("--to", metavar="VERSION", default="", help="Go back to this version.")
@repositories_option
@click.option("--dry-run", is_flag=True, help="Print what would change; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@with_registries
def command(
    session: Session,
    config_file: Path,
    to: str,
    repositories: tuple[str, ...],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Point the moving tags back at the release before, in every repository.

    The release's journal says which one that was. Tags that name a version for good stay as they
    are. Prints what was changed and, last, the digest of what is out now.
    """
    from manyfest.release.published.previous import Request
    from manyfest.release.published.rollback import plan_rollback, report, run_rollback

    config = load_config(config_file)
    with session.stores() as stores, interruptible():
        request = Request(
            config=config,
            places=destinations_of(config, repositories),
            stores=stores,
            say=session.say,
            to=to.removeprefix("v"),
        )
        plan = plan_rollback(request)
        done = report(plan) if dry_run else run_rollback(plan, session.say)
    if not dry_run and done.changed:
        _tell(session, config, done)
    if as_json:
        session.out_json(done)
        return
    session.out(_text(done, dry_run=dry_run))
    session.out(done.digest)


def _text(done: RollbackReport, *, dry_run: bool) -> str:
    from manyfest.cli.text import table

    verb = "would go" if dry_run else "is"
    head = f"{done.name} {verb} back from {done.version or 'elsewhere'} to {done.target}"
    if not (done.changed or done.left or done.moved_on):
        return f"{done.name} is at {done.target}: every tag is there already"
    if not done.changed:
        return head
    rows = [("TAG", "WAS", "NOW")]
    rows += [(each.reference, _shown(each.before), _shown(each.digest)) for each in done.changed]
    return f"{head}\n{table(rows)}"


def _shown(digest: str | None) -> str:
    return short(digest) if digest else "-"


def _tell(session: Session, config: Config, done: RollbackReport) -> None:
    """Tell those whom the configuration names; that fails nothing."""
    import os

    from manyfest.release.reporting.messages import rolled_back
    from manyfest.release.reporting.notify import recipients, tell

    references = [each.reference for each in done.changed]
    message = rolled_back(done.name, done.target, references, os.environ)
    tell(recipients(config), message, lambda text: session.say(f"warning: {text}"))
