"""What was staged: which image each repository has of a platform, and whether it is of a release.

A platform is there when one repository has it; those that have it must have the same. What it is of
is told by the image itself or by a record that was attached to it (:mod:`manyfest.release.origin`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from manyfest.check.watched import may_pass
from manyfest.copy import JOBS
from manyfest.errors import ReleaseError, StoreError
from manyfest.graph import read_config, read_manifest
from manyfest.oci.config import ImageConfig
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name
from manyfest.release.destinations import Destination
from manyfest.release.origin import Origin, revisions_of, said_by
from manyfest.release.rendezvous.staging import staging_tag
from manyfest.release.steps.moves import held_by
from manyfest.release.steps.step import Release
from manyfest.stores.base import Store
from manyfest.stores.overlay import Overlay
from manyfest.threads import workers

Held = Digest | StoreError | None
"""What a tag holds; an error that may pass, if the registry did not say; ``None`` if nothing."""


class Staged(Struct, frozen=True):
    """A platform's image as it was staged; ``revisions`` are the commits that are known of it."""

    platform: Platform
    manifest: Manifest
    config: ImageConfig
    revisions: frozenset[str]


def shared(release: Release) -> tuple[Destination, ...]:
    """The repositories for all platforms: images are staged in these."""
    return tuple(each for each in release.destinations if each.platform is None)


def opened(release: Release, name: Name) -> Store:
    """The repository, to read what was staged; it is asked as one who may push, since some
    registries deny a repository that is yet to be made to everybody else."""
    return release.stores.registry(name, writing=True)


def look_for(release: Release, platforms: Sequence[Platform]) -> dict[Platform, dict[Name, Held]]:
    """What the tag of each of these platforms holds in each repository; all are asked at once."""
    wanted = [(platform, name) for platform in platforms for name in shared(release)]
    with workers(JOBS, "staged") as pool:
        held = list(pool.map(lambda each: _held(release, *each), wanted))
    found: dict[Platform, dict[Name, Held]] = {platform: {} for platform in platforms}
    for (platform, name), each in zip(wanted, held, strict=True):
        found[platform][name] = each
    return found


def one_digest(release: Release, platform: Platform, held: Mapping[Name, Held]) -> Digest | None:
    """What all repositories that have the platform agree on; ``None`` if none has it.

    Raises :class:`~manyfest.errors.ReleaseError` if they do not agree.
    """
    found = {name: each for name, each in held.items() if isinstance(each, Digest)}
    if len(set(found.values())) > 1:
        tag = staging_tag(release.version, platform)
        what = ", ".join(f"{name.with_tag(tag)} is {digest}" for name, digest in found.items())
        raise ReleaseError(
            f"two images were staged for {platform}: {what}; nothing was changed",
            mend="remove the wrong one with manyfest rm, and run the same command again",
        )
    return next(iter(found.values()), None)


def require_one_commit(release: Release, staged: Iterable[Staged]) -> None:
    """Where no commit is known here, all platforms must still be of the same one.

    Raises :class:`~manyfest.errors.ReleaseError`.
    """
    first: Staged | None = None
    common: frozenset[str] = frozenset()
    for each in staged:
        common = each.revisions if first is None else common & each.revisions
        first = first or each
        if not common:
            raise ReleaseError(
                f"{first.platform} is of {_commits(first.revisions)}, and {each.platform} of"
                f" {_commits(each.revisions)}; nothing was changed",
                where=release.destinations[0].place,
                mend=f"stage both from one commit, as a version after {release.version}",
            )


def _held(release: Release, platform: Platform, name: Name) -> Held:
    """What may pass is an answer too: a registry that is down for a minute ends no waiting."""
    store = opened(release, name)
    try:
        return held_by(store, staging_tag(release.version, platform))
    except StoreError as error:
        if not may_pass(error):
            raise
        return error


def examined(release: Release, platform: Platform, held: Mapping[Name, Held]) -> Staged:
    """The image, if it is for the platform and of this release.

    Raises :class:`~manyfest.errors.ReleaseError`.
    """
    holding = {name: each for name, each in held.items() if isinstance(each, Digest)}
    where = str(next(iter(holding)).with_tag(staging_tag(release.version, platform)))
    stores = [opened(release, name) for name in holding]
    source = Overlay(stores)
    manifest = read_manifest(source, source.resolve(str(next(iter(holding.values())))))
    if not manifest.is_runnable:
        raise _refused(where, "is no image of one platform")
    config = read_config(source, manifest.image)
    if not config.platform.same_as(platform):
        raise _refused(where, f"is for {config.platform}, not for {platform}")
    wanted = Origin.of(release.version)
    known = (revisions_of(store, manifest, config, wanted) for store in stores)
    revisions = frozenset[str]().union(*known)
    if not revisions or (wanted.revision and wanted.revision not in revisions):
        said = said_by(manifest, config) if not revisions else Origin(wanted.version, "")
        raise _refused(where, _otherness(said, revisions, wanted))
    return Staged(platform, manifest, config, revisions)


def _otherness(said: Origin, revisions: frozenset[str], wanted: Origin) -> str:
    """What makes an image one of another release."""
    if not (revisions or said.version or said.revision):
        return "nothing says of which version and commit it is"
    version = said.version[:80] or "no known version"
    commits = _commits(revisions or {said.revision})
    return f"is {version} of {commits}, and not {wanted.version} of {_commits({wanted.revision})}"


def _commits(revisions: AbstractSet[str]) -> str:
    known = sorted(revisions - {""})
    return f"commit {', '.join(each[:40] for each in known)}" if known else "no known commit"


def _refused(where: str, what: str) -> ReleaseError:
    return ReleaseError(
        f"{what}; nothing was changed",
        where=where,
        mend="stage this commit under a version of its own, or remove what is there",
    )
