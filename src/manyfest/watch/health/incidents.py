"""What is wrong at the moment, as events begin and end it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec.structs import replace

from manyfest.watch.values import Event, Incident, Kind, Rule

Key: TypeAlias = tuple[Kind, str, str, str, str]
"""What is wrong is told apart by: the kind, the registry, the image, the tag and the place."""

Tag: TypeAlias = tuple[str, str]
"""An image and its tag."""

_BEGIN: frozenset[Kind] = frozenset({"unreachable", "late", "differ", "incomplete"})

_ENDS: Mapping[Kind, tuple[Kind, ...]] = {
    "recovered": ("unreachable",),
    "complete": ("late", "incomplete"),
    "agree": ("differ",),
}

_OF_A_TAG: tuple[Kind, ...] = ("late", "differ", "incomplete")

GONE = "gone"
"""What a ``vanished`` is about when it is the last one."""


def follow(
    open: Iterable[Incident],  # noqa: A002 - what they are
    events: Iterable[Event],
) -> tuple[tuple[Incident, ...], tuple[Incident, ...]]:
    """The incidents that the ``events`` open, and those of the ``open`` ones that they close, as
    they are now. One that begins and ends within them is among the former, with its end.

    What is wrong already does not begin again. A tag that is gone for good ends all that was wrong
    with it.
    """
    standing = {key_of(each): each for each in open}
    new: set[Key] = set()
    begun: list[Incident] = []
    closed: list[Incident] = []
    for event in events:
        for key in _ended(event, list(standing)):
            incident = standing.pop(key)
            ended = replace(incident, ended=max(event.at, incident.began))
            (begun if key in new else closed).append(ended)
            new.discard(key)
        incident = _incident(event)
        if event.kind in _BEGIN and key_of(incident) not in standing:
            standing[key_of(incident)] = incident
            new.add(key_of(incident))
    begun += [each for key, each in standing.items() if key in new]
    return tuple(sorted(begun, key=lambda each: each.began)), tuple(closed)


def unwatched(
    open: Iterable[Incident],  # noqa: A002 - what they are
    rules: Mapping[str, Rule],
    left: Collection[Tag],
    now: float,
) -> tuple[Incident, ...]:
    """Those of the ``open`` incidents that end ``now`` because what they are about is not watched
    any more: none of the ``rules``, by their images, has it, or the tag was ``left``. Nothing else
    would end them; their cause says so."""
    standing = tuple(open)
    if not standing:
        return ()
    places = {(name, place.repository) for name, rule in rules.items() for place in rule.places}
    registries = {repository.partition("/")[0] for _, repository in places}

    def is_watched(it: Incident) -> bool:
        if it.registry:
            return it.registry in registries
        is_there = it.image in rules and (not it.place or (it.image, it.place) in places)
        return is_there and (it.image, it.tag) not in left

    return tuple(
        replace(each, ended=max(now, each.began), cause=f"{each.cause}; it is not watched any more")
        for each in standing
        if not is_watched(each)
    )


def _incident(event: Event) -> Incident:
    """A registry's began when it did not answer for the first time."""
    return Incident(
        kind=event.kind,
        began=event.at - (event.lag or 0.0) if event.kind == "unreachable" else event.at,
        cause=event.why or event.kind,
        registry=event.registry,
        image=event.image,
        tag=event.tag,
        place=event.place,
    )


def _ended(event: Event, standing: Sequence[Key]) -> list[Key]:
    """Which of those that stand the event ends."""
    if event.kind == "vanished" and event.what == GONE:
        of_it = (event.image, event.tag)
        return [key for key in standing if key[0] in _OF_A_TAG and key[2:4] == of_it]
    about = (event.registry, event.image, event.tag, event.place)
    keys: list[Key] = [(kind, *about) for kind in _ENDS.get(event.kind, ())]
    return [key for key in keys if key in standing]


def key_of(incident: Incident) -> Key:
    """What tells it apart from all others that are open."""
    it = incident
    return it.kind, it.registry, it.image, it.tag, it.place
