"""What was found at registries, on its way to be decided. Values only."""

from __future__ import annotations

from msgspec import Struct

from manyfest.watch.values import Facts


class Found(Struct, frozen=True):
    """Tags that are watched from now on; see :class:`~manyfest.watch.poll.told.Told`."""

    image: str
    tags: tuple[str, ...]
    was_there: bool


class Left(Struct, frozen=True):
    """Tags that are not watched any more."""

    image: str
    tags: tuple[str, ...]


class Learned(Struct, frozen=True):
    """What a version consists of."""

    image: str
    tag: str
    facts: Facts
