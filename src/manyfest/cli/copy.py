"""``manyfest copy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from manyfest.cli.platforms import parse_platforms, platforms_option
from manyfest.cli.session import Session, with_registries
from manyfest.cli.text import size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manyfest.copy import Copied, Item
    from manyfest.graph import Graph
    from manyfest.oci.platform import Platform
    from manyfest.oci.reference import Reference
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
    oci-archive:FILE:TAG, docker-archive:FILE:NAME:TAG or docker-daemon:NAME:TAG; the FILE "-"
    is standard input or output. Prints the digest.

    Signatures, SBOMs and attestations go along. Some of the platforms of an index become an index
    of their own, with another digest; --sparse keeps the digest, which not every registry takes.
    """
    from manyfest.oci.reference import Reference

    from_, to = Reference.parse(source), Reference.parse(target)
    wanted = parse_platforms(platforms)
    _require_sense(wanted, sparse=sparse, all_tags=all_tags, repair=repair)
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
    with session.stores() as stores, stores.source(from_) as here:
        items = _items(here, from_, to, wanted, sparse=sparse, referrers=not no_referrers)
        if dry_run:
            session.out(_plan(stores, items, to))
        else:
            _copy(session, stores, here, items, to)
        _print_digest(session, items[-1].graph, to)


def _require_sense(
    wanted: Sequence[Platform], *, sparse: bool, all_tags: bool, repair: bool
) -> None:
    from manyfest.errors import UsageError

    if sparse and not wanted:
        raise UsageError("--sparse says how --platform is meant", mend="give --platform")
    if all_tags and wanted:
        raise UsageError("--all-tags copies whole images", mend="leave out --platform")
    if repair and not all_tags:
        raise UsageError("--repair is for --all-tags", mend="leave it out: one copy looks inside")


def _items(
    here: Source,
    from_: Reference,
    to: Reference,
    wanted: Sequence[Platform],
    *,
    sparse: bool,
    referrers: bool,
) -> list[Item]:
    """What is to be copied, the image itself last."""
    from manyfest.companions import companions
    from manyfest.copy import Item
    from manyfest.selection import narrowed_graph
    from manyfest.stores.open import tags_of

    tags = tags_of(to)
    graph = narrowed_graph(here, here.resolve(from_.target), wanted, sparse=sparse)
    along = companions(here, [graph]) if referrers else []
    return [*along, Item(graph=graph, tags=tags)]


def _copy(
    session: Session, stores: Stores, here: Source, items: Sequence[Item], to: Reference
) -> None:
    from manyfest.copy import copy_graphs

    with session.progress() as progress, stores.target(to) as there:
        copied = copy_graphs(here, items, there, progress=progress)
    session.say(f"{to}: {_told(copied, len(items) - 1)}")


def _plan(stores: Stores, items: Sequence[Item], to: Reference) -> str:
    from manyfest.copy import missing

    absent = parts = {part.digest: part for item in items for part in item.graph.descriptors}
    if to.is_kept:  # anything else is written anew
        with stores.target(to) as there:
            absent = {part.digest: part for item in items for part in missing(there, item.graph)}
    amount = size(sum(part.size for part in absent.values()))
    held = f"; {len(parts) - len(absent)} are there" if len(absent) < len(parts) else ""
    return f"would copy {len(absent)} parts, {amount}, to {to}{held}"


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
