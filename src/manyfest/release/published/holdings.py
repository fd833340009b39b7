"""What a repository holds of a project: its versions, and where their tags point."""

from __future__ import annotations

from collections import Counter
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
from manyfest.release.versions.version import Version, version_order
from manyfest.stores.base import Lists, Store
from manyfest.threads import batches, workers

if TYPE_CHECKING:
    import semver

    from manyfest.release.project.config import Config
    from manyfest.stores.open import Stores

_OF_A_VERSION = frozenset({"name", "version", "major", "minor", "patch"})


class ReleaseTags(Struct, frozen=True):
    """The tags that a release of a version sets and that can be told from the version alone: those
    that name it for good, and those that move, ``latest`` last. Of these, those that go ``forward``
    move to the highest version that there is for them."""

    fixed: tuple[str, ...]
    moving: tuple[str, ...]
    forward: tuple[str, ...]


class Standing(Struct, frozen=True, kw_only=True):
    """Where the tags are, in one repository, that are due to a version: ``at_it``, or
    ``elsewhere``."""

    repository: str
    version: str
    at_it: tuple[str, ...]
    elsewhere: tuple[str, ...]

    @property
    def is_half(self) -> bool:
        """Whether the version is out under some of them only."""
        return bool(self.at_it and self.elsewhere)

    @property
    def what(self) -> str:
        """That it is half released, in words."""
        return (
            f"{self.version} is half released: {_are(self.at_it)} at it, and"
            f" {_are(self.elsewhere)} not"
        )

    @property
    def mend(self) -> str:
        """How it is released whole, or not at all."""
        take_back = f"manyfest rollback --of {self.version}"
        return f"release {self.version} again to finish it, or take it back: {take_back}"


def release_tags(config: Config, version: Version) -> ReleaseTags:
    """The tags of a release. One that names the commit, a day or a branch is not among them."""
    rules = tuple(rule for rule in config.tags if rule.tag.variables <= _OF_A_VERSION)
    planned = plan_tags(replace(config, tags=rules, arch_tags=False), version)
    wanted = [tag for tag in planned if not tag.skipped]
    return ReleaseTags(
        fixed=tuple(tag.tag for tag in wanted if not tag.moves),
        moving=tuple(tag.tag for tag in wanted if tag.moves),
        forward=tuple(tag.tag for tag in wanted if tag.goes_by == "version"),
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


def is_higher(one: Version, other: Version) -> bool:
    """Whether one version comes after another."""
    return version_order(one.text) > version_order(other.text)


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
    _tags: dict[Version, ReleaseTags] = field(default_factory=dict)

    @property
    def finals(self) -> tuple[Version, ...]:
        """The versions that are no pre-releases."""
        return tuple(version for version in self.versions if not version.prerelease)

    def tags_of(self, version: Version) -> ReleaseTags:
        """The tags of a release, worked out once."""
        if version not in self._tags:
            self._tags[version] = release_tags(self.config, version)
        return self._tags[version]

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
        named = (tag for tag in self.tags_of(version).fixed if tag in self.tags)
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
                moving = self.tags_of(version).moving
                if its and moving and self.digest_at(moving[-1]) == its:
                    return version
        return None

    def version_at(self, tag: str) -> Version | None:
        """The version that one of its moving tags holds; ``None`` if it is none that has it."""
        its = self.digest_at(tag) if tag in self.tags else None
        for version in self.versions if its else ():
            if tag in self.tags_of(version).moving and self.digest_of(version) == its:
                return version
        return None

    def half_released(self, above: Version | None = None) -> list[Standing]:
        """The versions, of all or of those ``above`` one that is out, that are out in part: a
        release was killed, or could not be put back."""
        rights = self._rights()
        asked = [version for version, tags in rights.items() if len(tags) > 1]
        if above is not None:
            asked = [version for version in asked if is_higher(version, above)]
            out = self.digest_of(above)
            asked = [version for version in asked if self.digest_of(version) != out]
        with workers(JOBS, "half") as pool:
            found = pool.map(lambda version: self._standing(version, rights[version]), asked)
            return [each for each in found if each.is_half]

    def newest(self) -> Standing | None:
        """Where the highest final version is; ``None`` if there is none."""
        version = next(iter(self.finals), None)
        return self._standing(version, self._rights()[version]) if version else None

    def _rights(self) -> dict[Version, list[str]]:
        """By version, the highest first, the tags here that are due to it and to no other, as a
        release would have it: no higher version is there for them.

        A tag that no other version can have is left out. It tells nothing: a rollback leaves it
        where it is if the registry takes no tag away.
        """
        wanted = {each: self.tags_of(each).forward for each in self.versions}
        rivals = Counter(tag for tags in wanted.values() for tag in tags)
        given: set[str] = set()
        rights: dict[Version, list[str]] = {}
        for version, tags in wanted.items():
            due = (tag for tag in tags if tag in self.tags and tag not in given)
            rights[version] = [tag for tag in due if rivals[tag] > 1]
            given.update(tags)
        return rights

    def _standing(self, version: Version, tags: Iterable[str]) -> Standing:
        its = self.digest_of(version)
        at_it = tuple(tag for tag in tags if self.digest_at(tag) == its)
        elsewhere = tuple(tag for tag in tags if self.digest_at(tag) not in (its, None))
        return Standing(
            repository=self.place.place, version=version.text, at_it=at_it, elsewhere=elsewhere
        )

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


def _are(tags: Sequence[str]) -> str:
    return f"{', '.join(tags)} {'are' if len(tags) > 1 else 'is'}"


def _versions(config: Config, tags: Iterable[str]) -> tuple[Version, ...]:
    templates = [rule.tag for rule in config.tags if rule.names_version] or [PLAIN]
    found = versions_among(tags, templates, config.name)
    return tuple(map(version_from, sorted(found, reverse=True)))
