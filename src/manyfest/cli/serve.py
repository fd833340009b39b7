"""``manyfest serve``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from manyfest.cli.session import Session, with_session
from manyfest.cli.text import size
from manyfest.errors import UsageError

if TYPE_CHECKING:
    from manyfest.serve.content import Content


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

_UNITS = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
"""As sizes are shown."""


def _size(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    """A number of bytes: ``500MB``."""
    if value is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9})(\w*)", value)
    units = {unit.casefold(): factor for unit, factor in _UNITS.items()}
    if match is None or match[2].casefold() not in units:
        raise click.BadParameter(f"{value!r} is not a size: write for example 500MB or 20GB")
    return int(match[1]) * units[match[2].casefold()]


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--listen", metavar="HOST:PORT", default="127.0.0.1:5000", show_default=True, help="Where."
)
@click.option("--read-only", is_flag=True, help="Refuse every push and deletion.")
@click.option("--tls-cert", type=_FILE, help="Speak TLS, with the certificates in this PEM file.")
@click.option("--tls-key", type=_FILE, help="The certificate's key, in a PEM file.")
@click.option(
    "--quota", metavar="SIZE", callback=_size, help="Refuse pushes beyond so much in all: 20GB."
)
@click.option(
    "--gc", "collect", is_flag=True, help="Remove what nothing leads to, instead of serving."
)
@click.option("--dry-run", is_flag=True, help="With --gc: print what would go, and keep it.")
@with_session
def command(
    session: Session,
    paths: tuple[Path, ...],
    listen: str,
    *,
    read_only: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    quota: int | None,
    collect: bool,
    dry_run: bool,
) -> None:
    """Serve the folder PATH, "registry" if none is named, as a registry until interrupted; it is
    made if it is not there.

    Archives and OCI layouts are served as they are, any number of them at once, to be pulled from
    only; for each of their images the command that pulls it is printed.

    With --gc, blobs that no manifest names and uploads that were given up are removed, once
    nobody has touched them for a day. Pushes and pulls may go on meanwhile.

    There is no password: whoever reaches the address may pull and, unless --read-only, push.
    """
    from manyfest.serve.content import content_at
    from manyfest.serve.server import Certificate, run
    from manyfest.serve.sources import Sources

    content = content_at(paths or (Path("registry"),), quota=quota)
    if collect:
        _collect(session, content, dry_run=dry_run)
        return
    if dry_run:
        raise UsageError("--dry-run is of use with --gc only")

    if (tls_cert is None) != (tls_key is None):
        raise UsageError("--tls-cert and --tls-key go together")
    certificate = Certificate(tls_cert, tls_key) if tls_cert and tls_key else None

    def ready(address: str) -> None:
        names = ", ".join(map(str, paths or ("registry",)))
        session.say(f"serving {names} at {address}; stop with Ctrl-C")
        if isinstance(content, Sources):
            for image in content.images():
                session.out(f"docker pull {_reached(address)}/{image}")

    run(content, listen, on_ready=ready, read_only=read_only, certificate=certificate)


def _collect(session: Session, content: Content, *, dry_run: bool) -> None:
    from manyfest.serve import garbage
    from manyfest.serve.storage import Storage
    from manyfest.stores.files import write_errors

    if not isinstance(content, Storage):
        raise UsageError("--gc is for a registry's folder, not for archives and layouts")
    content.prepare(read_only=True)
    with write_errors(str(content.root)):
        found = garbage.find(content)
        if not dry_run:
            garbage.remove(content, found)
    for name, digest in found.blobs:
        session.out(f"{name}@{digest}")
    for path in found.files:
        session.out(str(path))
    session.say(
        f"{'would remove' if dry_run else 'removed'} {len(found.blobs)} blobs and"
        f" {len(found.files)} unfinished files, and {'free' if dry_run else 'freed'}"
        f" {size(found.size)}"
    )


def _reached(address: str) -> str:
    """The address as a client on this machine writes it."""
    host, _, port = address.rpartition(":")
    return f"localhost:{port}" if host in ("0.0.0.0", "[::]") else address  # noqa: S104
