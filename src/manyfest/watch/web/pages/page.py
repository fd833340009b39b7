"""A page is made of fragments, each of which can be put in the place of what was there before."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal, Self

from msgspec import Struct

Level = Literal["good", "busy", "bad", "unknown"]
"""How things are as a whole: the colour and shape of banner and icon."""


class Fragment(Struct, frozen=True):
    """A part of a page, under a name of its own. ``html`` has marks where it says how long ago
    something was; see :mod:`~manyfest.watch.web.pages.times`."""

    name: str
    html: str
    version: str

    @classmethod
    def of(cls, name: str, html: str) -> Self:
        """The fragment, with the version that its text gives it."""
        return cls(name, html, blake2b(html.encode(), digest_size=8).hexdigest())


class Page(Struct, frozen=True, kw_only=True):
    """What is shown at one address. ``state`` is it in a word or two, for the tab's title.

    ``image`` and ``registry`` name what it is about, if that is one thing alone. A page that is
    ``live`` follows what happens while it is open.
    """

    title: str
    state: str
    level: Level
    fragments: tuple[Fragment, ...]
    image: str = ""
    registry: str = ""
    live: bool = True

    @property
    def version(self) -> str:
        """The same for equal pages."""
        parts = [self.state, *(f"{each.name}={each.version}" for each in self.fragments)]
        return blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()
