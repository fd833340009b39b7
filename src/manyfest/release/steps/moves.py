"""Which tags a release has to set, and where each of them points now."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from manyfest.copy import JOBS
from manyfest.errors import ReleaseError
from manyfest.oci.descriptor import Descriptor
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name
from manyfest.release.destinations import Destination
from manyfest.release.steps.move import Move
from manyfest.release.steps.step import Release
from manyfest.release.tags.judge import descriptor_held_by, judge
from manyfest.release.tags.plan import PlannedTag
from manyfest.stores.base import Store
from manyfest.threads import workers


class _Found(Struct, frozen=True):
    """A tag in one repository, what it is to point at, and what it points at now."""

    tag: PlannedTag
    place: Destination
    store: Store
    manifest: Manifest
    there: Descriptor | None

    @property
    def name(self) -> Name:
        return self.place.with_tag(self.tag.tag)

    @property
    def move(self) -> Move:
        return Move(self.name, self.store, self.tag, self.manifest, _digest(self.there))

    @property
    def is_undecided(self) -> bool:
        """Whether what the repository holds may keep it where it is."""
        is_done = self.there is not None and self.there.digest == self.manifest.descriptor.digest
        return bool(self.tag.goes_by) and not is_done


def moves(release: Release) -> list[Move]:
    """Every tag in every repository, in the order in which they are set; the registries are asked
    where they point, several at a time. A moving tag that is ahead of this release stays where it
    is: it is left out, and ``release.kept`` says why.

    Raises :class:`~manyfest.errors.ReleaseError` where that cannot be told.
    """
    wanted = _wanted(release)
    with workers(JOBS, "tags") as pool:
        found = list(pool.map(lambda each: _found(release, *each), wanted))
        undecided: dict[Destination, list[_Found]] = {}
        for each in found:
            if each.is_undecided:
                undecided.setdefault(each.place, []).append(each)
        decided = pool.map(lambda group: _kept(release, group), undecided.values())
        release.kept = {name: reason for kept in decided for name, reason in kept.items()}
    return [each.move for each in found if str(each.name) not in release.kept]


def fixed_moves(release: Release) -> list[Move]:
    """Those of :func:`moves` that name this release for good."""
    fixed = [(tag, place) for tag, place in _wanted(release) if not tag.moves]
    with workers(JOBS, "tags") as pool:
        return [each.move for each in pool.map(lambda each: _found(release, *each), fixed)]


def held_by(store: Store, tag: str) -> Digest | None:
    """The digest of what a tag points at, or ``None`` if there is no such tag."""
    return _digest(descriptor_held_by(store, tag))


def refuse_taken(planned: Iterable[Move]) -> None:
    """A tag that names one release for good must not hold another digest.

    Raises :class:`~manyfest.errors.ReleaseError`.
    """
    for move in planned:
        if move.before is not None and not move.tag.moves and not move.is_done:
            raise ReleaseError(
                f"the tag already holds {move.before}, and this release is"
                f" {move.manifest.descriptor.digest}; this run has set no tag",
                where=str(move.name),
                mend=f"release a new version{_or_go_on(move)}",
            )


def _or_go_on(move: Move) -> str:
    """How a release goes on that was killed, and whose build gives other bytes each time."""
    if not move.manifest.is_index:
        return ""
    return (
        f", or go on with what is there: manyfest release --from {move.name}, and"
        " --allow-other-commit if it is of another commit"
    )


def manifest_for(release: Release, platform: Platform | None) -> Manifest:
    """What is released: the index, or the image for ``platform`` alone.

    Raises :class:`~manyfest.errors.ReleaseError` if there is none.
    """
    graph = release.built.graph
    if platform is None:
        return graph.root
    for image in release.checked:
        if image.platform == str(platform.normalised()):
            digest = image.descriptor.digest
            return next(each for each in graph.manifests if each.descriptor.digest == digest)
    raise ReleaseError(f"the image has no {platform}", where=str(release.built.digest))


def _wanted(release: Release) -> list[tuple[PlannedTag, Destination]]:
    return [
        (tag, place)
        for tag in release.tags
        for place in release.destinations
        if not tag.skipped and place.takes(tag)
    ]


def _found(release: Release, tag: PlannedTag, place: Destination) -> _Found:
    store = release.stores.registry(place, writing=True)
    manifest = manifest_for(release, place.platform or tag.platform)
    return _Found(tag, place, store, manifest, descriptor_held_by(store, tag.tag))


def _digest(descriptor: Descriptor | None) -> Digest | None:
    return descriptor.digest if descriptor else None


def _kept(release: Release, group: list[_Found]) -> dict[str, str]:
    """The tags of one repository that stay where they are, and why."""
    asked = [(each.tag, each.there) for each in group]
    decisions = judge(group[0].store, asked, release.config, release.version)
    return {
        str(each.name): decision.reason
        for each, decision in zip(group, decisions, strict=True)
        if not decision.moves
    }
