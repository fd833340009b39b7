"""The page of a registry: does it answer, and how fast."""

from __future__ import annotations

from manyfest.watch.history.read import incidents, registries
from manyfest.watch.web.pages.chart import chart
from manyfest.watch.web.pages.health import health
from manyfest.watch.web.pages.page import Page
from manyfest.watch.web.pages.view import NoSuchPage, View
from manyfest.watch.web.pages.words import registry_of
from manyfest.watch.web.rendering import fragment

_INCIDENTS = 50


def registry(view: View) -> Page:
    """The page below ``/registries/``."""
    host = view.rest
    watched = {registry_of(place.repository) for each in view.images for place in each.rule.places}
    if host not in watched and host not in registries.hosts(view.connection):
        raise NoSuchPage(f"No image is watched in a registry “{host}”.")
    shown = health(registries.standing(view.connection, host, view.now))
    picture = chart(registries.latencies(view.connection, host, view.now), view.now)
    known = incidents.of_registry(view.connection, host, _INCIDENTS)
    return Page(
        title=host,
        state=shown.word.capitalize(),
        level=shown.level,
        fragments=(
            fragment("head", "registry_head", health=shown),
            fragment("chart", "registry_chart", chart=picture),
            fragment("incidents", "registry_incidents", known=known),
        ),
        registry=host,
    )
