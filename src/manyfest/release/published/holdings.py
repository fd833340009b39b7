"""What a repository holds of a project: its versions, and where their tags point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from manyfest.copy import JOBS
from manyfest.errors import Unsupported
from manyfest.oci.digest import Digest
from manyfest.oci.reference import is_tag
from manyfest.release.destinations import Destination
from manyfest.release.steps.moves import held_by
from manyfest.release.tags.forward import PLAIN, versions_among
from manyfest.release.tags.plan import plan_tags
from manyfest.release.versions.version import Version
from manyfest.stores.base import Lists, Store
from manyfest.threads import batches, workers

if TYPE_CHECKING:
    import semver

    from manyfest.release.project.config import Config
    from manyfest.stores.open import Stores

_OF_A_VERSION = frozenset({"name", "version", "major", "minor", "patch"})


class ReleaseTags(Struct, frozen=True):
    """The tags that a release of a version sets and that can be told from the version alone: those
    that name it for good, and those that move, ``latest`` last."""

    fixed: tuple[str, ...]
    moving: tuple[str, ...]


def release_tags(config: Config, version: Version) -> ReleaseTags:
    """The tags of a release. One that names the commit, a day or a branch is not among them."""
    rules = tuple(rule for rule in config.tags if rule.tag.variables <= _OF_A_VERSION)
    planned = plan_tags(replace(config, tags=rules, arch_tags=False), version)
    wanted = [tag for tag in planned if not tag.skipped]
    return ReleaseTags(
        fixed=tuple(tag.tag for tag in wanted if not tag.moves),
        moving=tuple(tag.tag for tag in wanted if tag.moves),
    )


def version_from(number: semver.Version) -> Version:
    """A version of which nothing is known but its number."""
    return Version(
        text=str(number),
        revision="",
        major=number.major,
        minor=number.minor,
        patch=number.patch,
        prerelease=number.prerelease is not None,
        commit_time=0,
        dirty=False,
        snapshot=False,
    )


class Holding(Struct):
    """One repository: its tags, and the versions that they name, the highest first.

    Where tags point is asked when it is needed, and once.
    """

    place: Destination
    store: Store
    config: Config
    tags: frozenset[str]
    versions: tuple[Version, ...]
    _digests: dict[str, Digest | None] = field(default_factory=dict)

    @property
    def finals(self) -> tuple[Version, ...]:
        """The versions that are no pre-releases."""
        return tuple(version for version in self.versions if not version.prerelease)

    def own(self, held: Mapping[str, Digest | None]) -> dict[str, Digest | None]:
        """By tag, what is said by reference of tags here."""
        start = str(self.place.with_tag("x"))[:-1]
        found = held.items()
        return {name.removeprefix(start): its for name, its in found if name.startswith(start)}

    def digest_at(self, tag: str) -> Digest | None:
        """Where a tag points; ``None`` if there is no such tag."""
        if tag not in self._digests:
            self._digests[tag] = held_by(self.store, tag)
        return self._digests[tag]

    def digest_of(self, version: Version) -> Digest | None:
        """The image of a version; ``None`` if no tag here names it."""
        named = (tag for tag in release_tags(self.config, version).fixed if tag in self.tags)
        tag = next(named, None)
        return self.digest_at(tag) if tag else None

    def version_of(self, digest: Digest) -> Version | None:
        """The highest version whose image this is; ``None`` if no tag says so."""
        for some in batches(self.versions, 2 * JOBS):
            for version, its in zip(some, self._look(some), strict=True):
                if its == digest:
                    return version
        return None

    def current(self) -> Version | None:
        """The version that is out: the highest final one which the last of its moving tags points
        at. ``None`` if there is none."""
        for some in batches(self.finals, 2 * JOBS):
            for version, its in zip(some, self._look(some), strict=True):
                moving = release_tags(self.config, version).moving
                if its and moving and self.digest_at(moving[-1]) == its:
                    return version
        return None

    def _look(self, versions: Sequence[Version]) -> list[Digest | None]:
        with workers(JOBS, "look") as pool:
            return list(pool.map(self.digest_of, versions))


def read_holding(
    config: Config, stores: Stores, place: Destination, *, writing: bool = True
) -> Holding:
    """Ask a repository for its tags, as one who may write there or as a reader.

    Raises :class:`~manyfest.errors.Unsupported` if it gives no list of them, and
    :class:`~manyfest.errors.NotFound` if there is no such repository.
    """
    store = stores.registry(place, writing=writing)
    if not isinstance(store, Lists):
        raise Unsupported("it gives no list of its tags", where=place.place)
    tags = frozenset(filter(is_tag, store.tags()))
    return Holding(place, store, config, tags, _versions(config, tags))


def _versions(config: Config, tags: Iterable[str]) -> tuple[Version, ...]:
    templates = [rule.tag for rule in config.tags if rule.names_version] or [PLAIN]
    found = versions_among(tags, templates, config.name)
    return tuple(map(version_from, sorted(found, reverse=True)))
