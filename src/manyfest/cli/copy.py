"""``manyfest copy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from msgspec import Struct
from msgspec.structs import replace

from manyfest.cli.platforms import parse_platforms, platforms_option
from manyfest.cli.session import Session, with_registries
from manyfest.cli.text import size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manyfest.copy import Copied, Item
    from manyfest.graph import Graph
    from manyfest.oci.descriptor import Descriptor
    from manyfest.oci.platform import Platform
    from manyfest.oci.reference import Reference
    from manyfest.stores.archives.names import Naming
    from manyfest.stores.base import Source
    from manyfest.stores.open import Stores


@click.command()
@click.argument("source")
@click.argument("target")
@platforms_option("Copy only this platform")
@click.option("--sparse", is_flag=True, help="With --platform: keep the index and its digest.")
@click.option("--all-tags", is_flag=True, help="Copy every tag; SOURCE and TARGET have none.")
@click.option("--repair", is_flag=True, help="With --all-tags: look into unchanged tags too.")
@click.option("--no-referrers", is_flag=True, help="Leave signatures and the like behind.")
@click.option("--dry-run", is_flag=True, help="Print what would be copied; change nothing.")
@with_registries
def command(
    session: Session,
    source: str,
    target: str,
    platforms: tuple[str, ...],
    *,
    sparse: bool,
    all_tags: bool,
    repair: bool,
    no_referrers: bool,
    dry_run: bool,
) -> None:
    """Copy SOURCE, with all its platforms, to TARGET; the digest stays the same.

    Both are references: docker://HOST/REPO:TAG (docker:// may be left out), oci:DIR:TAG,
    oci-archive:FILE:TAG, docker-archive:FILE:NAME:TAG or docker-daemon:NAME:TAG; "-" is an
    archive on standard input or output. Prints the digest.

    Signatures, SBOMs and attestations go along. Some of the platforms of an index become an index
    of their own, with another digest; --sparse keeps the digest, which not every registry takes.

    An archive is one that `docker load` and `podman load` take too. What a daemon is given is one
    platform, its own unless others are named: then each is known as NAME:TAG-ARCH, and the first
    as NAME:TAG.
    """
    from manyfest.oci.reference import Reference
    from manyfest.stores.open import require_two_places

    from_, to = Reference.parse(source), Reference.parse(target)
    wanted = parse_platforms(platforms)
    _require_sense(to, wanted, sparse=sparse, all_tags=all_tags, repair=repair)
    require_two_places(from_, to)
    if all_tags:
        from manyfest.cli.copy_all_tags import copy_all_tags

        with session.stores() as stores:
            copy_all_tags(
                session,
                stores,
                from_,
                to,
                referrers=not no_referrers,
                repair=repair,
                dry_run=dry_run,
            )
        return
    to = _with_tag(to)
    with session.stores() as stores, stores.source(from_) as here:
        job = _job(session, here, from_, to, wanted, sparse=sparse, referrers=not no_referrers)
        if dry_run:
            session.out(_plan(stores, job.items, to))
        else:
            _copy(session, stores, here, job, to)
        _print_digest(session, job.items[-1].graph, to)


def _with_tag(to: Reference) -> Reference:
    """As it is, but where a registry is given no tag: what moves then is said."""
    from manyfest.oci.reference import DEFAULT_TAG

    if to.image is None or not to.image.is_repository:
        return to
    return replace(to, image=to.image.with_tag(DEFAULT_TAG))


class _Job(Struct, frozen=True):
    """What is to be copied, the image itself last, and what an archive is to call it."""

    items: Sequence[Item]
    naming: Naming


def _require_sense(
    to: Reference, wanted: Sequence[Platform], *, sparse: bool, all_tags: bool, repair: bool
) -> None:
    from manyfest.errors import UsageError

    if sparse and not wanted:
        raise UsageError("--sparse says how --platform is meant", mend="give --platform")
    if sparse and to.transport == "docker-daemon":
        raise UsageError("--sparse keeps an index, which a daemon does not", where=str(to))
    if all_tags and wanted:
        raise UsageError("--all-tags copies whole images", mend="leave out --platform")
    if repair and not all_tags:
        raise UsageError("--repair is for --all-tags", mend="leave it out: one copy looks inside")


def _job(
    session: Session,
    here: Source,
    from_: Reference,
    to: Reference,
    wanted: Sequence[Platform],
    *,
    sparse: bool,
    referrers: bool,
) -> _Job:
    from manyfest.cli.referrers import tell_left_behind
    from manyfest.copy import Item
    from manyfest.images.companions import companions
    from manyfest.images.selection import narrowed_graph
    from manyfest.stores.archives.naming import known_names, naming_by
    from manyfest.stores.open import tags_of

    tags = tags_of(to)
    root = here.resolve(from_.target)
    known = known_names(from_, here, root.digest)
    naming = naming_by(known, wanted[0] if wanted else None)
    if to.transport == "docker-daemon":
        items = _for_daemon(session, here, root, to, wanted)
        if referrers:
            subjects = [root.digest, *(item.graph.root.descriptor.digest for item in items)]
            tell_left_behind(session, here, subjects, where=str(to), why="a daemon keeps none")
        return _Job(items, naming)
    if to.is_archive and not to.name:
        tags = known or tags
    graph = narrowed_graph(here, root, wanted, sparse=sparse)
    along = companions(here, [graph]) if referrers else []
    if referrers and graph.root.descriptor.digest != root.digest:
        why = "they are of the whole index; --sparse keeps it"
        tell_left_behind(session, here, [root.digest], where=str(to), why=why)
    return _Job([*along, Item(graph=graph, tags=tags)], naming)


def _for_daemon(
    session: Session, here: Source, root: Descriptor, to: Reference, wanted: Sequence[Platform]
) -> Sequence[Item]:
    """Images alone, and if the daemon keeps one platform only, which that is."""
    from manyfest.images.loading import items_to_load
    from manyfest.stores.runtimes.docker.daemon import Daemon

    runtime = Daemon().info()
    items = items_to_load(here, root, [to.target], wanted, runtime)
    if items[-1].graph.root.descriptor.digest != root.digest and not wanted:
        session.say(
            f"{to}: gets {runtime.platform} only, its own platform; --platform names others"
        )
    return items


def _copy(session: Session, stores: Stores, here: Source, job: _Job, to: Reference) -> None:
    from manyfest.cli.referrers import going_along
    from manyfest.copy import copy_graphs

    with session.progress() as progress, stores.target(to, naming=job.naming) as there:
        copied = copy_graphs(here, job.items, there, progress=progress)
    session.say(f"{to}: {_told(copied, going_along(job.items))}")


def _plan(stores: Stores, items: Sequence[Item], to: Reference) -> str:
    from manyfest.cli.referrers import going_along
    from manyfest.copy import meaning, missing

    now = None
    absent = parts = {part.digest: part for item in items for part in item.graph.descriptors}
    if to.is_kept:  # anything else is written anew
        with stores.target(to) as there:
            absent = {part.digest: part for item in items for part in missing(there, item.graph)}
            now = meaning(there, to.target)
    amount = size(sum(part.size for part in absent.values()))
    more = [f"{len(parts) - len(absent)} are there"] if len(absent) < len(parts) else []
    more += [f"referrers: {count}"] if (count := going_along(items)) else []
    moves = now not in (None, items[-1].graph.root.descriptor.digest)
    more += [f"it is {now} now"] if moves else []
    return "; ".join([f"would copy {len(absent)} parts, {amount}, to {to}", *more])


def _told(copied: Copied, referrers: int) -> str:
    parts = [f"{size(copied.sent)} sent"]
    if copied.present:
        parts.append(f"parts already there: {copied.present}")
    if copied.mounted:
        parts.append(f"parts taken from another repository: {copied.mounted}")
    if referrers:
        parts.append(f"referrers: {referrers}")
    return ", ".join(parts)


def _print_digest(session: Session, graph: Graph, to: Reference) -> None:
    """On stdout, unless the image itself went there."""
    digest = str(graph.root.descriptor.digest)
    if to.is_stream:
        session.say(digest)
    else:
        session.out(digest)
