"""``manyfest serve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from manyfest.amounts import counted
from manyfest.cli.serve_front import Front, certificate_of, front_options, policy_of
from manyfest.cli.session import Session, with_registries
from manyfest.cli.sizes import parse_size
from manyfest.cli.text import size
from manyfest.cli.times import parse_time
from manyfest.errors import UsageError

if TYPE_CHECKING:
    from manyfest.serve.content import Content
    from manyfest.serve.upstream.cache import PullThrough


_ALL = frozenset({"0.0.0.0", "::"})  # noqa: S104 - as users write all addresses of a machine


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--listen",
    metavar="HOST:PORT",
    default="127.0.0.1:5000",
    show_default=True,
    help="The address.",
)
@click.option("--read-only", is_flag=True, help="Refuse every push and deletion.")
@click.option(
    "--quota",
    metavar="SIZE",
    callback=parse_size,
    help="Refuse pushes beyond so much in all: 20GB.",
)
@click.option(
    "--gc", "collect", is_flag=True, help="Remove what nothing leads to, instead of serving."
)
@click.option(
    "--untagged",
    is_flag=True,
    help="With --gc: remove manifests, too, that no tag leads to.",
)
@click.option("--dry-run", is_flag=True, help="With --gc: print what would go, and keep it.")
@click.option(
    "--upstream",
    "upstreams",
    metavar="[PREFIX=]REGISTRY[/PATH]",
    multiple=True,
    help="Serve this registry's images, and keep what is asked for in PATH.",
)
@click.option(
    "--fresh",
    metavar="TIME",
    callback=parse_time,
    help="With --upstream: believe for so long what a tag means.  [default: 5m]",
)
@front_options
@with_registries
def command(
    session: Session,
    paths: tuple[Path, ...],
    listen: str,
    *,
    read_only: bool,
    quota: int | None,
    collect: bool,
    untagged: bool,
    dry_run: bool,
    upstreams: tuple[str, ...],
    fresh: float | None,
    front: Front,
) -> None:
    """Serve the folder PATH, "registry" if none is named, as a registry until interrupted; it is
    made if it is not there.

    Archives and OCI layouts are served as they are, any number of them at once, to be pulled from
    only; for each of their images the command that pulls it is printed.

    With --gc, blobs that no manifest names and uploads that were given up are removed, once
    nobody has touched them for a day. Pushes and pulls may go on meanwhile. With --untagged, so are
    manifests that neither a tag, nor an index or a subject that stays leads to, once nobody has
    pushed them or asked for them for a day.

    With --upstream, PATH is filled from other registries, with your credentials for them, as
    clients ask for their images; a tag is looked up again after a time, and --quota removes what
    was asked for longest ago instead of refusing anything. Several upstreams have a prefix each:
    --upstream docker.io --upstream ghcr=ghcr.io.

    Without --htpasswd there is no password: whoever reaches the address may pull and, unless
    --read-only, push. With it users may do everything, others nothing; --anonymous-read and
    --access say otherwise.
    """
    from manyfest.cli.log import shown_log
    from manyfest.listening import parse_address
    from manyfest.serve.content import content_at
    from manyfest.serve.server import run
    from manyfest.serve.sources import Sources

    for path in paths:
        _require_path(path)
    content = content_at(paths or (Path("registry"),), quota=quota, largest=front.max_upload)
    if collect:
        _collect(session, content, untagged=untagged, dry_run=dry_run)
        return
    if dry_run or untagged:
        option = "--dry-run" if dry_run else "--untagged"
        raise UsageError(f"{option} is of use with --gc only")
    if quota is not None and isinstance(content, Sources):
        raise UsageError("--quota is for a registry's folder, not for archives and layouts")
    if fresh is not None and not upstreams:
        raise UsageError("--fresh is of use with --upstream only")
    if upstreams:
        content = _filled(session, content, upstreams, fresh)

    _require_two_addresses(listen, front.metrics)
    host, _ = parse_address(listen)
    policy = policy_of(session, front, host)
    certificate = certificate_of(session, front, host)

    def ready(address: str) -> None:
        names = ", ".join(map(str, paths or ("registry",)))
        session.say(f"serving {names} at {address}; stop with Ctrl-C")
        if isinstance(content, Sources):
            for image in content.images():
                session.out(f"docker pull {_reached(address)}/{image}")

    with shown_log():
        run(
            content,
            listen,
            on_ready=ready,
            read_only=read_only,
            certificate=certificate,
            policy=policy,
        )


def _require_two_addresses(listen: str, metrics: str) -> None:
    from manyfest.listening import parse_address

    if not metrics:
        return
    (host, port), (other, same) = parse_address(listen), parse_address(metrics)
    if port and port == same and (host == other or not _ALL.isdisjoint((host, other))):
        raise UsageError(
            f"--metrics cannot be where --listen is, at {metrics}", mend="choose another port"
        )


def _require_path(path: Path) -> None:
    """Other verbs take references, which would be names of new folders here."""
    from manyfest.oci.reference import Transport

    kind, colon, _ = str(path).partition(":")
    if colon and kind in get_args(Transport) and not path.exists():
        raise UsageError(
            "is a reference, and not a path",
            where=str(path),
            mend="name the file or the folder alone; other registries are served with --upstream",
        )


def _filled(
    session: Session, content: Content, upstreams: tuple[str, ...], fresh: float | None
) -> PullThrough:
    from manyfest.serve.storage import Storage
    from manyfest.serve.upstream.cache import FRESH, PullThrough
    from manyfest.serve.upstream.names import Upstream
    from manyfest.serve.upstream.origin import RegistryOrigins

    if not isinstance(content, Storage):
        raise UsageError("--upstream is for a registry's folder, not for archives and layouts")
    named = [Upstream.parse(upstream) for upstream in upstreams]
    origins = RegistryOrigins(
        plain_http=session.plain_http,
        ca_file=session.ca_file,
        log=session.trace if session.verbose else None,
    )
    return PullThrough(content, named, origins, fresh=FRESH if fresh is None else fresh)


def _collect(session: Session, content: Content, *, untagged: bool, dry_run: bool) -> None:
    from manyfest.serve import garbage
    from manyfest.serve.storage import Storage
    from manyfest.stores.files import write_errors

    if not isinstance(content, Storage):
        raise UsageError("--gc is for a registry's folder, not for archives and layouts")
    content.prepare(read_only=True)
    with write_errors(str(content.root)):
        found = garbage.find(content, untagged=untagged)
        if not dry_run:
            garbage.remove(content, found)
    for name, digest in (*found.manifests, *found.blobs):
        session.out(f"{name}@{digest}")
    for path in found.files:
        session.out(str(path))
    blobs, files = counted(len(found.blobs), "blob"), counted(len(found.files), "unfinished file")
    manifests = f"{counted(len(found.manifests), 'manifest')}, " if untagged else ""
    session.say(
        f"{'would remove' if dry_run else 'removed'} {manifests}{blobs} and {files},"
        f" and {'free' if dry_run else 'freed'} {size(found.size)}"
    )


def _reached(address: str) -> str:
    """The address as a client on this machine writes it."""
    host, _, port = address.rpartition(":")
    return f"localhost:{port}" if host in ("0.0.0.0", "[::]") else address  # noqa: S104
