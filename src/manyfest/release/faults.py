"""Several things that are wrong, told at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from manyfest.copy import JOBS
from manyfest.errors import ManyfestError, ReleaseError, UsageError
from manyfest.threads import workers

T = TypeVar("T", bound=Hashable)
R = TypeVar("R")


class Faults:
    """All that stands in the way, each once."""

    def __init__(self) -> None:
        self.found: list[ManyfestError] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """What is raised in the block is noted, and does not end the search for more."""
        try:
            yield
        except ManyfestError as error:
            if str(error) not in map(str, self.found):
                self.found.append(error)

    def of_each(self, ask: Callable[[T], R], items: Sequence[T]) -> dict[T, R]:
        """What ``ask`` answers to each item, several at a time; without those that it raises for,
        which is noted."""
        if not items:
            return {}

        def answer(item: T) -> R | ManyfestError:
            try:
                return ask(item)
            except ManyfestError as error:
                return error

        with workers(min(len(items), JOBS), "preflight") as pool:
            answers = dict(zip(items, pool.map(answer, items), strict=True))
        good: dict[T, R] = {}
        for item, found in answers.items():
            if isinstance(found, ManyfestError):
                with self.noted():
                    raise found
            else:
                good[item] = found
        return good

    def raise_all(self) -> None:
        """Raise what was found: one error as it is, several in one line."""
        if not self.found:
            return
        if len(self.found) == 1:
            raise self.found[0]
        told = "; ".join(f"({number}) {error}" for number, error in enumerate(self.found, start=1))
        usage = all(isinstance(error, UsageError) for error in self.found)
        kind = UsageError if usage else ReleaseError
        raise kind(f"{len(self.found)} things stand in the way, and nothing was changed: {told}")
