"""Which tags a release has to set, and where each of them points now."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from msgspec import Struct

from manyfest.copy import JOBS
from manyfest.errors import NotFound, ReleaseError
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.reference import Name
from manyfest.release.steps.step import Release
from manyfest.release.tags import PlannedTag
from manyfest.stores.base import Store
from manyfest.threads import workers


class Move(Struct, frozen=True):
    """One tag in one repository: the manifest it is to point at, and the digest of the one it
    pointed at before, if there was such a tag."""

    name: Name
    store: Store
    tag: PlannedTag
    manifest: Manifest
    before: Digest | None

    @property
    def is_done(self) -> bool:
        """Whether the tag points there already."""
        return self.before == self.manifest.descriptor.digest


def moves(release: Release) -> list[Move]:
    """Every tag in every repository, in the order in which they are set; the registries are asked
    where they point, several at a time."""
    wanted = [
        (tag, name, release.stores.registry(name))
        for tag in release.tags
        if not tag.skipped
        for name in release.destinations
    ]
    with workers(JOBS, "tags") as pool:
        found = list(pool.map(lambda each: held_by(each[2], each[0].tag), wanted))
    return [
        Move(name.with_tag(tag.tag), store, tag, _manifest(release, tag), before)
        for (tag, name, store), before in zip(wanted, found, strict=True)
    ]


def held_by(store: Store, tag: str) -> Digest | None:
    """The digest of what a tag points at, or ``None`` if there is no such tag."""
    with suppress(NotFound):
        return store.resolve(tag).digest
    return None


def refuse_taken(planned: Iterable[Move]) -> None:
    """A tag that names one release for good must not hold another digest.

    Raises :class:`~manyfest.errors.ReleaseError`.
    """
    for move in planned:
        if move.before is not None and not move.tag.moves and not move.is_done:
            raise ReleaseError(
                f"the tag already holds {move.before}, and this release is"
                f" {move.manifest.descriptor.digest}",
                where=str(move.name),
                mend="release a new version; no tag was changed",
            )


def _manifest(release: Release, tag: PlannedTag) -> Manifest:
    """What the tag is to point at: the index, or one platform's image."""
    graph = release.built.graph
    if tag.platform is None:
        return graph.root
    for image in release.checked:
        if image.platform == str(tag.platform.normalised()):
            digest = image.descriptor.digest
            return next(each for each in graph.manifests if each.descriptor.digest == digest)
    raise ReleaseError(f"the image has no {tag.platform}", where=str(release.built.digest))
