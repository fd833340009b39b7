"""The state of a tag before anything was seen of it, and when the rule changes."""

from __future__ import annotations

from msgspec.structs import replace

from manyfest.watch.values import PlaceSeen, Rule, TagState


def beginning(rule: Rule, tag: str, began: float, *, was_there: bool = False) -> TagState:
    """The state of a tag that is watched from ``began`` on.

    ``was_there`` is for all that the first look at an image finds, and for tags that are named in
    the configuration: they may have been there for years, so the first answer of each place is no
    news. A tag that a later look finds is new.
    """
    places = tuple(PlaceSeen(place=each.repository, was_there=was_there) for each in rule.places)
    return TagState(image=rule.image, tag=tag, began=began, places=places)


def aligned(rule: Rule, state: TagState) -> TagState:
    """The state with the places of the rule, in its order. What a place that was added says first
    is no news, and what was known of one that was removed is dropped."""
    if len(rule.places) == len(state.places) and all(
        place.repository == seen.place
        for place, seen in zip(rule.places, state.places, strict=True)
    ):
        return state
    known = {seen.place: seen for seen in state.places}
    names = (place.repository for place in rule.places)
    places = tuple(known.get(name) or PlaceSeen(place=name, was_there=True) for name in names)
    return replace(state, places=places)
