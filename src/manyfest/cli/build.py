"""``manyfest build``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from manyfest.cli.platforms import parse_platforms, platforms_option
from manyfest.cli.session import Session, with_registries
from manyfest.cli.text import seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manyfest.build.built import Built
    from manyfest.build.request import BuildRequest
    from manyfest.copy import Item
    from manyfest.oci.digest import Digest
    from manyfest.oci.platform import Platform
    from manyfest.oci.reference import Reference


@click.command()
@click.argument("context", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option(
    "-f",
    "--file",
    "dockerfile",
    type=click.Path(path_type=Path, allow_dash=True),
    help="The Dockerfile; - reads it from stdin.  [default: CONTEXT/Dockerfile]",
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
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Add a label.")
@click.option(
    "--annotation",
    "annotations",
    multiple=True,
    metavar="KEY=VALUE",
    help="Add an annotation to the index and to the manifests below it.",
)
@click.option(
    "--compression",
    type=click.Choice(["gzip", "zstd"]),
    default="gzip",
    show_default=True,
    help="How new layers are compressed.",
)
@click.option("-o", "--output", metavar="REF", help="Where the image goes.")
@click.option(
    "--backend",
    type=click.Choice(["auto", "native", "buildah", "docker", "buildctl"]),
    default="auto",
    show_default=True,
    help="Who builds. By default manyfest itself, and what runs programs the first that is there.",
)
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="id=ID,src=FILE",
    help="A secret for RUN --mount=type=secret; env=NAME in the place of src takes a variable.",
)
@click.option(
    "--timeout",
    metavar="TIME",
    help="Stop a builder that takes longer for one platform: seconds, or 30m, 1h30m.",
)
@click.option("--no-cache", is_flag=True, help="Make every layer anew, and keep none.")
@click.option("--check", is_flag=True, help="Print what is suspicious in the Dockerfile, only.")
@click.option("--dry-run", is_flag=True, help="Print the plan; write nothing.")
@with_registries
def command(
    session: Session, output: str | None, *, check: bool, dry_run: bool, **asked: Any
) -> None:
    """Build the folder CONTEXT for each platform, into one image at REF, a target as in manyfest
    copy: oci-archive:FILE:TAG, oci:DIR:TAG, a name in a registry, docker-daemon:NAME:TAG.

    Needs no daemon. Only where the Dockerfile has RUN, a builder is called that runs programs:
    buildah, docker or buildctl. Prints the digest.
    """
    from manyfest.build.builder import plan
    from manyfest.errors import UsageError
    from manyfest.oci.reference import Reference
    from manyfest.stores.open import tags_of

    request = _request(ca_file=session.ca_file, **asked)
    if check:
        _check(session, request)
        return
    if output is None:
        raise UsageError("nothing says where the image goes", mend="name a place with --output")
    where = Reference.parse(output)
    tags = tags_of(where)
    if dry_run:
        session.out(str(plan(request)))
        return
    digest = _build(session, request, where, tags)
    tell = session.say if where.is_stream else session.out  # the image itself went to stdout
    tell(str(digest))


def _build(
    session: Session, request: BuildRequest, where: Reference, tags: Sequence[str]
) -> Digest:
    """Build, and copy what was built to ``where``; the digest of that."""
    from manyfest.build.builder import build
    from manyfest.build.cache import user_cache
    from manyfest.build.workspace import workspace
    from manyfest.copy import copy_graphs
    from manyfest.stores.archives.names import Naming

    with session.stores() as stores, workspace() as room, session.progress() as progress:
        built = build(
            request,
            workspace=room,
            open_image=stores.registry,
            progress=progress,
            cache=None if request.no_cache else user_cache(),
        )
        for warning in built.warnings:
            progress.say(f"warning: {warning}")
        items = _items(built, where, tags, request.platforms)
        naming = Naming(platform=request.platforms[0])
        with stores.target(where, naming=naming) as there:
            copy_graphs(built.source, items, there, progress=progress)
        for each in built.platforms:
            progress.say(f"{each.platform}: built in {seconds(each.seconds)}")
    return items[-1].graph.root.descriptor.digest


def _check(session: Session, request: BuildRequest) -> None:
    """Print the Dockerfile's warnings. Raises :class:`~manyfest.errors.AnswerIsNo` if there are
    any."""
    from manyfest.build.dockerfile.warnings import check_dockerfile
    from manyfest.build.request import read_dockerfile, read_ignore
    from manyfest.errors import AnswerIsNo

    found = check_dockerfile(read_dockerfile(request), ignore=read_ignore(request))
    for warning in found:
        session.out("\n".join(filter(None, (str(warning), warning.excerpt))))
    if found:
        count = "1 warning" if len(found) == 1 else f"{len(found)} warnings"
        raise AnswerIsNo(count, where=str(request.dockerfile))


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
    *,
    context: Path,
    dockerfile: Path | None,
    platforms: tuple[str, ...],
    build_args: tuple[str, ...],
    target: str,
    labels: tuple[str, ...],
    annotations: tuple[str, ...],
    compression: str,
    backend: str,
    secrets: tuple[str, ...],
    timeout: str | None,
    no_cache: bool,
    ca_file: Path | None,
) -> BuildRequest:
    from manyfest.build.metadata import Metadata
    from manyfest.build.request import BuildRequest
    from manyfest.build.secrets import BuildSecret
    from manyfest.errors import UsageError
    from manyfest.layers.compression import Compression
    from manyfest.release.version import source_date

    if not context.is_dir():
        raise UsageError("there is no such folder", where=str(context))
    return BuildRequest(
        context=context,
        dockerfile=dockerfile or context / "Dockerfile",
        text=_standard_input() if dockerfile == Path("-") else None,
        platforms=parse_platforms(platforms) or (_this_platform(),),
        build_args=_build_args(build_args),
        target=target,
        epoch=source_date(context, os.environ),
        metadata=Metadata(
            labels=_pairs("--label", labels), annotations=_pairs("--annotation", annotations)
        ),
        compression=Compression(compression),
        backend=backend,
        timeout=_seconds(timeout) if timeout is not None else None,
        no_cache=no_cache,
        secrets=tuple(BuildSecret.parse(text, os.environ) for text in secrets),
        ca_file=ca_file,
    )


def _this_platform() -> Platform:
    import platform as this

    from manyfest.errors import UsageError
    from manyfest.oci.machine import platform_of_machine

    here = platform_of_machine(this.machine())
    if here is None:
        raise UsageError(f"no platform is known for {this.machine()}", mend="give --platform")
    return here


def _standard_input() -> str:
    from manyfest.build.request import LARGEST
    from manyfest.errors import DockerfileError

    raw = sys.stdin.buffer.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise DockerfileError("is too large to be what it should be", where="-")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise DockerfileError("is not UTF-8", where="-") from None


def _seconds(text: str) -> float:
    """``90``, ``90s``, ``1h30m``."""
    from manyfest.build.dockerfile.values import parse_duration
    from manyfest.errors import DockerfileError, UsageError

    try:
        amount = parse_duration(f"{text}s" if text.isdecimal() else text)
    except DockerfileError:
        amount = 0
    if not amount:
        raise UsageError(f"--timeout {text!r} is not a time", mend="write seconds, or 30m")
    return amount / 1_000_000_000


def _pairs(option: str, arguments: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE`` each."""
    from manyfest.errors import UsageError

    pairs: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not key or not equals:
            raise UsageError(f"{option} {argument!r} is no pair", mend="write KEY=VALUE")
        pairs[key] = value
    return pairs


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
