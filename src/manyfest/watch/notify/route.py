"""Who is told of what, and when. Pure.

What happened to one version at one moment is one notice: five platforms that become ready together
are. What is put off, to the end of a quiet time or to a digest, is one notice for all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from manyfest.oci.reference import Name
from manyfest.watch.config.values import WatchedImage
from manyfest.watch.notify.times import due_at
from manyfest.watch.recipients import Recipient
from manyfest.watch.values import Event, Notice


def route(
    events: Sequence[Event],
    recipients: Iterable[Recipient],
    images: Iterable[WatchedImage],
    now: float,
) -> list[Notice]:
    """What each recipient is to be told of ``events``, which are in the order in which they are
    told; ``now`` is in seconds since 1970.

    Of an image those hear whom it names; of a registry those who hear of an image in it. What is
    about no image that is watched, as one that was just taken out, is told to everybody.
    """
    audience = _Audience(images)
    heard = [audience.of(event) for event in events]
    return [
        notice
        for recipient in recipients
        for notice in _notices(recipient, _wanted(recipient, events, heard), now)
    ]


def _wanted(
    recipient: Recipient, events: Iterable[Event], heard: Iterable[AbstractSet[str] | None]
) -> Iterator[Event]:
    for event, names in zip(events, heard, strict=True):
        if event.kind in recipient.kinds and (names is None or recipient.name in names):
            yield event


def _notices(recipient: Recipient, events: Iterable[Event], now: float) -> Iterator[Notice]:
    """The events that are told together, in the order of the first of each."""
    together: dict[tuple[float, tuple[str, ...]], list[Event]] = {}
    for event in events:
        due = due_at(recipient, event.kind, now)
        about = () if due > now else (event.image, event.tag, "" if event.image else event.registry)
        together.setdefault((due, about), []).append(event)
    for (due, _), each in together.items():
        yield Notice(recipient=recipient.name, due=due, events=tuple(each))


class _Audience:
    """Who hears of an image, and of a registry: looked up once for all events, and that of
    registries only if there is one of a registry."""

    def __init__(self, images: Iterable[WatchedImage]) -> None:
        self._images = {image.name: image for image in images}
        self._of_registries: Mapping[str, set[str]] | None = None

    def of(self, event: Event) -> AbstractSet[str] | None:
        """Their names, or ``None`` for everybody."""
        if event.image:
            image = self._images.get(event.image)
            return frozenset(image.notify) if image else None
        if self._of_registries is None:
            self._of_registries = self._registries()
        return self._of_registries.get(event.registry)

    def _registries(self) -> Mapping[str, set[str]]:
        found: dict[str, set[str]] = {}
        for image in self._images.values():
            for place in image.rule.places:
                registry = Name.parse(place.repository).registry
                found.setdefault(registry, set()).update(image.notify)
        return found
