"""``manyfest ls``."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct, field

from manyfest.cli.session import Session, with_registries
from manyfest.cli.text import one_line, table
from manyfest.errors import ManyfestError, StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from manyfest.oci.digest import Digest
    from manyfest.oci.reference import Reference
    from manyfest.release.versions.tag_filter import TagFilter
    from manyfest.stores.base import Source
    from manyfest.stores.open import Stores

LOOKS = 16
"""Tags looked up at the same time. The registry client has its own limit for each host."""


@click.command()
@click.argument("place")
@click.option(
    "--match", "globs", metavar="GLOB", multiple=True, help="Only names like this; repeatable."
)
@click.option("--range", "versions", metavar="SEMVER", help="Only versions in it: '>=1.2 <2'.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many names.")
@click.option("--after", metavar="NAME", help="Only names after this one.")
@click.option("--digests", is_flag=True, help="Print the digest of each tag, too.")
@click.option("--all", "companions", is_flag=True, help="Print the tags of signatures, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_registries
def command(
    session: Session,
    place: str,
    globs: tuple[str, ...],
    versions: str | None,
    limit: int | None,
    after: str | None,
    *,
    digests: bool,
    companions: bool,
    as_json: bool,
) -> None:
    """List the tags of PLACE, one a line, versions in order; or the repositories of a registry.

    PLACE is a repository, a layout or an archive; HOST, HOST:PORT or HOST/ is a registry. Tags that
    keep signatures and the like, sha256-….sig, are printed with --all only. To read page by page,
    give the last name of one page as --after to the next.
    """
    from manyfest.oci.reference import Reference, registry_of
    from manyfest.release.versions.ranges import Range
    from manyfest.release.versions.tag_filter import TagFilter

    registry = registry_of(place)
    in_range = Range.parse(versions) if versions is not None else None
    with session.stores() as stores:
        if registry is not None:
            _require_sense(registry, range=versions, digests=digests, all=companions)
            wanted = TagFilter(globs, companions=True)
            listing = _repositories(stores, registry, wanted, after, limit)
        else:
            where = Reference.parse(place)
            _require_place(where)
            wanted = TagFilter(globs, in_range, companions=companions)
            listing = _tags(stores, where, wanted, after, limit, digests=digests)
    if as_json:
        session.out_json(listing.document())
    elif listing.lines():
        session.out(listing.lines())
    if listing.more and not as_json:
        session.say(f"there are more: --after {listing.names[-1]}")
    listing.raise_failures()


class _Listing(Struct, frozen=True):
    """What is printed: names of a ``kind`` in ``where``, and what tags mean as far as asked."""

    where: str
    kind: str
    names: list[str]
    more: bool
    digests: dict[str, Digest] | None = None
    failed: dict[str, ManyfestError] = field(default_factory=dict)

    def lines(self) -> str:
        """For people."""
        if self.digests is None:
            return "\n".join(map(one_line, self.names))
        return table([(name, str(self.digests.get(name, "?"))) for name in self.names])

    def document(self) -> dict[str, object]:
        """For programs."""
        document: dict[str, object] = {
            "reference": self.where,
            self.kind: self.names,
            "more": self.more,
        }
        if self.kind == "tags":
            digests = self.digests or {}
            document["digests"] = {name: str(digest) for name, digest in digests.items()}
        return document

    def raise_failures(self) -> None:
        """Raises :class:`~manyfest.errors.StoreError` if a tag could not be looked up."""
        if self.failed:
            tag, error = next(iter(self.failed.items()))
            count = f"{len(self.failed)} of {len(self.names)} tags"
            raise StoreError(f"{count} could not be looked up: {tag}: {error}", where=self.where)


def _repositories(
    stores: Stores, registry: str, wanted: TagFilter, after: str | None, limit: int | None
) -> _Listing:
    names = wanted.keep(stores.repositories(registry))
    return _Listing(registry, "repositories", *_page(names, str, after, limit))


def _tags(
    stores: Stores,
    where: Reference,
    wanted: TagFilter,
    after: str | None,
    limit: int | None,
    *,
    digests: bool,
) -> _Listing:
    from manyfest.errors import Unsupported
    from manyfest.release.versions.version import version_order
    from manyfest.stores.base import Lists

    with stores.source(where) as source:
        if not isinstance(source, Lists):
            raise Unsupported("cannot list its tags", where=source.label)
        names, more = _page(wanted.keep(source.tags()), version_order, after, limit)
        found, failed = _looked_up(source, names) if digests else (None, {})
    return _Listing(where.location, "tags", names, more, found, failed)


def _page(
    names: list[str], order: Callable[[str], Any], after: str | None, limit: int | None
) -> tuple[list[str], bool]:
    """The names of one page in their order, and whether there are more behind them."""
    ordered = sorted(names, key=order)
    start = 0 if after is None else bisect_right(ordered, order(after), key=order)
    end = len(ordered) if limit is None else start + limit
    return ordered[start:end], end < len(ordered)


def _looked_up(
    source: Source, tags: list[str]
) -> tuple[dict[str, Digest], dict[str, ManyfestError]]:
    """What the tags mean, and why some could not be looked up."""
    from manyfest.errors import AccessDenied, ContentError, NotFound
    from manyfest.threads import workers

    def look(tag: str) -> Digest | ManyfestError:
        try:
            return source.resolve(tag).digest
        except (NotFound, AccessDenied, ContentError) as error:
            return error

    found: dict[str, Digest] = {}
    failed: dict[str, ManyfestError] = {}
    with workers(LOOKS, "look") as pool:
        for tag, seen in zip(tags, pool.map(look, tags), strict=True):
            if isinstance(seen, ManyfestError):
                failed[tag] = seen
            else:
                found[tag] = seen
    return found, failed


def _require_place(reference: Reference) -> None:
    if reference.transport == "docker-daemon":
        raise UsageError("the daemon's images are listed by: docker images", where=str(reference))
    if not reference.is_place:
        raise UsageError(
            "it names one image, and what is listed is a place",
            where=str(reference),
            mend=f"write {reference.location}",
        )


def _require_sense(registry: str, **options: object) -> None:
    """Raises :class:`~manyfest.errors.UsageError` for what only tags have."""
    for name, value in options.items():
        if value:
            raise UsageError(
                f"--{name} is for tags, and this is a registry",
                where=registry,
                mend="name a repository",
            )
