"""Who is told what is found at registries."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from manyfest.watch.history.batch import WasListed
from manyfest.watch.values import Facts, Observation


class Told(Protocol):
    """Takes what is found; a :class:`~manyfest.watch.deciding.Decider`. Any thread may call it."""

    def find(self, image: str, tags: Collection[str], *, was_there: bool) -> None:
        """These tags are watched from now on. ``was_there``: nobody knows since when they are
        there, as with all that the first look at a repository finds. It does not wait."""
        ...

    def listed(self, lists: WasListed) -> None:
        """A repository was listed by another choice than before; what that found was told. It does
        not wait."""
        ...

    def leave(self, image: str, tags: Collection[str]) -> None:
        """These are not watched any more: others are newer, or they are gone. It does not wait."""
        ...

    def observe(self, observation: Observation) -> None:
        """What a place said of a tag. It may make the thread that asked wait."""
        ...

    def learn(self, image: str, tag: str, facts: Facts) -> None:
        """What that consists of which the tag means. It does not wait."""
        ...
