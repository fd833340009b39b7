"""The platforms of a version in each place, as rows and columns. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from manyfest.check.readiness import State
from manyfest.watch.config.values import WatchedImage
from manyfest.watch.values import Place, PlaceSeen, TagState
from manyfest.watch.web.pages.words import labels

CellState = State | Literal["unknown"]
"""That of a check, or that nobody knows."""

_UNSEEN = PlaceSeen(place="")


class Column(Struct, frozen=True):
    """A place: its repository, its name for short, and whether it is a mirror."""

    repository: str
    label: str
    mirror: bool
    seen: PlaceSeen


class Cell(Struct, frozen=True):
    """A platform in a place. ``silent`` says that the
    place gives no answers now. ``anchor`` is where the version's page tells more."""

    column: Column
    state: CellState
    why: str
    digest: str
    ready_at: float | None
    silent: bool
    anchor: str


class Row(Struct, frozen=True):
    """A platform, its name for short, and its cell in each column."""

    platform: str
    label: str
    cells: tuple[Cell, ...]


class Grid(Struct, frozen=True):
    """All of it."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def ready(self) -> int:
        """How many cells are ready; mirrors count too."""
        return sum(cell.state == "ready" for row in self.rows for cell in row.cells)

    @property
    def size(self) -> int:
        """How many cells there are."""
        return len(self.columns) * len(self.rows)


def grid(state: TagState, image: WatchedImage | None) -> Grid:
    """What is known of a version, against what is expected of its image, if that is still watched:
    else everything that was seen of it."""
    seen = {each.place: each for each in state.places}
    places = image.rule.places if image else tuple(Place(repository=each) for each in seen)
    named = labels(places)
    columns = tuple(
        Column(
            place.repository,
            named[place.repository],
            place.mirror,
            seen.get(place.repository, _UNSEEN),
        )
        for place in places
    )
    wanted = image.rule.platforms if image else _seen_platforms(state)
    return Grid(columns, tuple(_row(number, each, columns) for number, each in enumerate(wanted)))


def _seen_platforms(state: TagState) -> Sequence[str]:
    return sorted({platform for place in state.places for platform in place.platforms})


def _row(number: int, platform: str, columns: tuple[Column, ...]) -> Row:
    cells = tuple(_cell(number, each, platform, column) for each, column in enumerate(columns))
    return Row(platform, platform.removeprefix("linux/"), cells)


def _cell(row: int, number: int, platform: str, column: Column) -> Cell:
    place = column.seen
    silent = place.silent_since is not None
    seen = place.platforms.get(platform)
    anchor = f"p{number + 1}-{row + 1}"
    if seen is None:
        is_known = place.answered_at is not None
        state: CellState = "missing" if is_known else "unknown"
        why = "the tag is not there" if is_known else place.silence
        return Cell(column, state, why, "", None, silent, anchor)
    return Cell(column, seen.state, seen.why, seen.digest, seen.ready_at, silent, anchor)
