"""``manyfest version``."""

from __future__ import annotations

from pathlib import Path

import click

from manyfest.cli.project import config_option, load_config, version_option
from manyfest.cli.session import Session, with_session
from manyfest.cli.text import table


@click.command()
@config_option
@version_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_session
def command(session: Session, config_file: Path, told: str, *, as_json: bool) -> None:
    """Show the version of this commit, from git's tags, and the tags that a release would set."""
    from manyfest.release.tags import plan_tags, report
    from manyfest.release.version import find_version

    config = load_config(config_file)
    version = find_version(config.root, told, prefix=config.version_prefix)
    tags = plan_tags(config, version)
    if as_json:
        session.out_json(report(version, tags))
        return
    rows = [("TAG", "MOVES", "WHY")]
    rows += [(tag.tag, "yes" if tag.moves else "no", tag.reason) for tag in tags]
    session.out(table(rows))
    session.out(version.text)
