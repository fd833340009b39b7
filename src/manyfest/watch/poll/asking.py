"""One question to a registry: what a tag holds, or which tags there are."""

from __future__ import annotations

from manyfest.check.readiness import Readiness
from manyfest.errors import (
    ConnectionFailed,
    ManyfestError,
    NotFound,
    RateLimited,
    RegistryError,
)
from manyfest.oci.reference import Name
from manyfest.stores.registry.retry import PASSING_STATUSES
from manyfest.watch.poll.image import PolledImage, Repositories
from manyfest.watch.poll.lane import Look, Outcome


class Asker:
    """Asks, and takes no other web server for a registry. Threads may share it."""

    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories
        self._proven: set[str] = set()

    def held(self, image: PolledImage, look: Look, *, again: bool) -> Readiness:
        """What the tag holds; see :meth:`~manyfest.watch.poll.seen.SeenImage.look`.

        Raises :class:`~manyfest.errors.ManyfestError` if the registry cannot tell.
        """
        if again:
            self._repositories.learn_anew(look.repository)
        answer = image.places[look.repository].look(look.tag, again=again)
        registry = registry_of(look.repository)
        if registry not in self._proven:
            if not answer.digest:  # any web server says 404 to what it does not know
                self._repositories.require_registry(registry)
            self._proven.add(registry)
        return answer

    def tags(self, image: PolledImage, repository: str) -> tuple[str, ...]:
        """The repository's tags: none if the registry has no such repository yet. All that comes
        is new then. Raises the same."""
        try:
            return image.places[repository].tags()
        except NotFound:
            self._repositories.require_registry(registry_of(repository))
            return ()


def outcome_of(error: ManyfestError) -> Outcome:
    """Whether it is the registry that gives no answers, or what was asked that it refuses."""
    if isinstance(error, ConnectionFailed | RateLimited):
        return "failed"
    if isinstance(error, RegistryError):
        passing = error.status in PASSING_STATUSES or error.status >= 500
        return "failed" if passing else "refused"
    return "refused"


def registry_of(repository: str) -> str:
    """The registry of ``host/name``."""
    return Name.parse(repository).registry
