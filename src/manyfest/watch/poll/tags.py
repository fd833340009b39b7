"""Which tags of an image are watched, by what its repositories list. Pure.

A list only adds: one that is suddenly empty, or that cannot be had, takes nothing away. A tag that
is gone from the lists is watched until it is seen not to be there, for long enough to be believed.

New is what a list has and the one before did not have. An old tag that is watched from now on, for
a newer one is gone or more are asked for, is not. Of the list before a start nobody knows more than
which of its tags were watched, and by which choice: so what another choice adds is not new either.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from msgspec import Struct

from manyfest.watch.config.values import TagChoice
from manyfest.watch.history.rank import rank
from manyfest.watch.poll.choose import choose, described


class _Before(Struct, frozen=True):
    """By which choice a repository's tags were watched before, and the rank of the oldest."""

    choice: TagChoice
    oldest: str


class WatchedTags:
    """The tags of one image, of which it is believed after ``settle`` seconds that one is gone."""

    def __init__(self, choice: TagChoice, settle: float) -> None:
        self._choice = choice
        self._settle = settle
        self._gone: dict[str, float] = {}
        self._admitted: set[str] = set()
        self._listed: dict[str, frozenset[str]] = {}
        self._holders: dict[str, frozenset[str]] = {}
        self._before: dict[str, _Before] = {}
        self._watched: frozenset[str] | None = None

    @property
    def watched(self) -> frozenset[str]:
        """Those that are watched by now."""
        if self._watched is None:
            self._watched = frozenset(choose(self._choice, self._known()))
        return self._watched

    def inherit(self, before: WatchedTags, repositories: Container[str]) -> None:
        """Take over what these repositories listed while the image was watched in another way."""
        listed = before._listed.items()
        self._listed = {name: tags for name, tags in listed if name in repositories}
        self._watched = None

    def recall(self, repository: str, tags: Iterable[str], choice: TagChoice | None = None) -> None:
        """The history knows what the repository answered for these tags, and that it was listed
        for this ``choice`` last; if it does not know that, it was for the one of now."""
        choice = choice or self._choice
        known = set(choose(choice, tags)).difference(choice.names)
        if known:
            self._before[repository] = _Before(choice, min(map(rank, known)))

    def list(self, repository: str, tags: Iterable[str]) -> frozenset[str]:
        """A repository lists these, and no others any more. Gives those that are new."""
        now, before = frozenset(tags), self._listed.get(repository)
        if now == before:
            return frozenset()
        new = self._new(repository, now - before if before else now)
        self._listed[repository] = now
        self._watched = None
        return new

    def is_new(self, repository: str, tag: str) -> bool:
        """Whether a tag that the repository has by now came while it was watched."""
        return bool(self._new(repository, (tag,)))

    def see(self, repository: str, tag: str, *, is_there: bool, at: float) -> None:
        """A repository was asked for a tag, and answered ``at`` this moment, in seconds."""
        if tag in self._admitted:
            self._admitted.discard(tag)
            self._gone[tag] = at  # if it is there after all, it is so no more
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
        """Whether a tag of which somebody says that it is there is watched from now on: until it is
        seen not to be there, whatever lists say that were under way."""
        watched = self.watched
        if tag in watched:
            return True
        if tag not in choose(self._choice, [tag]):
            return False
        # Not all are chosen anew: of many tags that takes a while, and somebody waits.
        described = watched.difference(self._choice.names)
        if len(described) >= self._choice.newest:
            oldest = min(described, key=rank)
            if rank(tag) < rank(oldest):
                return False
            watched = watched - {oldest}
        self._admitted.add(tag)
        self._watched = watched | {tag}
        return True

    def _new(self, repository: str, tags: Iterable[str]) -> frozenset[str]:
        """Which of these tags came while it was watched. If it was not listed before, that is what
        the choice before describes, above the oldest that was watched by it."""
        unlisted = frozenset(tag for tag in tags if not self._is_listed(tag))
        if repository in self._listed:
            return unlisted
        before = self._before.get(repository)
        if before is None:
            return frozenset()
        watched = described(before.choice, unlisted)
        return frozenset(tag for tag in watched if rank(tag) > before.oldest)

    def _is_listed(self, tag: str) -> bool:
        return any(tag in tags for tags in self._listed.values())

    def _known(self) -> set[str]:
        return self._admitted.union(self._holders, self._gone, *self._listed.values())
