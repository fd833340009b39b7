"""How progress is shown: bars on a terminal, plain lines elsewhere, nothing when told so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from msgspec import Struct, field

from manyfest.cli.text import one_line, seconds, size, tell, tell_above
from manyfest.progress import NoProgress, Outcome, Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

MOMENT = 1.0
"""Seconds. Work that took less gets no line of its own."""


class _Group(Struct):
    """The items of one label, a platform's layers, in one round of work on them."""

    started: float
    totals: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.totals.values())

    @property
    def completed(self) -> int:
        return sum(self.done.values())

    @property
    def is_complete(self) -> bool:
        return self.totals.keys() == self.outcomes.keys()

    @property
    def moved(self) -> int:
        """Bytes of the items that were not there before."""
        return sum(self.totals[item] for item, how in self.outcomes.items() if how == "done")


class Board:
    """Keeps the figures, item by item and group by group. A display draws them.

    The same items come again and again: built, checked, published. A group that is complete and
    has one of its items begun anew starts a new round, with new figures.
    """

    def __init__(self) -> None:
        self.groups: dict[str, _Group] = {}
        self._label: dict[str, str] = {}
        self._lock = threading.Lock()

    def begin(self, item: str, label: str, total: int) -> None:
        with self._lock:
            label = self._label.setdefault(item, label)
            group = self.groups.get(label)
            if group is None or group.is_complete:
                group = self.groups[label] = _Group(time.monotonic())
                self._started(label)
            group.totals[item] = total
            group.done[item] = 0
            group.outcomes.pop(item, None)
            self._changed(label, group)

    def advance(self, item: str, amount: int) -> None:
        with self._lock:
            label = self._label.get(item)
            if label is not None:
                group = self.groups[label]
                group.done[item] += amount
                self._changed(label, group)

    def finish(self, item: str, outcome: Outcome) -> None:
        with self._lock:
            label = self._label.pop(item, None)
            if label is not None:
                group = self.groups[label]
                group.done[item] = group.totals[item]
                group.outcomes[item] = outcome
                self._changed(label, group)
                if group.is_complete:
                    self._completed(label, group)

    def say(self, message: str) -> None:
        tell(message)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is drawn, so nothing is taken down."""

    def _started(self, label: str) -> None:
        """A round begins. This and what follows is called with the lock held."""

    def _changed(self, label: str, group: _Group) -> None:
        """There are new figures."""

    def _completed(self, label: str, group: _Group) -> None:
        """A round is over."""


class Lines(Board):
    """One line for each platform when it is complete: for logs and pipes."""

    def _completed(self, label: str, group: _Group) -> None:
        took = time.monotonic() - group.started
        if took >= MOMENT and group.moved:
            tell(f"{label}: {size(group.moved)} in {seconds(took)}")


class Terminal(Board):
    """A bar for each platform that is under way, with bytes and rate, redrawn in place. What is
    over leaves no bar behind: what came of it is told in lines."""

    def __init__(self) -> None:
        super().__init__()
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            TextColumn,
            TimeElapsedColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def say(self, message: str) -> None:
        if self._bars is None:
            super().say(message)
        else:
            tell_above(self._bars.console, message)

    def _started(self, label: str) -> None:
        if self._bars is None:
            return
        if label in self._tasks:
            self._bars.reset(self._tasks[label], visible=True)
        else:
            self._tasks[label] = self._bars.add_task(one_line(label), total=None)

    def _changed(self, label: str, group: _Group) -> None:
        if self._bars is not None:
            self._bars.update(self._tasks[label], completed=group.completed, total=group.total)

    def _completed(self, label: str, group: _Group) -> None:
        if self._bars is not None:
            self._bars.update(self._tasks[label], completed=group.total, visible=False)


class Titled:
    """The progress of work in several steps: labels begin with the step, which ``title`` tells."""

    def __init__(self, progress: Progress, title: Callable[[], str]) -> None:
        self._progress = progress
        self._title = title

    def begin(self, item: str, label: str, total: int) -> None:
        self._progress.begin(item, f"{self._title()}: {label}", total)

    def advance(self, item: str, amount: int) -> None:
        self._progress.advance(item, amount)

    def finish(self, item: str, outcome: Outcome) -> None:
        self._progress.finish(item, outcome)

    def say(self, message: str) -> None:
        self._progress.say(message)


class Quiet(NoProgress):
    """Says nothing; errors are still printed where they end the command."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was shown."""
