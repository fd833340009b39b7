"""From a request that changed something to events, in the form of CNCF Distribution
(``docs/content/about/notifications.md`` and ``notifications/event.go`` there). Pure.

What is told is what can be pulled: manifests that were pushed, with each of their tags, and
manifests and tags that were removed. Of blobs and of pulls nothing is told, as they are many and
of use to few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec
from msgspec import Struct

from manyfest.oci.mediatypes import MANIFESTS
from manyfest.serve.observed import Exchange

MEDIA_TYPE = "application/vnd.docker.distribution.events.v2+json"

_LONGEST = 500
"""Characters of what a client sent."""


class Target(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an event is about. ``length`` is the ``size`` again, as old receivers know it."""

    media_type: str = msgspec.field(default="", name="mediaType")
    digest: str = ""
    size: int = 0
    length: int = 0
    repository: str
    url: str = ""
    tag: str = ""


class Asked(Struct, frozen=True, kw_only=True):
    """The request that led to an event. ``host`` is the registry's as clients write it."""

    id: str
    addr: str
    host: str
    method: str
    useragent: str


class Actor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who asked, if there are users."""

    name: str = ""


class Source(Struct, frozen=True, kw_only=True):
    """Which registry tells of it, and a name for the time since it was started."""

    addr: str
    instance: str = msgspec.field(name="instanceID")


class Event(Struct, frozen=True, kw_only=True):
    """One thing that happened, ``push`` or ``delete``."""

    id: str
    timestamp: str
    action: str
    target: Target
    request: Asked
    actor: Actor
    source: Source


class Envelope(Struct, frozen=True):
    """What one request to a receiver holds."""

    events: tuple[Event, ...]


def events_of(
    exchange: Exchange,
    url: str,
    source: Source,
    now: float,
    identity: Callable[[], str] = lambda: str(uuid4()),
) -> Iterator[Event]:
    """What became of a request: one event for each tag, or for a manifest without one; none for
    what changed nothing that is told. ``url`` is the registry's for its clients, without a slash
    at its end, and ``now`` is in seconds since 1970."""
    request = exchange.request
    for action, target in _targets(exchange, url):
        yield Event(
            id=identity(),
            timestamp=datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
            action=action,
            target=target,
            request=Asked(
                id=request.id,
                addr=exchange.client,
                host=urlsplit(url).netloc or request.header("host")[:_LONGEST],
                method=request.method,
                useragent=request.header("user-agent")[:_LONGEST],
            ),
            actor=Actor(name=request.user),
            source=source,
        )


def _targets(exchange: Exchange, url: str) -> Iterator[tuple[str, Target]]:
    route, response = exchange.request.route, exchange.response
    if route is None or route.endpoint != "manifest":
        return
    if exchange.request.method == "PUT" and response.status == 201:
        for target in _pushed(exchange, route.name, route.item, url):
            yield "push", target
    elif exchange.request.method == "DELETE" and response.status == 202:
        if ":" in route.item:
            yield "delete", Target(repository=route.name, digest=route.item)
        else:
            yield "delete", Target(repository=route.name, tag=route.item)


def _pushed(exchange: Exchange, repository: str, item: str, url: str) -> Iterator[Target]:
    """The manifest under each of its tags."""
    request, headers = exchange.request, exchange.response.headers
    digest = headers["Docker-Content-Digest"]
    declared = request.header("content-type").partition(";")[0].strip()
    tags = [item] if ":" not in item else headers.get("OCI-Tag", "").split(", ")
    for tag in tags:
        yield Target(
            media_type=declared if declared in MANIFESTS else "",
            digest=digest,
            size=request.received,
            length=request.received,
            repository=repository,
            url=f"{url}/v2/{repository}/manifests/{digest}" if url else "",
            tag=tag,
        )
