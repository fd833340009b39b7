"""Which page is at which address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from manyfest.watch.service_api import Service
from manyfest.watch.web.pages.history import history
from manyfest.watch.web.pages.image import image_or_version
from manyfest.watch.web.pages.overview import overview
from manyfest.watch.web.pages.page import Page
from manyfest.watch.web.pages.registry import registry
from manyfest.watch.web.pages.search import search
from manyfest.watch.web.pages.view import Builder, NoSuchPage, View

WHOLE: Final[Mapping[str, Builder]] = {"/": overview, "/history": history, "/search": search}
"""Pages by their path."""

BELOW: Final[Mapping[str, Builder]] = {"/images/": image_or_version, "/registries/": registry}
"""Pages by the beginning of their path; what follows names what they are about."""


class Site:
    """Makes the pages of one watch. Any thread may ask; it waits for the history."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def page(self, path: str, query: Mapping[str, str]) -> Page:
        """The page at ``path``, which is decoded. Raises
        :class:`~manyfest.watch.web.pages.view.NoSuchPage`, and
        :class:`~manyfest.errors.HistoryError` if the history cannot be read."""
        build, rest = _found(path)
        service = self._service
        with service.history.reading() as connection:
            now, images = service.clock(), service.images()
            return build(View(service, connection, now, images, rest, query))

    def live_page(self, path: str) -> Page:
        """The page that open ones at ``path``, which is encoded, are kept like. Raises the same,
        also for a page that is not live."""
        page = self.page(unquote(path), {})
        if not page.live:
            raise NoSuchPage("This page does not change by itself.")
        return page


def _found(path: str) -> tuple[Builder, str]:
    if path in WHOLE:
        return WHOLE[path], ""
    for beginning, build in BELOW.items():
        if path.startswith(beginning) and len(path) > len(beginning):
            return build, path.removeprefix(beginning)
    raise NoSuchPage("There is no page at this address.")
