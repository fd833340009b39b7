"""A watched image as it is polled: its places, and which of its tags are looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from manyfest.oci.platform import Platform
from manyfest.stores.base import Source
from manyfest.watch.config.values import WatchedImage
from manyfest.watch.poll.lane import Look
from manyfest.watch.poll.seen import SeenImage
from manyfest.watch.poll.tags import WatchedTags


class Repositories(Protocol):
    """Where repositories are looked at; :class:`~manyfest.watch.poll.network.Network` is one."""

    def source(self, place: str) -> Source:
        """The repository ``host/name``."""
        ...

    def require_registry(self, registry: str) -> None:
        """Raises :class:`~manyfest.errors.RegistryError` if what answers there is none."""
        ...

    def rest(self, registry: str) -> float:
        """Seconds for which the registry wants to be left alone."""
        ...

    def sent(self) -> int:
        """How many requests to registries this thread has sent."""
        ...


class PolledImage:
    """A watched image: its places, which of its tags are looked at, which of these are ``new``
    since the watch began, and when all of each was asked for."""

    def __init__(self, asked: WatchedImage, repositories: Repositories) -> None:
        self.asked = asked
        self.tags = WatchedTags(asked.tags, asked.rule.settle)
        platforms = [Platform.parse(each) for each in asked.rule.platforms]
        self.places = {
            place.repository: SeenImage(
                place.repository,
                _opener(repositories, place.repository),
                platforms,
                asked.signed_by,
            )
            for place in asked.rule.places
        }
        self.followed: set[str] = set()
        self.new: set[str] = set()
        self.checked: dict[Look, float] = {}

    def inherit(self, before: PolledImage) -> None:
        """Take over what was listed while the same image was watched in another way: that does not
        become new by it."""
        self.tags.inherit(before.tags, self.places)

    def is_new(self, tag: str) -> bool:
        """Whether a tag of which somebody says that it is there came while the image was
        watched."""
        return any(self.tags.is_new(place, tag) for place in self.places)

    def looks(self, tag: str = "") -> list[Look]:
        """The looks at a tag, or at the list of tags, one in each place."""
        return [Look(image=self.asked.name, repository=place, tag=tag) for place in self.places]


def _opener(repositories: Repositories, place: str) -> Callable[[], Source]:
    return lambda: repositories.source(place)
