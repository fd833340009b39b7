"""``manyfest init``."""

from __future__ import annotations

from pathlib import Path

import click

from manyfest.cli.session import Session, with_session


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--dry-run", is_flag=True, help="Print the file; write nothing.")
@with_session
def command(session: Session, folder: Path, *, dry_run: bool) -> None:
    """Write a manyfest.yaml into FOLDER, from what is found there. It never overwrites one."""
    from manyfest.release.project.init import gather, initial_config, write_initial

    if dry_run:
        session.out(initial_config(gather(folder)).rstrip())
        return
    path = write_initial(folder)
    session.say(
        f"wrote {path}; look it over, say in 'publish' where to publish, commit it, then run:"
        " manyfest release --dry-run"
    )
    session.out(str(path))
