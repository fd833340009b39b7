"""How a version became complete, as a picture: one line for each platform in each place. Pure; all
lengths are in the picture's own units.

Becoming complete takes minutes and soaking may take days. So the soak time has a strip of its own
at the right.
"""

from __future__ import annotations

from msgspec import Struct

from manyfest.watch.values import TagState
from manyfest.watch.web.pages.grid import Cell, Column, Grid
from manyfest.watch.wording import span

WIDTH = 760
_LEFT = 128
_RIGHT = WIDTH - 16
_SOAK_WIDTH = 120
_TOP = 34
_LINE = 22
_GAP = 30

_STEPS = (1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


class Line(Struct, frozen=True):
    """A platform in a place: waited for from ``x`` to ``ready_x``, if it became ready, and then as
    its cell says: what became ready may be different from what another place has."""

    cell: Cell
    label: str
    y: float
    x: float
    ready_x: float | None
    ready_after: float | None
    end_x: float


class Group(Struct, frozen=True):
    """The lines of one place below its name."""

    column: Column
    y: float
    lines: tuple[Line, ...]


class Tick(Struct, frozen=True):
    """A time since the first sighting, on the scale."""

    x: float
    label: str


class Soak(Struct, frozen=True):
    """The strip of the soak time, and up to where it has passed."""

    x: float
    end_x: float
    passed_x: float
    label: str


class Timeline(Struct, frozen=True):
    """The picture. ``complete_x`` is the moment at which all was there, if it was."""

    height: float
    first_x: float
    end_x: float
    complete_x: float | None
    groups: tuple[Group, ...]
    ticks: tuple[Tick, ...]
    soak: Soak | None


def timeline(state: TagState, grid: Grid, soak: float, now: float) -> Timeline | None:
    """The picture of a version; ``None`` if it was there before anybody looked, or never was."""
    began = state.first_seen
    if began is None or state.was_there:
        return None
    shown_soak = soak if state.complete_at is not None else 0.0
    right = _RIGHT - (_SOAK_WIDTH if shown_soak else 0)
    last = max(_moments(state, grid), default=began)
    end = last if state.complete_at is not None else max(now, last)
    length = max(end - began, 1.0) * 1.04
    scale = _Scale(began, length, right)
    groups = tuple(_group(number, each, grid, scale) for number, each in enumerate(grid.columns))
    height = _TOP + len(groups) * (_GAP + len(grid.rows) * _LINE) + 14
    return Timeline(
        height=height,
        first_x=scale.x(began),
        end_x=right,
        complete_x=None if state.complete_at is None else scale.x(state.complete_at),
        groups=groups,
        ticks=_ticks(scale),
        soak=_soak(state, shown_soak, right, now),
    )


class _Scale(Struct, frozen=True):
    """From a moment to where it is."""

    began: float
    length: float
    right: float

    def x(self, at: float) -> float:
        share = min(max((at - self.began) / self.length, 0.0), 1.0)
        return round(_LEFT + share * (self.right - _LEFT), 1)


def _moments(state: TagState, grid: Grid) -> list[float]:
    ready = [cell.ready_at for row in grid.rows for cell in row.cells if not cell.column.mirror]
    every = [*ready, state.complete_at]
    return [at for at in every if at is not None]


def _group(number: int, column: Column, grid: Grid, scale: _Scale) -> Group:
    top = _TOP + number * (_GAP + len(grid.rows) * _LINE)
    lines = tuple(
        _line(row.cells[number], row.label, top + _GAP + each * _LINE, scale)
        for each, row in enumerate(grid.rows)
    )
    return Group(column, top + 14, lines)


def _line(cell: Cell, label: str, y: float, scale: _Scale) -> Line:
    ready_at = cell.ready_at
    return Line(
        cell=cell,
        label=label,
        y=y,
        x=scale.x(scale.began),
        ready_x=None if ready_at is None else scale.x(ready_at),
        ready_after=None if ready_at is None else max(ready_at - scale.began, 0.0),
        end_x=scale.right,
    )


def _ticks(scale: _Scale) -> tuple[Tick, ...]:
    step = next((each for each in _STEPS if scale.length / each <= 6), scale.length / 5)
    amount = int(scale.length / step)
    return tuple(
        Tick(
            scale.x(scale.began + each * step),
            "first seen" if not each else f"+{span(each * step)}",
        )
        for each in range(amount + 1)
        # A label needs room before the end of the scale.
        if scale.x(scale.began + each * step) <= scale.right - 36 or not each
    )


def _soak(state: TagState, soak: float, right: float, now: float) -> Soak | None:
    if not soak or state.complete_at is None:
        return None
    start, end = right + 8, _RIGHT
    share = 1.0 if state.soaked_at is not None else min(max(now - state.complete_at, 0) / soak, 1)
    return Soak(start, end, round(start + share * (end - start), 1), f"soak {span(soak)}")
