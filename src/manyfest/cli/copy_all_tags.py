"""``manyfest copy --all-tags``."""

from __future__ import annotations

from msgspec import Struct, field

from manyfest.cli.session import Session
from manyfest.cli.text import one_line, size
from manyfest.errors import InvalidReference, ManyfestError, StoreError, Unsupported, UsageError
from manyfest.images.copy_tags import CopiedTags, Differences, copy_tags, differences
from manyfest.oci.reference import Reference, check_tag, is_companion_tag
from manyfest.stores.archives.names import Naming
from manyfest.stores.base import Lists, Source, Target
from manyfest.stores.memory import MemoryStore
from manyfest.stores.open import Stores
from manyfest.stores.referrers import is_fallback_list


def copy_all_tags(
    session: Session,
    stores: Stores,
    from_: Reference,
    to: Reference,
    *,
    referrers: bool,
    repair: bool,
    dry_run: bool,
) -> None:
    """Make every tag of one place mean the same at the other; tags that are only there stay.

    Prints each tag that was set. Raises :class:`~manyfest.errors.StoreError`, when all others are
    done, if some could not be copied.
    """
    _require_no_names(from_, to)
    with stores.source(from_) as here:
        names = _names(here, to, referrers=referrers)
        if dry_run:
            with _compared(stores, to) as there:
                _plan(session, here, there, to, names, repair=repair)
        elif not names.tags:
            session.say(f"{from_.location}: has no tags to copy")
        else:
            # An archive's tags are those of the repository that they come from.
            naming = Naming(from_.image.place if from_.image is not None else "")
            with stores.target(to, naming=naming) as there:
                _copy(session, here, there, to, names, referrers=referrers, repair=repair)
        names.raise_failures(here.label)


class _Names(Struct, frozen=True):
    """The tags to copy, and why others could not be."""

    tags: list[str] = field(default_factory=list)
    failed: dict[str, ManyfestError] = field(default_factory=dict)

    def raise_failures(self, where: str) -> None:
        """Raises :class:`~manyfest.errors.StoreError` that tells the first, if there are any."""
        if not self.failed:
            return
        tag, error = next(iter(self.failed.items()))
        count = len(self.failed.keys() | self.tags)
        raise StoreError(
            f"{len(self.failed)} of {count} tags could not be copied: {tag}: {error}", where=where
        )


def _require_no_names(from_: Reference, to: Reference) -> None:
    for reference in (from_, to):
        if reference.transport == "docker-daemon" or reference.is_stream:
            raise UsageError(
                "--all-tags is for registries, layouts and files", where=f"{reference}"
            )
        if not reference.is_place:
            raise UsageError(
                "--all-tags is for a place, and this names one image in it",
                where=str(reference),
                mend="leave out the tag",
            )


def _names(source: Source, to: Reference, *, referrers: bool) -> _Names:
    """What the source lists; a layout may have names that no registry takes."""
    if not isinstance(source, Lists):
        raise Unsupported("cannot list its tags", where=source.label)
    names = _Names()
    for tag in source.tags():
        if is_companion_tag(tag) and not referrers:
            continue
        try:
            names.tags.append(check_tag(tag) if to.image is not None else tag)
        except InvalidReference as error:
            names.failed[tag] = error
    return names


def _compared(stores: Stores, to: Reference) -> Target:
    """What a plan compares with: what is written anew, whole, has nothing in it."""
    return stores.target(to) if to.is_kept else MemoryStore()


def _plan(
    session: Session, here: Source, there: Target, to: Reference, names: _Names, *, repair: bool
) -> None:
    found = _differences(here, there, names)
    for tag, root in found.moved.items():
        what = "what it lists would be attached" if is_fallback_list(tag, root) else "would be set"
        session.out(one_line(f"{tag}: {what}"))
    looked_into = ", and would be looked into" if repair else ""
    session.say(f"{to.location}: {len(found.same)} tags are the same already{looked_into}")


def _copy(
    session: Session,
    here: Source,
    there: Target,
    to: Reference,
    names: _Names,
    *,
    referrers: bool,
    repair: bool,
) -> None:
    found = _differences(here, there, names)
    wanted = found.moved | (found.same if repair else {})
    with session.progress() as progress:
        result = copy_tags(
            here, wanted, there, known=frozenset(names.tags), referrers=referrers, progress=progress
        )
    changed = [tag for tag in result.copied if tag in found.moved]
    for tag in changed:
        session.out(one_line(tag))
    session.say(f"{to.location}: {_told(len(changed), len(found.same), result)}")
    names.failed.update(result.failed)


def _differences(here: Source, there: Target, names: _Names) -> Differences:
    found = differences(here, there, names.tags)
    names.failed.update(found.unreadable)
    return found


def _told(changed: int, same: int, result: CopiedTags) -> str:
    return f"{changed} tags copied, {size(result.sent)} sent, {same} the same already"
