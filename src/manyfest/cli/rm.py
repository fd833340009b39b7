"""``manyfest rm``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from manyfest.cli.session import Session, with_registries

if TYPE_CHECKING:
    from manyfest.errors import ManyfestError
    from manyfest.images.removal import Removed, Shrinking
    from manyfest.oci.reference import Reference
    from manyfest.stores.base import Store


@click.command()
@click.argument("references", nargs=-1, required=True)
@click.option(
    "--force", is_flag=True, help="Delete a digest whatever other tags hold it, and those tags."
)
@click.option("--dry-run", is_flag=True, help="Print what would be removed; change nothing.")
@with_registries
def command(session: Session, references: tuple[str, ...], *, force: bool, dry_run: bool) -> None:
    """Remove tags, and manifests by their digests, from registries and layouts.

    Only the tag is removed. Where a registry cannot do that, its manifest is deleted. A manifest
    that other tags hold, by themselves or in an index, is not deleted without --force, which takes
    those tags away as well. Prints each tag and each digest that is gone; the tags of a digest are
    not looked up with --force, but for --dry-run. That asks a registry to remove a tag which nobody
    has, to see whether it can remove one alone.

    Signatures and the like of what is removed stay. In a layout, what no name leads to any more is
    deleted.
    """
    from manyfest.oci.reference import Reference

    wanted = list(dict.fromkeys(map(Reference.parse, references)))
    for reference in wanted:
        _require_one(reference)
    failed: dict[Reference, ManyfestError] = {}
    with session.stores() as stores:
        for place in _by_place(wanted):
            with stores.kept(place[0]) as store:
                failed |= _remove(session, _shrinking(store), place, force=force, dry_run=dry_run)
    _raise_failures(session, failed, len(wanted))


def _require_one(reference: Reference) -> None:
    """Raises :class:`~manyfest.errors.UsageError` unless it names one thing that may go."""
    from manyfest.errors import UsageError
    from manyfest.stores.open import require_kept

    require_kept(reference)
    image = reference.image
    if reference.is_place:
        raise UsageError(
            "it names a place, and neither a tag nor a digest in it",
            where=str(reference),
            mend=f"name one that this lists: manyfest ls {reference}",
        )
    if image is not None and image.tag and image.digest is not None:
        raise UsageError(
            "it names a tag and a digest", where=str(reference), mend="keep the one to remove"
        )


def _by_place(references: Iterable[Reference]) -> list[list[Reference]]:
    """The references of each place together, tags first: they may hold the digests."""
    places: dict[str, list[Reference]] = {}
    for reference in sorted(references, key=_is_digest):
        places.setdefault(reference.location, []).append(reference)
    return list(places.values())


def _is_digest(reference: Reference) -> bool:
    from manyfest.stores.names import as_digest

    return as_digest(reference.target) is not None


def _shrinking(store: Store) -> Shrinking:
    from manyfest.errors import Unsupported
    from manyfest.stores.base import Deletes

    if isinstance(store, Deletes):
        return store
    raise Unsupported("nothing can be removed from it", where=store.label)


def _remove(
    session: Session, store: Shrinking, place: Sequence[Reference], *, force: bool, dry_run: bool
) -> dict[Reference, ManyfestError]:
    """Remove one after the other from one place; what could not be removed, and why."""
    from manyfest.errors import ManyfestError

    going = {reference.target for reference in place if not _is_digest(reference)}
    gone: set[str] = set()
    failed: dict[Reference, ManyfestError] = {}
    for reference in place:
        if reference.target in gone:
            continue  # with its manifest, which another tag was removed with
        try:
            removed = _removed(store, reference, going, force=force, dry_run=dry_run)
            gone.update(removed.tags, map(str, filter(None, [removed.manifest])))
            if dry_run:
                session.out(_planned(reference, removed))
            else:
                _tell(session, reference, removed)
        except ManyfestError as error:
            failed[reference] = error
    return failed


def _removed(
    store: Shrinking,
    reference: Reference,
    going: Collection[str],
    *,
    force: bool,
    dry_run: bool,
) -> Removed:
    from manyfest.images.removal import remove_manifest, remove_tag
    from manyfest.oci.digest import Digest

    name = reference.target
    if _is_digest(reference):
        digest = Digest.parse(name)
        return remove_manifest(store, digest, going=going, force=force, dry_run=dry_run)
    return remove_tag(store, name, going=going, force=force, dry_run=dry_run)


def _planned(reference: Reference, removed: Removed) -> str:
    if removed.manifest is None:
        return f"{reference}: would be removed" + (f"; it is {removed.was}" if removed.was else "")
    what = "would be removed"
    if not _is_digest(reference):
        what += f" with its manifest {removed.manifest}: no tag can be removed alone here"
    return f"{reference}: {what}{_losses(reference, removed)}"


def _losses(reference: Reference, removed: Removed) -> str:
    """What else goes with a manifest."""
    from manyfest.stores.names import listing

    others = [tag for tag in removed.tags if tag != reference.target]
    told = f"; with it: {listing(others)}" if others else ""
    return told + (f"; incomplete then: {listing(removed.torn)}" if removed.torn else "")


def _tell(session: Session, reference: Reference, removed: Removed) -> None:
    """What is gone on stdout, and how on stderr."""
    for tag in removed.tags:
        session.out(str(reference.with_name(tag)))
    if removed.manifest is None:
        session.say(f"{reference}: removed" + (f"; it was {removed.was}" if removed.was else ""))
        return
    session.out(f"{reference.location}@{removed.manifest}")
    if _is_digest(reference):
        session.say(f"{reference}: removed, with all its tags")
    else:
        how = "removed with its manifest: no tag can be removed alone here"
        session.say(f"{reference}: {how}{_losses(reference, removed)}")


def _raise_failures(
    session: Session, failed: Mapping[Reference, ManyfestError], count: int
) -> None:
    """Raises the only failure, or tells of all and raises
    :class:`~manyfest.errors.StoreError`."""
    from manyfest.errors import StoreError

    if count == 1:
        for error in failed.values():
            raise error
    for reference, error in failed.items():
        session.say(f"{reference}: not removed: {error}")
    if failed:
        first = next(iter(failed))
        raise StoreError(f"{len(failed)} of {count} could not be removed, {first} for one")
