"""A watched image as it is polled: its places, and which of its tags are looked at."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

from manyfest.errors import ManyfestError
from manyfest.oci.platform import Platform
from manyfest.oci.reference import is_tag
from manyfest.stores.base import Source
from manyfest.watch.config.values import TagChoice, WatchedImage
from manyfest.watch.poll.lane import Look
from manyfest.watch.poll.seen import SeenImage
from manyfest.watch.poll.tags import WatchedTags
from manyfest.watch.values import TagState

logger = logging.getLogger(__name__)


class Repositories(Protocol):
    """Where repositories are looked at; :class:`~manyfest.watch.poll.network.Network` is one."""

    def source(self, place: str) -> Source:
        """The repository ``host/name``."""
        ...

    def learn_anew(self, place: str) -> None:
        """Forget what was learnt of how the repository is to be asked."""
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
    """A watched image: its places, which of its tags are ``followed``, which of these are ``new``
    since the watch began, when all of each was asked for (``checked``), and which of its places
    are ``unlisted``: their list of tags is not known at the moment."""

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
        self.unlisted = set(self.places) if asked.tags.describes else set[str]()
        self._refused: dict[str, str] = {}
        self._has_wondered = False

    def note_fault(self, repository: str, error: ManyfestError, *, is_refused: bool) -> None:
        """Say that the list of tags cannot be had: once, if it is refused."""
        if not (is_refused and repository in self._refused):
            logger.warning("the tags of %s are not known: %s", repository, error)
        if is_refused:
            self._refused[repository] = str(error)
        self.unlisted.add(repository)

    def troubles(self) -> tuple[str, ...]:
        """Which repositories refuse the list of their tags, and why, a line each."""
        refused = self._refused.items()
        return tuple(f"the tags of {name} are not known: {why}" for name, why in refused)

    def note_list(self, repository: str, tags: Collection[str]) -> None:
        """Say so, once, if a repository has tags and none of them is what is watched: somebody may
        wonder why nothing is seen."""
        self.unlisted.discard(repository)
        self._refused.pop(repository, None)
        if tags and not self._has_wondered and not self.tags.watched:
            self._has_wondered = True
            logger.warning(
                "%s has %d tags, and none of them is watched: if 'tags' says nothing else it takes"
                " versions such as 1.2.3; 'match' and 'names' take other ones",
                repository,
                len(tags),
            )

    def admits(self, tag: str) -> bool:
        """Whether a tag is watched of which somebody says that it is there; without one, whether
        the list of tags is."""
        return is_tag(tag) and self.tags.admit(tag) if tag else self.asked.tags.describes

    def recall(
        self, states: Iterable[TagState], listed: Mapping[str, TagChoice | None], at: float
    ) -> dict[Look, float]:
        """Take what the history knows of tags, and by which choice each place was ``listed``; it is
        ``at`` this moment in seconds. Gives when each tag was answered for last in each place, in
        seconds since 1970."""
        answered: dict[Look, float] = {}
        known: dict[str, list[str]] = {place: [] for place in self.places}
        for state in states:
            for seen in state.places:
                if seen.place not in self.places:
                    continue
                self.places[seen.place].recall(state.tag, seen)
                self.tags.see(seen.place, state.tag, is_there=bool(seen.digest), at=at)
                if seen.answered_at is not None:
                    known[seen.place].append(state.tag)
                look = Look(self.asked.name, seen.place, state.tag)
                answered[look] = seen.answered_at or 0.0
        for place, tags in known.items():
            self.tags.recall(place, tags, listed[place])
        return answered

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
