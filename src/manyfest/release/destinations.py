"""Where a release goes: repositories for all platforms, and some for one alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from manyfest.errors import ConfigError
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name, is_repository

if TYPE_CHECKING:
    from manyfest.release.project.config import Config
    from manyfest.release.tags.plan import PlannedTag


class Destination(Name, frozen=True):
    """A repository that a release goes to. One with a ``platform`` gets that platform's image
    alone, under the same tags."""

    platform: Platform | None = None

    def takes(self, tag: PlannedTag) -> bool:
        """Whether the tag is set here: where one platform is alone, its name is not said again."""
        return self.platform is None or tag.platform is None


def destinations(config: Config, repositories: Iterable[Name]) -> tuple[Destination, ...]:
    """The repositories, and then those that ``arch_repositories`` adds to each of them.

    Raises :class:`~manyfest.errors.ConfigError` for one that no registry would have, and for two
    that are the same.
    """
    names = tuple(repositories)
    found = {name.place: Destination(name.registry, name.repository) for name in names}
    for key, suffix in config.arch_repositories.items():
        for name in names:
            destination = Destination(
                name.registry, name.repository + suffix, platform=Platform.parse(key)
            )
            _check(destination, key, suffix, found, config)
            found[destination.place] = destination
    return tuple(found.values())


def _check(
    destination: Destination,
    key: str,
    suffix: str,
    found: dict[str, Destination],
    config: Config,
) -> None:
    where = config.where(f"arch_repositories.{key}")
    if not is_repository(destination.repository):
        raise ConfigError(
            f"'arch_repositories': {suffix[:80]!r} makes {destination.repository[:300]!r},"
            " which is no repository's name",
            where=where,
            mend="write lower-case letters and digits after a '-', as in -arm64",
        )
    if destination.place in found:
        raise ConfigError(
            f"'arch_repositories': {suffix[:80]!r} makes {destination.place}, which is there"
            " already",
            where=where,
            mend="write another ending",
        )
