"""Which tags of an image are watched, by what its repositories list. Pure.

A list only adds: one that is suddenly empty, or that cannot be had, takes nothing away. A tag that
is gone from the lists is watched until it is seen not to be there, for long enough to be believed.
"""

from __future__ import annotations

from collections.abc import Iterable

from manyfest.watch.config.values import TagChoice
from manyfest.watch.history.rank import rank
from manyfest.watch.poll.choose import choose


class WatchedTags:
    """The tags of one image, of which it is believed after ``settle`` seconds that one is gone."""

    def __init__(self, choice: TagChoice, settle: float) -> None:
        self._choice = choice
        self._settle = settle
        self._gone: dict[str, float] = {}
        self._listed: dict[str, frozenset[str]] = {}
        self._holders: dict[str, frozenset[str]] = {}
        self._watched: frozenset[str] | None = None

    @property
    def watched(self) -> frozenset[str]:
        """Those that are watched by now."""
        if self._watched is None:
            self._watched = frozenset(choose(self._choice, self._known()))
        return self._watched

    def list(self, repository: str, tags: Iterable[str]) -> None:
        """A repository lists these, and no others any more."""
        now = frozenset(tags)
        if now != self._listed.get(repository):
            self._listed[repository] = now
            self._watched = None

    def see(self, repository: str, tag: str, *, is_there: bool, at: float) -> None:
        """A repository was asked for a tag, and answered ``at`` this moment, in seconds."""
        before = self._holders.get(tag, frozenset())
        now = before | {repository} if is_there else before - {repository}
        if now:
            self._holders[tag] = now
            self._gone.pop(tag, None)
        elif before:
            del self._holders[tag]
            self._gone[tag] = at
        elif tag in self._gone and at >= self._gone[tag] + self._settle:
            del self._gone[tag]
            self._watched = None
        if now and not before and not self._is_listed(tag):
            self._watched = None

    def admit(self, tag: str) -> bool:
        """Whether a tag of which somebody says that it is there is watched from now on."""
        watched = self.watched
        if tag in watched:
            return True
        if tag not in choose(self._choice, [tag]):
            return False
        # Not all are chosen anew: of many tags that takes a while, and somebody waits.
        described = watched.difference(self._choice.names)
        if len(described) < self._choice.newest:
            self._watched = watched | {tag}
            return True
        oldest = min(described, key=rank)
        if rank(tag) < rank(oldest):
            return False
        self._watched = (watched - {oldest}) | {tag}
        return True

    def _is_listed(self, tag: str) -> bool:
        return any(tag in tags for tags in self._listed.values())

    def _known(self) -> set[str]:
        return set(self._holders).union(self._gone, *self._listed.values())
