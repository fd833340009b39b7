"""``manyfest load``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from manyfest.cli.platforms import parse_platforms, platforms_option
from manyfest.cli.session import Session, with_registries
from manyfest.cli.text import size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manyfest.copy import Item
    from manyfest.oci.descriptor import Descriptor
    from manyfest.oci.digest import Digest
    from manyfest.oci.reference import Reference
    from manyfest.stores.base import Source
    from manyfest.stores.runtimes.runtime import Runtime

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.zst")


@click.command()
@click.argument("archive")
@platforms_option("Load this platform, by default the one that runs here")
@click.option(
    "--into",
    type=click.Choice(["docker", "podman"]),
    help="Where to load it; by default Docker if it is here, else Podman.",
)
@click.option("--tag", metavar="NAME:TAG", help="The name to load it under, if not its own.")
@click.option("--dry-run", is_flag=True, help="Print what would be loaded; change nothing.")
@with_registries
def command(
    session: Session,
    archive: str,
    platforms: tuple[str, ...],
    into: str | None,
    tag: str | None,
    *,
    dry_run: bool,
) -> None:
    """Load an image into Docker or Podman from ARCHIVE, also from one that `docker load` refuses:
    the platform that runs here, of however many there are.

    ARCHIVE is a file, a folder with an OCI layout, "-" for standard input, or any reference that
    `manyfest copy` takes. Of several platforms each is known as NAME:TAG-ARCH, and the first as
    NAME:TAG. Prints the names, and on the last line the digest.
    """
    from manyfest.images.loading import items_to_load

    from_ = _reference(archive)
    given = _given_name(tag)
    wanted = parse_platforms(platforms)
    runtime = _runtime(into)
    info = runtime.info()
    with session.stores() as stores, stores.source(from_) as here:
        root = here.resolve(from_.target)
        names = given or _own_names(from_, here, root.digest)
        items = items_to_load(here, root, names, wanted or (info.platform,), info)
        _tell_left_behind(session, here, root, items, runtime)
        if dry_run:
            _print_plan(session, items, runtime)
        else:
            _load(session, here, items, runtime)
    session.out(str(items[-1].graph.root.descriptor.digest))


def _reference(text: str) -> Reference:
    """A path is what it leads to; anything else is a reference."""
    from manyfest.errors import NotFound
    from manyfest.oci.reference import Reference

    path = Path(text)
    if path.is_dir():
        return Reference("oci", path=text)
    if path.exists():
        return Reference("oci-archive", path=text)
    if text.startswith(("/", ".", "~")) or text.endswith(_ARCHIVES):
        raise NotFound("there is no such file", where=text)
    return Reference.parse(text)


def _given_name(text: str | None) -> tuple[str, ...]:
    from manyfest.errors import UsageError
    from manyfest.oci.reference import Name

    if text is None:
        return ()
    name = Name.parse(text)
    if name.digest is not None:
        raise UsageError("an image cannot be loaded under a digest", where=text, mend="name a tag")
    return (name.familiar,)


def _own_names(from_: Reference, here: Source, root: Digest) -> tuple[str, ...]:
    """What the image is called already; by a tag alone, or by nothing, it is called after the file
    or the folder."""
    from manyfest.errors import UsageError
    from manyfest.oci.reference import DEFAULT_TAG, Name
    from manyfest.stores.archives.names import place_of
    from manyfest.stores.archives.naming import is_whole, known_names

    known = known_names(from_, here, root)
    whole = tuple(filter(is_whole, known))
    place = place_of(Path(from_.path)) if from_.path else ""
    if not whole and not place:
        raise UsageError(
            "it has no name to be loaded under", where=str(from_), mend="give --tag NAME:TAG"
        )
    return whole or tuple(
        Name.parse(place).with_tag(tag).familiar for tag in known or (DEFAULT_TAG,)
    )


def _runtime(into: str | None) -> Runtime:
    """Docker or Podman, whichever is asked for or is here."""
    from manyfest.errors import NotFound
    from manyfest.stores.runtimes.docker.daemon import Daemon
    from manyfest.stores.runtimes.podman import Podman

    docker, podman = Daemon(), Podman()
    if into == "docker" or (into is None and docker.is_here()):
        return docker
    if into == "podman" or podman.is_here():
        return podman
    raise NotFound(
        "there is neither Docker nor Podman here",
        mend="start Docker, or say where it listens by DOCKER_HOST",
    )


def _load(session: Session, here: Source, items: Sequence[Item], runtime: Runtime) -> None:
    from manyfest.copy import copy_graphs
    from manyfest.stores.runtimes.runtime import RuntimeTarget

    with session.progress() as progress, RuntimeTarget(runtime, label=runtime.label) as there:
        copied = copy_graphs(here, items, there, progress=progress)
    for item in _plain_first(items):
        for name in item.tags:
            session.out(name)
    session.say(f"{runtime.label}: {size(copied.sent)} sent")


def _tell_left_behind(
    session: Session, here: Source, root: Descriptor, items: Sequence[Item], runtime: Runtime
) -> None:
    """Say so if something refers to the image. Of one that comes out of a registry it is not asked:
    that costs requests."""
    from manyfest.cli.referrers import tell_left_behind
    from manyfest.stores.base import Local

    if isinstance(here, Local):
        subjects = [root.digest, *(item.graph.root.descriptor.digest for item in items)]
        tell_left_behind(session, here, subjects, where=runtime.label, why="it keeps none")


def _print_plan(session: Session, items: Sequence[Item], runtime: Runtime) -> None:
    for item in _plain_first(items):
        names = ", ".join(item.tags)
        session.out(f"would load {names}, {size(item.graph.size)}, into {runtime.label}")


def _plain_first(items: Sequence[Item]) -> list[Item]:
    return [items[-1], *items[:-1]]
