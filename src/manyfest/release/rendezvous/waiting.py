"""Waiting until every platform is staged: in a repository under its tag, and of this release.

The registries are asked politely: one HEAD request for each platform that is late and each
repository, again after a pause that grows, and is never the same, so that many who wait do not
come as one.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from manyfest.copy import JOBS
from manyfest.errors import (
    AnswerIsNo,
    ConnectionFailed,
    NotFound,
    RegistryError,
    ReleaseError,
    StoreError,
)
from manyfest.graph import read_config, read_manifest
from manyfest.oci.config import ImageConfig
from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name
from manyfest.release.destinations import Destination
from manyfest.release.origin import Origin, revisions_of, said_by
from manyfest.release.rendezvous.staging import staging_tag
from manyfest.release.steps.moves import held_by
from manyfest.release.steps.step import Release, counted
from manyfest.stores.overlay import Overlay
from manyfest.threads import workers

_Held = Digest | StoreError | None
"""What a tag holds; an error that may pass, if the registry did not say; ``None`` if nothing."""


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
        """The pauses, without end: each is between half of what it grew to, and all of it."""
        grown = self.first
        while True:
            yield grown * (1 + self.jitter()) / 2
            grown = min(grown * 1.5, self.longest)


class Staged(Struct, frozen=True):
    """A platform's image as it was staged; ``revisions`` are the commits that are known of it."""

    platform: Platform
    manifest: Manifest
    config: ImageConfig
    revisions: frozenset[str]


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
        and the registry's own error if it could not tell.
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

    def _take(self, platform: Platform, answers: Mapping[Name, _Held]) -> None:
        """Read what a tag holds, if any of them does."""
        errors = [each for each in answers.values() if isinstance(each, StoreError)]
        try:
            if one_digest(self._release, platform, answers) is not None:
                self.found[platform] = _examined(self._release, platform, answers)
                return
        except NotFound:
            return  # the tag is there, and what it names is still to come
        except StoreError as error:
            if not _may_pass(error):
                raise
            errors.append(error)
        if errors:
            self._silent[platform] = errors[0]

    def _tell(self, left: float) -> None:
        total = len(self._release.config.build.platforms)
        names = ", ".join(map(str, self.late))
        line = f"waiting for {names}: {len(self.found)} of {counted(total, 'platform')} are there"
        errors = "".join(f"; {error}" for error in dict.fromkeys(map(str, self._silent.values())))
        self._release.progress.say(f"{line}, {_minutes(left)} left{errors}")

    def _give_up(self, patience: Patience) -> None:
        for error in self._silent.values():
            raise error
        places = ", ".join(name.place for name in shared(self._release))
        tags = ", ".join(staging_tag(self._release.version, each) for each in self.late)
        raise AnswerIsNo(
            f"after {_minutes(patience.timeout)} {', '.join(map(str, self.late))} cannot be found"
            f" in {places} (as {tags}); nothing was changed",
            mend="see how their `manyfest stage` ended, and run the same command again",
        )


def shared(release: Release) -> tuple[Destination, ...]:
    """The repositories for all platforms: images are staged in these."""
    return tuple(each for each in release.destinations if each.platform is None)


def look_for(release: Release, platforms: Sequence[Platform]) -> dict[Platform, dict[Name, _Held]]:
    """What the tag of each of these platforms holds in each repository; all are asked at once."""
    wanted = [(platform, name) for platform in platforms for name in shared(release)]
    with workers(JOBS, "staged") as pool:
        held = list(pool.map(lambda each: _held(release, *each), wanted))
    found: dict[Platform, dict[Name, _Held]] = {platform: {} for platform in platforms}
    for (platform, name), each in zip(wanted, held, strict=True):
        found[platform][name] = each
    return found


def one_digest(release: Release, platform: Platform, held: Mapping[Name, _Held]) -> Digest | None:
    """What all repositories that have the platform agree on; ``None`` if none has it.

    Raises :class:`~manyfest.errors.ReleaseError` if they do not agree.
    """
    found = {name: each for name, each in held.items() if isinstance(each, Digest)}
    if len(set(found.values())) > 1:
        tag = staging_tag(release.version, platform)
        what = ", ".join(f"{name.with_tag(tag)} is {digest}" for name, digest in found.items())
        raise ReleaseError(
            f"two images were staged for {platform}: {what}; nothing was changed",
            mend="remove the wrong one with manyfest rm, and run the same command again",
        )
    return next(iter(found.values()), None)


def require_one_commit(release: Release, staged: Iterable[Staged]) -> None:
    """Where no commit is known here, all platforms must still be of the same one.

    Raises :class:`~manyfest.errors.ReleaseError`.
    """
    first: Staged | None = None
    common: frozenset[str] = frozenset()
    for each in staged:
        common = each.revisions if first is None else common & each.revisions
        first = first or each
        if not common:
            raise ReleaseError(
                f"{first.platform} is of {_commits(first.revisions)}, and {each.platform} of"
                f" {_commits(each.revisions)}; nothing was changed",
                where=release.destinations[0].place,
                mend=f"stage both from one commit, as a version after {release.version}",
            )


def _held(release: Release, platform: Platform, name: Name) -> _Held:
    """What may pass is an answer too: a registry that is down for a minute ends no waiting."""
    store = release.stores.registry(name)
    try:
        return held_by(store, staging_tag(release.version, platform))
    except StoreError as error:
        if not _may_pass(error):
            raise
        return error


def _may_pass(error: StoreError) -> bool:
    if isinstance(error, RegistryError):
        return error.status == 429 or error.status >= 500
    return isinstance(error, ConnectionFailed)


def _examined(release: Release, platform: Platform, held: Mapping[Name, _Held]) -> Staged:
    """The image, if it is for the platform and of this release.

    Raises :class:`~manyfest.errors.ReleaseError`.
    """
    holding = {name: each for name, each in held.items() if isinstance(each, Digest)}
    where = str(next(iter(holding)).with_tag(staging_tag(release.version, platform)))
    stores = [release.stores.registry(name) for name in holding]
    source = Overlay(stores)
    manifest = read_manifest(source, source.resolve(str(next(iter(holding.values())))))
    if not manifest.is_runnable:
        raise _refused(where, "is no image of one platform")
    config = read_config(source, manifest.image)
    if not config.platform.same_as(platform):
        raise _refused(where, f"is for {config.platform}, not for {platform}")
    wanted = Origin.of(release.version)
    known = (revisions_of(store, manifest, config, wanted) for store in stores)
    revisions = frozenset[str]().union(*known)
    if not revisions or (wanted.revision and wanted.revision not in revisions):
        said = said_by(manifest, config) if not revisions else Origin(wanted.version, "")
        raise _refused(where, _otherness(said, revisions, wanted))
    return Staged(platform, manifest, config, revisions)


def _otherness(said: Origin, revisions: frozenset[str], wanted: Origin) -> str:
    """What makes an image one of another release."""
    if not (revisions or said.version or said.revision):
        return "nothing says of which version and commit it is"
    version = said.version[:80] or "no known version"
    commits = _commits(revisions or {said.revision})
    return f"is {version} of {commits}, and not {wanted.version} of {_commits({wanted.revision})}"


def _commits(revisions: AbstractSet[str]) -> str:
    known = sorted(revisions - {""})
    return f"commit {', '.join(each[:40] for each in known)}" if known else "no known commit"


def _refused(where: str, what: str) -> ReleaseError:
    return ReleaseError(
        f"{what}; nothing was changed",
        where=where,
        mend="stage this commit under a version of its own, or remove what is there",
    )


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
