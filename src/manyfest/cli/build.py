"""``manyfest build``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from manyfest.cli.platforms import parse_platforms, platforms_option
from manyfest.cli.session import Session, with_registries
from manyfest.cli.text import seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manyfest.build.native import BuildRequest, Built
    from manyfest.copy import Item
    from manyfest.oci.platform import Platform
    from manyfest.oci.reference import Reference


@click.command()
@click.argument("context", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option(
    "-f",
    "--file",
    "dockerfile",
    type=click.Path(path_type=Path),
    help="The Dockerfile.  [default: CONTEXT/Dockerfile]",
)
@platforms_option("Build for this platform, by default this machine's")
@click.option(
    "--build-arg",
    "build_args",
    multiple=True,
    metavar="KEY[=VALUE]",
    help="Set an ARG; without a value, to that of the environment's KEY.",
)
@click.option(
    "--target", metavar="STAGE", default="", help="The stage to build; the last by default."
)
@click.option("-o", "--output", metavar="REF", required=True, help="Where the image goes.")
@click.option("--dry-run", is_flag=True, help="Print the plan; write nothing.")
@with_registries
def command(
    session: Session,
    context: Path,
    dockerfile: Path | None,
    platforms: tuple[str, ...],
    build_args: tuple[str, ...],
    target: str,
    output: str,
    *,
    dry_run: bool,
) -> None:
    """Build the folder CONTEXT for each platform, into one image at REF, a target as in manyfest
    copy: oci-archive:FILE:TAG, oci:DIR:TAG, a name in a registry, docker-daemon:NAME:TAG.

    Needs no daemon, and so no RUN in the Dockerfile. Prints the digest.
    """
    from manyfest.build.native import build, plan
    from manyfest.build.workspace import workspace
    from manyfest.copy import copy_graphs
    from manyfest.oci.reference import Reference
    from manyfest.stores.archives.names import Naming
    from manyfest.stores.open import tags_of

    where = Reference.parse(output)
    tags = tags_of(where)
    request = _request(context, dockerfile, platforms, build_args, target)
    if dry_run:
        session.out(str(plan(request)))
        return
    with session.stores() as stores, workspace() as room, session.progress() as progress:
        built = build(request, workspace=room, open_image=stores.registry, progress=progress)
        for warning in built.warnings:
            progress.say(f"warning: {warning}")
        items = _items(built, where, tags, request.platforms)
        naming = Naming(platform=request.platforms[0])
        with stores.target(where, naming=naming) as there:
            copy_graphs(built.source, items, there, progress=progress)
        for each in built.platforms:
            progress.say(f"{each.platform}: built in {seconds(each.seconds)}")
    tell = session.say if where.is_stream else session.out  # the image itself went to stdout
    tell(str(items[-1].graph.root.descriptor.digest))


def _items(
    built: Built, where: Reference, tags: Sequence[str], platforms: Sequence[Platform]
) -> Sequence[Item]:
    """The image; for a daemon, what of it a daemon keeps."""
    from manyfest.copy import Item

    if where.transport != "docker-daemon":
        return [Item(graph=built.graph, tags=tuple(tags))]
    from manyfest.images.loading import items_to_load
    from manyfest.stores.runtimes.docker.daemon import Daemon

    root = built.graph.root.descriptor
    return items_to_load(built.source, root, tags, platforms, Daemon().info())


def _request(
    context: Path,
    dockerfile: Path | None,
    platforms: tuple[str, ...],
    build_args: tuple[str, ...],
    target: str,
) -> BuildRequest:
    import platform as this

    from manyfest.build.native import BuildRequest
    from manyfest.errors import UsageError
    from manyfest.oci.machine import platform_of_machine
    from manyfest.release.version import source_date

    if not context.is_dir():
        raise UsageError("there is no such folder", where=str(context))
    wanted = parse_platforms(platforms)
    here = platform_of_machine(this.machine())
    if not wanted and here is None:
        raise UsageError(f"no platform is known for {this.machine()}", mend="give --platform")
    return BuildRequest(
        context=context,
        dockerfile=dockerfile or context / "Dockerfile",
        platforms=wanted or ((here,) if here else ()),
        build_args=_build_args(build_args),
        target=target,
        epoch=source_date(context, os.environ),
    )


def _build_args(arguments: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE``, or ``KEY`` for the environment's value; one that has none is not given."""
    from manyfest.errors import UsageError

    given: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not key:
            raise UsageError(f"--build-arg {argument!r} has no name", mend="write KEY=VALUE")
        if equals:
            given[key] = value
        elif key in os.environ:
            given[key] = os.environ[key]
    return given
