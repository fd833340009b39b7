"""Values of a watch, as tests need them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from manyfest.notify.address import Address
from manyfest.stores.registry.auth.secret import Secret
from manyfest.watch.config.values import TagChoice, WatchedImage
from manyfest.watch.recipients import Recipient
from manyfest.watch.values import Event, Kind, Place, Rule


def at(moment: str) -> float:
    """``2026-11-26T20:31Z`` in seconds since 1970."""
    return datetime.fromisoformat(moment).timestamp()


NOW = at("2026-11-26T20:31Z")


def recipient(name: str = "ops", **more: object) -> Recipient:
    """Somebody whom Gotify tells."""
    url = Secret(f"gotify://push.example.org/{name}-t0ken")
    address = Address(url=url, label="gotify://push.example.org")
    return Recipient(**{"name": name, "address": address, **more})  # type: ignore[arg-type]


def image(
    name: str = "gotify/server",
    *,
    places: Sequence[str] = ("docker.io/gotify/server", "ghcr.io/gotify/server"),
    notify: Sequence[str] = ("ops",),
) -> WatchedImage:
    """An image that is watched in these places."""
    rule = Rule(
        image=name,
        places=tuple(Place(repository=place) for place in places),
        platforms=("linux/amd64", "linux/arm64"),
    )
    return WatchedImage(rule=rule, tags=TagChoice(), every=300.0, notify=tuple(notify))


def event(kind: Kind, tag: str = "2.6.1", **more: object) -> Event:
    """Something that happens to a version of the image."""
    about = {"kind": kind, "at": NOW, "image": "gotify/server", "tag": tag, **more}
    return Event(**about)  # type: ignore[arg-type]


def of_registry(kind: Kind, registry: str = "ghcr.io", **more: object) -> Event:
    """Something that happens to a registry."""
    return Event(**{"kind": kind, "at": NOW, "registry": registry, **more})  # type: ignore[arg-type]
