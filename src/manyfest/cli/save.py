"""``manyfest save``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from manyfest.cli.platforms import parse_platforms, platforms_option
from manyfest.cli.session import Session, with_registries
from manyfest.cli.text import size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import ExitStack

    from manyfest.copy import Item
    from manyfest.oci.digest import Digest
    from manyfest.oci.platform import Platform
    from manyfest.oci.reference import Reference
    from manyfest.stores.base import Source, Target
    from manyfest.stores.open import Stores


class _Saved(NamedTuple):
    """An image, where it is read from, and what goes along with it."""

    source: Source
    image: Item
    companions: Sequence[Item]

    @property
    def items(self) -> tuple[Item, ...]:
        return (*self.companions, self.image)

    @property
    def digest(self) -> Digest:
        return self.image.graph.root.descriptor.digest


@click.command()
@click.argument("references", nargs=-1, required=True, metavar="REF...")
@click.option("-o", "--output", metavar="FILE", default="-", help="The archive.  [default: -]")
@platforms_option("Save only this platform")
@click.option("--no-referrers", is_flag=True, help="Leave signatures and the like behind.")
@click.option("--dry-run", is_flag=True, help="Print what would be saved; write nothing.")
@with_registries
def command(
    session: Session,
    references: tuple[str, ...],
    output: str,
    platforms: tuple[str, ...],
    *,
    no_referrers: bool,
    dry_run: bool,
) -> None:
    """Save images, with all their platforms, in one archive that docker load, podman load, ctr
    and skopeo take. What images share is in it once. Prints their digests.

    REF is a reference as in manyfest copy. Docker loads an image as NAME:TAG-ARCH for each of its
    platforms, and for this machine's, or the first --platform, as NAME:TAG too. A FILE that ends
    in .tar.gz, .tgz or .tar.zst is compressed; "-" is standard output.
    """
    from contextlib import ExitStack

    from manyfest.oci.reference import Reference
    from manyfest.stores.archives.names import Naming
    from manyfest.stores.open import require_two_places

    wanted = parse_platforms(platforms)
    archive = Reference("oci-archive", path=output)
    named = [Reference.parse(text) for text in references]
    for reference in named:
        require_two_places(reference, archive)
    with session.stores() as stores, ExitStack() as opened:
        naming = Naming(platform=wanted[0] if wanted else None)
        target = None if dry_run else stores.target(archive, naming=naming)
        places = _Places(stores, opened)
        saved = [_read(session, places, each, wanted, referrers=not no_referrers) for each in named]
        _require_distinct_names(saved)
        if target is None:
            session.out(_plan(saved, output))
        else:
            _write(session, saved, target)
    # Digests are data for stdout, unless the archive itself went there.
    tell = session.say if archive.is_stream and not dry_run else session.out
    for each in saved:
        tell(str(each.digest))


class _Places:
    """Opens each place once, however many images are read from it; for as long as ``opened``."""

    def __init__(self, stores: Stores, opened: ExitStack) -> None:
        self._stores = stores
        self._opened = opened
        self._sources: dict[str, Source] = {}

    def source(self, reference: Reference) -> Source:
        # A daemon gives out one image at a time, so each is a place of its own.
        is_daemon = reference.transport == "docker-daemon"
        place = str(reference) if is_daemon else reference.location
        if place not in self._sources:
            source = self._opened.enter_context(self._stores.source(reference))
            self._sources[place] = source
        return self._sources[place]


def _read(
    session: Session,
    places: _Places,
    reference: Reference,
    wanted: Sequence[Platform],
    *,
    referrers: bool,
) -> _Saved:
    """All of an image but its blobs."""
    from manyfest.cli.referrers import tell_left_behind
    from manyfest.copy import Item
    from manyfest.images.companions import companions
    from manyfest.images.selection import narrowed_graph
    from manyfest.stores.archives.naming import known_names

    source = places.source(reference)
    root = source.resolve(reference.target)
    names = known_names(reference, source, root.digest)
    graph = narrowed_graph(source, root, wanted)
    along = companions(source, [graph]) if referrers else []
    if referrers and graph.root.descriptor.digest != root.digest:
        why = "they are of the whole index"
        tell_left_behind(session, source, [root.digest], where=str(reference), why=why)
    return _Saved(source, Item(graph=graph, tags=names or ("",)), along)


def _require_distinct_names(saved: Iterable[_Saved]) -> None:
    from manyfest.errors import UsageError

    taken: dict[str, Digest] = {}
    for each in saved:
        for name in filter(None, each.image.tags):
            if taken.setdefault(name, each.digest) != each.digest:
                raise UsageError(
                    f"{taken[name]} and {each.digest} are both called {name}",
                    mend="save them in an archive each",
                )


def _write(session: Session, saved: Sequence[_Saved], target: Target) -> None:
    from manyfest.cli.referrers import going_along
    from manyfest.copy import copy_graphs
    from manyfest.images.gather import Gathered

    items = [item for each in saved for item in each.items]
    source = Gathered((each.source, item.graph) for each in saved for item in each.items)
    with session.progress() as progress, target:
        copied = copy_graphs(source, items, target, progress=progress)
    told = f", referrers: {count}" if (count := going_along(items)) else ""
    session.say(f"{target.label}: {size(copied.sent)} written{told}")


def _plan(saved: Iterable[_Saved], output: str) -> str:
    parts = {
        part.digest: part
        for each in saved
        for item in each.items
        for part in item.graph.descriptors
    }
    amount = size(sum(part.size for part in parts.values()))
    return f"would save {len(parts)} parts, {amount}, to {output}"
