"""What a page is made from: the watch, its history, and the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct
from sqlalchemy import Connection

from manyfest.watch.config.values import WatchedImage
from manyfest.watch.service_api import Service
from manyfest.watch.web.pages.page import Page


class View(Struct, frozen=True):
    """One look at everything. ``rest`` is what follows the page's own address, and ``query`` what
    comes after the question mark."""

    service: Service
    connection: Connection
    now: float
    images: tuple[WatchedImage, ...]
    rest: str
    query: Mapping[str, str]

    def image(self, name: str) -> WatchedImage | None:
        """The image of that name, if it is watched."""
        return next((each for each in self.images if each.name == name), None)


class NoSuchPage(Exception):
    """There is nothing at this address; the text says what is not there."""


Builder = Callable[[View], Page]
"""Makes a page. Raises :class:`NoSuchPage`."""
