"""Versions as cards, in the overview and on the page of their image."""

from __future__ import annotations

from msgspec import Struct

from manyfest.amounts import counted
from manyfest.watch import addresses
from manyfest.watch.config.values import WatchedImage
from manyfest.watch.history.read.versions import Version
from manyfest.watch.web.pages.grid import Grid, grid
from manyfest.watch.web.pages.page import Level
from manyfest.watch.wording import span


class Card(Struct, frozen=True):
    """A version, its grid, and one line about it that may end in a moment."""

    version: Version
    grid: Grid
    address: str
    note: str
    note_at: float | None


def card(version: Version, image: WatchedImage | None) -> Card:
    """The card of a version of ``image``."""
    state = version.state
    places = grid(state, image)
    note, at = _note(version, places)
    return Card(version, places, addresses.version(state.image, state.tag), note, at)


def level_of(standings: dict[str, int]) -> Level:
    """How versions of these standings are as a whole."""
    if standings.get("late") or standings.get("differ"):
        return "bad"
    if standings.get("incomplete"):
        return "busy"
    return "good" if standings.get("complete") else "unknown"


def counts_in_words(standings: dict[str, int]) -> str:
    """``12 versions: 11 complete, 1 late``; versions that are gone are not counted."""
    total = sum(amount for name, amount in standings.items() if name != "gone")
    names = {"complete": "complete", "incomplete": "on the way", "late": "late", "differ": "differ"}
    parts = [f"{standings[name]:,} {word}" for name, word in names.items() if standings.get(name)]
    return f"{counted(total, 'version')}: {', '.join(parts)}" if parts else "no version yet"


def _note(version: Version, places: Grid) -> tuple[str, float | None]:
    state = version.state
    if version.standing == "gone":
        return "no registry has it any more", None
    if state.complete_at is not None:
        if state.first_seen is None or state.was_there:
            return "seen complete", state.complete_at
        return f"complete within {span(state.complete_at - state.first_seen)},", state.complete_at
    return f"{places.ready} of {places.size} ready; first seen", state.first_seen
