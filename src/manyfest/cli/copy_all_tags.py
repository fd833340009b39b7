"""``manyfest copy --all-tags``."""

from __future__ import annotations

from collections.abc import Iterable

from manyfest.cli.session import Session
from manyfest.cli.text import one_line, size
from manyfest.copy_tags import CopiedTags, copy_tags, differences
from manyfest.errors import ManyfestError, StoreError, Unsupported, UsageError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.reference import Reference, is_companion_tag
from manyfest.stores.base import Lists, Source, Target
from manyfest.stores.open import Stores


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
    done, if some could not be read.
    """
    _require_no_names(from_, to)
    with stores.source(from_) as here, stores.target(to) as there:
        tags = _tags(here, referrers=referrers)
        found = differences(here, there, tags)
        result = CopiedTags()
        if dry_run:
            _print(session, (f"{tag}: would be set" for tag in found.moved))
        else:
            wanted = found.moved | (found.same if repair else {})
            result = _copied(session, here, there, wanted, referrers=referrers)
            _print(session, (tag for tag in result.copied if tag in found.moved))
        session.say(f"{to.location}: {_told(len(found.same), result)}")
        _raise_failures(found.unreadable | result.failed, len(tags), here.label)


def _require_no_names(from_: Reference, to: Reference) -> None:
    for reference in (from_, to):
        if reference.transport == "docker-daemon" or reference.is_stream:
            raise UsageError(
                "--all-tags is for registries, layouts and files", where=f"{reference}"
            )
        image = reference.image
        if reference.name or (image is not None and not image.is_repository):
            raise UsageError(
                "--all-tags is for a place, and this names one image in it",
                where=str(reference),
                mend="leave out the tag",
            )


def _tags(source: Source, *, referrers: bool) -> list[str]:
    if not isinstance(source, Lists):
        raise Unsupported("cannot list its tags", where=source.label)
    return [tag for tag in source.tags() if referrers or not is_companion_tag(tag)]


def _copied(
    session: Session,
    here: Source,
    there: Target,
    tags: dict[str, Descriptor],
    *,
    referrers: bool,
) -> CopiedTags:
    with session.progress() as progress:
        return copy_tags(here, tags, there, referrers=referrers, progress=progress)


def _print(session: Session, lines: Iterable[str]) -> None:
    for line in lines:
        session.out(one_line(line))


def _told(same: int, result: CopiedTags) -> str:
    return f"{len(result.copied)} tags copied, {size(result.sent)} sent, {same} the same already"


def _raise_failures(failed: dict[str, ManyfestError], count: int, where: str) -> None:
    if failed:
        tag, error = next(iter(failed.items()))
        raise StoreError(
            f"{len(failed)} of {count} tags could not be copied: {tag}: {error}", where=where
        )
