"""``manyfest serve``."""

from __future__ import annotations

from pathlib import Path

import click

from manyfest.cli.session import Session, with_session


@click.command()
@click.argument("path", type=click.Path(path_type=Path, file_okay=False), default=Path("registry"))
@click.option(
    "--listen", metavar="HOST:PORT", default="127.0.0.1:5000", show_default=True, help="Where."
)
@click.option("--read-only", is_flag=True, help="Refuse every push and deletion.")
@with_session
def command(session: Session, path: Path, listen: str, *, read_only: bool) -> None:
    """Serve the folder PATH as a registry until interrupted; it is made if it is not there.

    There is no password: whoever reaches the address may pull and, unless --read-only, push.
    """
    from manyfest.serve.server import run

    def ready(address: str) -> None:
        session.say(f"serving {path} at {address}; stop with Ctrl-C")

    run(path, listen, on_ready=ready, read_only=read_only)
