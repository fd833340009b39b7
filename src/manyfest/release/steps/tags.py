"""The public tags move onto the index: those that name one release first, ``latest`` last.

If one cannot be set, the moving tags that were moved already go back to where they were.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from manyfest.copy import point
from manyfest.errors import ManyfestError, NotFound, ReleaseError
from manyfest.graph import read_manifest
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.reference import Name
from manyfest.release.steps.step import Release, Step
from manyfest.release.tags import PlannedTag
from manyfest.stores.base import Store


@dataclass(frozen=True, slots=True)
class _Move:
    """One tag in one repository; ``before`` is the manifest it pointed at, if it did."""

    name: Name
    store: Store
    tag: PlannedTag
    manifest: Manifest
    before: Manifest | None

    @property
    def is_done(self) -> bool:
        """Whether the tag points there already."""
        held = self.before.descriptor.digest if self.before else None
        return held == self.manifest.descriptor.digest


def held_by(store: Store, tag: str) -> Digest | None:
    """The digest that a tag points at, or ``None`` if there is no such tag."""
    with suppress(NotFound):
        return store.resolve(tag).digest
    return None


def refuse_changed_tags(release: Release) -> None:
    """A tag that names one release for good must not hold another digest; nothing is written
    before that is known. Raises :class:`~manyfest.errors.ReleaseError`."""
    for name in release.destinations:
        store = release.stores.registry(name)
        for tag in release.tags:
            if tag.moves or tag.skipped:
                continue
            held = held_by(store, tag.tag)
            ours = _manifest(release, tag).descriptor.digest
            if held is not None and held != ours:
                raise ReleaseError(
                    f"the tag already holds {held}, and this build is {ours}",
                    where=str(name.with_tag(tag.tag)),
                    mend="release a new version; nothing was changed",
                )


def _check(release: Release) -> str:
    moves = _moves(release)
    if all(move.is_done for move in moves):
        return f"all {len(moves)} tags point there already"
    return ""


def _run(release: Release) -> str:
    moves = [move for move in _moves(release) if not move.is_done]
    done: list[_Move] = []
    for move in moves:
        try:
            point(move.store, move.tag.tag, move.manifest)
        except ManyfestError as error:
            raise _stopped(error, move, done) from error
        done.append(move)
        release.changed_tags.append(str(move.name))
    return f"{len(done)} set"


def _moves(release: Release) -> list[_Move]:
    """Every tag in every repository, in the order in which they are set."""
    return [
        _move(release, tag, name)
        for tag in release.tags
        if not tag.skipped
        for name in release.destinations
    ]


def _move(release: Release, tag: PlannedTag, name: Name) -> _Move:
    store = release.stores.registry(name)
    before = None
    with suppress(NotFound):
        before = read_manifest(store, store.resolve(tag.tag))
    return _Move(name.with_tag(tag.tag), store, tag, _manifest(release, tag), before)


def _manifest(release: Release, tag: PlannedTag) -> Manifest:
    """What the tag is to point at: the index, or one platform's image."""
    graph = release.built.graph
    if tag.platform is None:
        return graph.root
    wanted = release.built.entry(tag.platform)
    return next(each for each in graph.manifests if each.descriptor.digest == wanted)


def _stopped(error: ManyfestError, failed: _Move, done: list[_Move]) -> ReleaseError:
    """Put the moving tags back, and say what stands where."""
    kept = [str(move.name) for move in done if not (move.tag.moves and _put_back(move))]
    returned = [str(move.name) for move in done if str(move.name) not in kept]
    stands = [
        f"{what}: {', '.join(names)}"
        for what, names in (("put back", returned), ("set and left", kept))
        if names
    ]
    return ReleaseError(
        f"the tag could not be set: {error.what}; {'; '.join(stands) or 'no tag was changed'}",
        where=str(failed.name),
        mend="mend that and run the same command again",
    )


def _put_back(move: _Move) -> bool:
    """Whether the tag is where it was. A tag that was not there before stays: registries have
    no common way to take one away, and it points at a complete image."""
    if move.before is None:
        return False
    try:
        point(move.store, move.tag.tag, move.before)
    except ManyfestError:
        return False
    return True


TAGS = Step("tags", _check, _run)
