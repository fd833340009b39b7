"""Waiting until every platform is staged: in a repository under its tag, and of this release.

The registries are asked politely: one HEAD request for each platform that is late and each
repository, again after a pause that grows, and is never the same, so that many who wait do not
come as one.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from manyfest.amounts import counted
from manyfest.check.watched import may_pass
from manyfest.errors import AnswerIsNo, NotFound, StoreError
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name
from manyfest.pauses import growing_pauses
from manyfest.release.rendezvous.staged import (
    Held,
    Staged,
    examined,
    look_for,
    one_digest,
    require_one_commit,
    shared,
)
from manyfest.release.rendezvous.staging import staging_tag
from manyfest.release.steps.step import Release


class Patience(Struct, frozen=True, kw_only=True):
    """How long to wait, in seconds: ``timeout`` in all, and between two looks ``first``, then half
    as long again each time up to ``longest``. Who is late is told again every ``reminder``."""

    timeout: float = 1800.0
    first: float = 1.0
    longest: float = 15.0
    reminder: float = 60.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def pauses(self) -> Iterator[float]:
        """The pauses, without end."""
        return growing_pauses(self.first, self.longest, self.jitter)


class Waiting:
    """Looks for the platforms of a release, and remembers what was found."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self._silent: dict[Platform, StoreError] = {}
        self.found: dict[Platform, Staged] = {}

    @property
    def late(self) -> list[Platform]:
        """The platforms that were in no repository, in the configuration's order."""
        return [each for each in self._release.config.build.platforms if each not in self.found]

    def look(self) -> None:
        """Ask once for every platform that is late.

        Raises :class:`~manyfest.errors.ReleaseError` for one that is not of this release, and what
        the registries raise if it will not pass.
        """
        self._silent.clear()
        held = look_for(self._release, self.late)
        for platform, answers in held.items():
            self._take(platform, answers)
        require_one_commit(self._release, self.found.values())

    def wait(self, patience: Patience) -> None:
        """Look until none is late.

        Raises :class:`~manyfest.errors.AnswerIsNo` when the time is over, naming those that are,
        and :class:`~manyfest.errors.StoreError` if a registry could not tell.
        """
        begun = told = patience.clock()
        before: list[Platform] = []
        for pause in patience.pauses():
            if not self.late:
                return
            now = patience.clock()
            left = begun + patience.timeout - now
            if left <= 0:
                self._give_up(patience)
            if self.late != before or now - told >= patience.reminder:
                self._tell(left)
                before, told = self.late, now
            patience.sleep(min(pause, left))
            self.look()

    def _take(self, platform: Platform, answers: Mapping[Name, Held]) -> None:
        """Read what a tag holds, if any of them does."""
        errors = [each for each in answers.values() if isinstance(each, StoreError)]
        try:
            if one_digest(self._release, platform, answers) is not None:
                self.found[platform] = examined(self._release, platform, answers)
                return
        except NotFound:
            return  # the tag is there, and what it names is still to come
        except StoreError as error:
            if not may_pass(error):
                raise
            errors.append(error)
        if errors:
            self._silent[platform] = errors[0]

    def _tell(self, left: float) -> None:
        total = len(self._release.config.build.platforms)
        names = ", ".join(map(str, self.late))
        line = f"waiting for {names}: {len(self.found)} of {counted(total, 'platform')} found"
        errors = "".join(f"; {error}" for error in dict.fromkeys(map(str, self._silent.values())))
        self._release.progress.say(f"{line}, {_minutes(left)} left{errors}")

    def _give_up(self, patience: Patience) -> None:
        for error in self._silent.values():
            raise StoreError(
                f"the time is over, and it does not tell of {', '.join(map(str, self._silent))}:"
                f" {error.what}; nothing was changed",
                where=error.where,
                mend=error.mend,
            )
        places = ", ".join(name.place for name in shared(self._release))
        tags = ", ".join(staging_tag(self._release.version, each) for each in self.late)
        raise AnswerIsNo(
            f"after {_minutes(patience.timeout)} {', '.join(map(str, self.late))} cannot be found"
            f" in {places} (as {tags}); nothing was changed",
            mend="see how their `manyfest stage` ended, and run the same command again",
        )


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
