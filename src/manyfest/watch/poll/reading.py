"""Of which versions it is to be read what they consist of: where, and when. Pure.

It is read once for each digest, and once more for what may be attached later. Docker Hub counts how
often manifests are read, so another registry is preferred that has the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from manyfest.watch.config.values import WatchedImage
from manyfest.watch.history.batch import WasRead
from manyfest.watch.poll.lane import SPARE, Look
from manyfest.watch.values import Facts

_HUB = "docker.io"

_GAP, _GAP_OF_HUB = 0.25, 5400.0
"""Seconds between two versions that are read. Docker Hub lets those who do not log in read a
hundred manifests in six hours, and a version may have a dozen."""

_LEEWAY = 600.0
"""Seconds in which another registry may get what Docker Hub has."""

_AGAIN = 3600.0
"""Seconds after which it is looked whether more is attached, if there is no soak time."""

_AFTER_FAULTS = (300.0, 3600.0, 6 * 3600.0)
"""Seconds after which it is tried again, until it is given up."""

LATER = SPARE + 1
"""The rank of what may wait for versions that are new."""


def gap_of(registry: str) -> float:
    """Seconds between two versions that are read from this registry."""
    return _GAP_OF_HUB if registry == _HUB else _GAP


def counts_reads(repository: str) -> bool:
    """Whether its registry counts how often manifests are read."""
    return repository.startswith(f"{_HUB}/")


class Planned(Struct, frozen=True):
    """A look that is due ``after`` so many seconds, ``instead`` of another one if there was one."""

    look: Look
    after: float
    rank: int
    instead: Look | None = None


class Reading:
    """What is read already, and what is planned to be. It belongs to one thread at a time."""

    def __init__(self) -> None:
        self._read: dict[str, WasRead] = {}
        self._planned: dict[str, Look] = {}
        self._faults: dict[str, int] = {}

    def recall(self, read: Iterable[WasRead]) -> None:
        """Take what the history knows."""
        self._read.update((each.digest, each) for each in read)

    def want(
        self,
        asked: WatchedImage,
        seen: Look,
        root: str,
        *,
        is_new: bool,
        is_signed: bool,
        now: float,
    ) -> Planned | None:
        """What to plan once a tag was ``seen`` to mean the whole index ``root``, at the time
        ``now`` since 1970. A version that came while the watch looked ``is_new``. One that is to
        be signed and not ``is_signed`` yet is not looked at for what is attached later."""
        read, planned = self._read.get(root), self._planned.get(root)
        if read is not None and (read.is_last or not is_signed):
            return None
        look = Look(seen.image, seen.repository, seen.tag, root)
        if planned is not None and (_is_counted(look) or not _is_counted(planned)):
            return None
        self._planned[root] = look
        if read is not None:
            again = _again(asked)
            return Planned(look, min(max(read.at + again - now, 0.0), again), LATER, planned)
        others = (place.repository for place in asked.rule.places)
        may_be_elsewhere = _is_counted(look) and not all(map(counts_reads, others))
        rank = SPARE if is_new else LATER
        return Planned(look, _LEEWAY if may_be_elsewhere else 0.0, rank, planned)

    def __contains__(self, look: Look) -> bool:
        """Whether what it would tell was read before."""
        return look.facts in self._read

    def over(
        self, look: Look, asked: WatchedImage | None, facts: Facts | None, *, is_signed: bool
    ) -> float | None:
        """A look is over, and these ``facts`` were read, if they could be; nobody ``asked`` for
        them any more if no image is said. Gives after how many seconds they are to be read again,
        if ever."""
        if asked is None:
            again = None
        elif facts is None:
            again = self._after_fault(look.facts)
        else:
            self._faults.pop(facts.digest, None)
            self._read[facts.digest] = WasRead(facts.digest, facts.read_at, facts.is_last)
            again = _again(asked) if is_signed and not facts.is_last else None
        if again is None and self._planned.get(look.facts) == look:
            del self._planned[look.facts]
        return again

    def _after_fault(self, root: str) -> float | None:
        faults = self._faults.pop(root, 0)
        if faults < len(_AFTER_FAULTS):
            self._faults[root] = faults + 1
            return _AFTER_FAULTS[faults]
        self._read[root] = WasRead(root, 0.0, is_last=True)
        return None


def _again(asked: WatchedImage) -> float:
    return asked.rule.soak or _AGAIN


def _is_counted(look: Look) -> bool:
    return counts_reads(look.repository)
