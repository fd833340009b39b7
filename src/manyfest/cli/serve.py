"""``manyfest serve``."""

from __future__ import annotations

from pathlib import Path

import click

from manyfest.cli.session import Session, with_session


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--listen", metavar="HOST:PORT", default="127.0.0.1:5000", show_default=True, help="Where."
)
@click.option("--read-only", is_flag=True, help="Refuse every push and deletion.")
@with_session
def command(session: Session, paths: tuple[Path, ...], listen: str, *, read_only: bool) -> None:
    """Serve the folder PATH, "registry" if none is named, as a registry until interrupted; it is
    made if it is not there.

    Archives and OCI layouts are served as they are, any number of them at once, to be pulled from
    only; for each of their images the command that pulls it is printed.

    There is no password: whoever reaches the address may pull and, unless --read-only, push.
    """
    from manyfest.serve.content import content_at
    from manyfest.serve.server import run
    from manyfest.serve.sources import Sources

    content = content_at(paths or (Path("registry"),))

    def ready(address: str) -> None:
        names = ", ".join(map(str, paths or ("registry",)))
        session.say(f"serving {names} at {address}; stop with Ctrl-C")
        if isinstance(content, Sources):
            for image in content.images():
                session.out(f"docker pull {_reached(address)}/{image}")

    run(content, listen, on_ready=ready, read_only=read_only)


def _reached(address: str) -> str:
    """The address as a client on this machine writes it."""
    host, _, port = address.rpartition(":")
    return f"localhost:{port}" if host in ("0.0.0.0", "[::]") else address  # noqa: S104
