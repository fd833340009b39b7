"""``manyfest build``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from manyfest.cli.platforms import platforms_option
from manyfest.cli.project import version_option
from manyfest.cli.session import Session, with_registries
from manyfest.cli.text import seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manyfest.build.built import Built
    from manyfest.build.request import BuildRequest
    from manyfest.cli.build_request import Job
    from manyfest.copy import Item
    from manyfest.oci.digest import Digest
    from manyfest.oci.platform import Platform
    from manyfest.oci.reference import Reference


@click.command()
@click.argument("context", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option(
    "-c",
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="The project's configuration.  [default: manyfest.yaml, if it is here and there is no"
    " CONTEXT]",
)
@version_option
@click.option(
    "-f",
    "--file",
    "dockerfile",
    type=click.Path(path_type=Path, allow_dash=True),
    help="The Dockerfile; - reads it from stdin.  [default: the configuration's, or"
    " CONTEXT/Dockerfile]",
)
@platforms_option(
    "Build for this platform, by default those of the configuration, or this machine's"
)
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
@click.option(
    "-o",
    "--output",
    metavar="REF",
    help="Where the image goes; by default the configuration's archive.",
)
@click.option(
    "--backend",
    type=click.Choice(["auto", "native", "buildah", "docker", "buildctl"]),
    help="Who builds: by default manyfest, and for RUN the first of the others that is there.",
)
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="id=ID,src=FILE",
    help="A secret for RUN --mount=type=secret; env=NAME in the place of src takes a variable.",
)
@click.option(
    "--network", type=click.Choice(["none", "host"]), help="The network of programs that RUN runs."
)
@click.option(
    "--timeout",
    metavar="TIME",
    help="Stop a builder that takes longer for one platform: seconds, or 30m, 1h30m.",
)
@click.option("--no-cache", is_flag=True, help="Make every layer anew, and keep none.")
@click.option("--check", is_flag=True, help="Only print what is suspicious in the Dockerfile.")
@click.option("--dry-run", is_flag=True, help="Print the plan; write nothing.")
@with_registries
def command(
    session: Session, output: str | None, *, check: bool, dry_run: bool, **asked: Any
) -> None:
    """Build the folder CONTEXT for each platform, into one image at REF, a target as in manyfest
    copy: oci-archive:FILE:TAG, oci:DIR:TAG, a name in a registry, docker-daemon:NAME:TAG.

    In a folder with a manyfest.yaml all of this may be left out: the project is built as it says,
    after its command 'before', into its archive.

    Needs no daemon. Where the Dockerfile has RUN, a builder that runs programs is called: buildah,
    docker or buildctl. Prints the digest.
    """
    from manyfest.build.builder import plan
    from manyfest.cli.build_request import read_job
    from manyfest.stores.open import tags_of

    if check:  # nothing is built, so whatever the version is will do
        asked["told"] = asked["told"] or "0.0.0"
    job = read_job(ca_file=session.ca_file, to_archive=output is None, **asked)
    if check:
        _check(session, job.request)
        return
    where = job.output(output)
    tags = tags_of(where)
    if dry_run:
        session.out(str(plan(job.request, has_before=job.has_before)))
        return
    job.require_possible()
    if output is None:
        from manyfest.release.project.building import make_output_folder

        make_output_folder(Path(where.path).parent)
    digest = _build(session, job, where, tags)
    if output is None:
        session.say(f"the image is in {where.path}")
    tell = session.say if where.is_stream else session.out  # the image itself went to stdout
    tell(str(digest))


def _build(session: Session, job: Job, where: Reference, tags: Sequence[str]) -> Digest:
    """Build, and copy what was built to ``where``; the digest of that."""
    from manyfest.build.builder import build
    from manyfest.build.cache import user_cache
    from manyfest.build.workspace import workspace
    from manyfest.cli.progress import Titled
    from manyfest.copy import copy_graphs
    from manyfest.stores.archives.names import Naming

    request = job.request
    with session.stores() as stores, workspace() as room, session.progress() as progress:
        job.run_before(progress)
        built = build(
            request,
            workspace=room,
            open_image=stores.registry,
            open_web=stores.web,
            progress=Titled(progress, lambda: "build"),
            cache=None if request.no_cache else user_cache(),
        )
        for warning in built.warnings:
            progress.say(f"warning: {warning}")
        items = _items(built, where, tags, request.platforms)
        naming = Naming(job.place, request.platforms[0])
        with stores.target(where, naming=naming) as there:
            copying = Titled(progress, lambda: "copy")
            copy_graphs(built.source, items, there, progress=copying)
        for each in built.platforms:
            progress.say(f"{each.platform}: built in {seconds(each.seconds)}")
    return items[-1].graph.root.descriptor.digest


def _check(session: Session, request: BuildRequest) -> None:
    """Print the Dockerfile's warnings. Raises :class:`~manyfest.errors.AnswerIsNo` if there are
    any."""
    from manyfest.amounts import counted
    from manyfest.build.dockerfile.warnings import check_dockerfile
    from manyfest.build.request import read_dockerfile, read_ignore
    from manyfest.errors import AnswerIsNo

    found = check_dockerfile(read_dockerfile(request), ignore=read_ignore(request))
    for warning in found:
        session.out("\n".join(filter(None, (str(warning), warning.excerpt))))
    if found:
        raise AnswerIsNo(counted(len(found), "warning"), where=str(request.dockerfile))


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
