"""The page of a version: what is where, how to pull it, and how it came to be complete."""

from __future__ import annotations

from manyfest.watch import addresses
from manyfest.watch.config.values import WatchedImage
from manyfest.watch.history.read import events, facts, held, incidents
from manyfest.watch.history.read.events import About
from manyfest.watch.history.read.versions import Version
from manyfest.watch.values import TagState
from manyfest.watch.web.pages.grid import Grid, grid
from manyfest.watch.web.pages.page import Fragment, Page
from manyfest.watch.web.pages.timeline import Timeline, timeline
from manyfest.watch.web.pages.view import View
from manyfest.watch.web.pages.words import STANDINGS
from manyfest.watch.web.rendering import fragment
from manyfest.watch.wording import span

_EVENTS = 50
_HELD = 50
_INCIDENTS = 10


def version_page(view: View, version: Version) -> Page:
    """The page of one tag of one image."""
    state = version.state
    image = view.image(state.image)
    places = grid(state, image)
    word, level = STANDINGS[version.standing]
    return Page(
        title=f"{state.image} {state.tag}",
        state=word.capitalize(),
        level=level,
        fragments=(
            _head(version, image, places),
            _timeline(view, state, places, image),
            _places(view, state, places, image),
            _history(view, state),
        ),
        image=state.image,
    )


def _head(version: Version, image: WatchedImage | None, places: Grid) -> Fragment:
    state, soak = version.state, image.rule.soak if image else 0.0
    is_timed = not state.was_there and state.first_seen is not None
    complete = state.complete_at
    return fragment(
        "head",
        "version_head",
        state=state,
        grid=places,
        standing_name=version.standing,
        took=complete - (state.first_seen or 0.0) if is_timed and complete is not None else None,
        soaks_until=complete + soak if soak and complete is not None else None,
    )


def _timeline(view: View, state: TagState, places: Grid, image: WatchedImage | None) -> Fragment:
    soak = image.rule.soak if image else 0.0
    picture = timeline(state, places, soak, view.now)
    lines = [line for group in picture.groups for line in group.lines] if picture else []
    return fragment(
        "timeline",
        "version_timeline",
        picture=picture,
        lines=lines,
        words=_in_words(picture),
        version_state=state,
    )


def _places(view: View, state: TagState, places: Grid, image: WatchedImage | None) -> Fragment:
    known = facts.facts_of(view.connection, state)
    held = {each.repository: known.get(each.seen.digest) for each in places.columns}
    return fragment(
        "places",
        "version_places",
        grid=places,
        signers={each.repository: image.signer_of(each.seen) for each in places.columns}
        if image
        else {},
        attached={place: each.attached for place, each in held.items() if each},
        parts={
            (place, part.digest): part
            for place, each in held.items()
            if each
            for part in each.platforms
        },
    )


def _in_words(picture: Timeline | None) -> str:
    """What the picture shows, for those who do not see it."""
    if picture is None:
        return ""
    said = []
    for group in picture.groups:
        for line in group.lines:
            after = line.ready_after
            how = "not ready yet" if after is None else f"ready after {span(after)}"
            said.append(f"{group.column.label} {line.label} {how}")
    return f"From the first sighting on: {'; '.join(said)}. The table below has the times."


def _history(view: View, state: TagState) -> Fragment:
    named = About(image=state.image, tag=state.tag)
    found = events.happened(view.connection, named, _EVENTS + 1)
    more = addresses.with_query("/history", image=state.image, tag=state.tag)
    return fragment(
        "history",
        "version_history",
        events=found[:_EVENTS],
        more=more if len(found) > _EVENTS else "",
        held=held.held(view.connection, state.image, state.tag, _HELD),
        incidents=incidents.of_tag(view.connection, state.image, state.tag, _INCIDENTS),
    )
