"""What things are called on the pages. Plain text, no markup; templates escape it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from manyfest.watch.values import Event, Incident, Place
from manyfest.watch.web.pages.page import Level
from manyfest.watch.wording import subject, told

STATES: Final[Mapping[str, tuple[str, str]]] = {
    "ready": (
        "ready",
        "its manifest is there; registries take none without its layers",
    ),
    "missing": ("missing", "the tag, or this platform in it, is not there"),
    "partial": ("partial", "it is listed, but a part of it is not there yet"),
    "different": ("different", "it is not what the first registry has"),
    "mislabelled": ("mislabelled", "it is for another platform than it says"),
    "unsigned": ("unsigned", "no signature by a key that is asked for was found"),
    "unknown": ("unknown", "this place has not been asked, or gave no answer so far"),
}
"""Each state of a platform in a place: in a word, and what it means."""

STANDINGS: Final[Mapping[str, tuple[str, Level]]] = {
    "complete": ("complete", "good"),
    "incomplete": ("not complete yet", "busy"),
    "late": ("late", "bad"),
    "differ": ("registries differ", "bad"),
    "gone": ("gone", "unknown"),
}
"""Each standing of a version: in a word or two, and how bad that is."""

KINDS: Final[Mapping[str, tuple[str, Level]]] = {
    "appeared": ("appeared", "busy"),
    "platform ready": ("platform ready", "good"),
    "complete": ("complete", "good"),
    "soaked": ("soaked", "good"),
    "late": ("late", "bad"),
    "incomplete": ("no longer complete", "bad"),
    "moved": ("moved", "busy"),
    "vanished": ("vanished", "bad"),
    "differ": ("registries differ", "bad"),
    "agree": ("registries agree", "good"),
    "unreachable": ("unreachable", "bad"),
    "recovered": ("recovered", "good"),
}
"""Each kind of event: its name, and how bad it is."""


def registry_of(repository: str) -> str:
    """``ghcr.io`` of ``ghcr.io/gotify/server``."""
    return repository.partition("/")[0]


def labels(places: Iterable[Place]) -> dict[str, str]:
    """What each place is called for short: its registry, if it is the only one there."""
    repositories = [place.repository for place in places]
    hosts = [registry_of(each) for each in repositories]
    return {
        each: host if hosts.count(host) == 1 else each
        for each, host in zip(repositories, hosts, strict=True)
    }


def sentence(event: Event) -> str:
    """The event as a sentence, to be read out."""
    return f"{subject(event)} {told(event)}."


def incident_title(incident: Incident) -> str:
    """What is or was wrong."""
    version = f"{incident.image} {incident.tag}".strip()
    where = f" in {incident.place}" if incident.place else ""
    match incident.kind:
        case "unreachable":
            return f"{incident.registry} unreachable"
        case "late":
            return f"{version} late{where}"
        case "differ":
            return f"{version} not the same in all registries"
        case "incomplete":
            return f"{version} no longer complete{where}"
        case _:
            return f"{version or incident.registry}: {KINDS[incident.kind][0]}{where}"
