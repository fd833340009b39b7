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
@click.option(
    "--of",
    metavar="VERSION",
    default="",
    help="Take this release back, and not the one that is out.",
)
@repositories_option
@click.option("--dry-run", is_flag=True, help="Print what would change; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@with_registries
def command(
    session: Session,
    config_file: Path,
    to: str,
    of: str,
    repositories: tuple[str, ...],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Point the moving tags back at the release before, in every repository.

    The release's journal says which one that was. Tags that name a version for good stay as they
    are. With --of, what that release holds goes back, and no other tag. Prints what was changed
    and, last, the digest of what was gone back to.
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
            of=of.removeprefix("v"),
        )
        plan = plan_rollback(request)
        done = report(plan) if dry_run else run_rollback(plan, session.say)
    if not dry_run and done.changed:
        _tell(session, config, done)
    if as_json:
        session.out_json(done)
        return
    session.out(_text(done, of, dry_run=dry_run))
    session.out(done.digest)


def _text(done: RollbackReport, of: str, *, dry_run: bool) -> str:
    from manyfest.cli.text import table

    if not (done.changed or done.left or done.moved_on):
        return f"{done.name}{_nothing(done, of)}"
    is_, would = ("is back", "would go back") if done.is_back else ("is moved", "would move")
    verb = would if dry_run else is_
    head = f"{done.name} {verb} from {done.version or 'elsewhere'} to {done.target}"
    if done.is_all_gone and done.version:
        head = f"{done.name} {done.version} {'would be' if dry_run else 'is'} taken back"
    if not done.changed:
        return head
    away = "taken away, where the registry does that" if dry_run else "-"
    rows = [("TAG", "WAS", "NOW")]
    rows += [
        (each.reference, short(each.before or "") or "-", short(each.digest or "") or away)
        for each in done.changed
    ]
    return f"{head}\n{table(rows)}"


def _nothing(done: RollbackReport, of: str) -> str:
    """Why nothing is to be changed."""
    if of:
        return f": no moving tag is at {done.version}; there is nothing to take back"
    if done.version in ("", done.target):
        return f" is at {done.target}: every tag is there already"
    return f": the tags that move for {done.target} are there already; {done.version} is out"


def _tell(session: Session, config: Config, done: RollbackReport) -> None:
    """Tell those whom the configuration names; that fails nothing."""
    import os

    from manyfest.release.reporting.messages import rolled_back
    from manyfest.release.reporting.notify import recipients, tell

    message = rolled_back(done, os.environ)
    tell(recipients(config), message, lambda text: session.say(f"warning: {text}"))
