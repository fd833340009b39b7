"""Which release came before the one that is out, or that is named: each repository says so for
itself, by the journal of that release, or else by the versions that are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from manyfest.errors import ConfigError, ReleaseError, UsageError
from manyfest.oci.digest import Digest
from manyfest.release.destinations import Destination
from manyfest.release.faults import Faults
from manyfest.release.project.config import Config
from manyfest.release.published.holdings import (
    Holding,
    is_higher,
    version_from,
)
from manyfest.release.resume.journal import journal_path, read_journal
from manyfest.release.resume.journal_copies import read_copy
from manyfest.release.versions.version import Version, parse_version
from manyfest.stores.open import Stores


class Request(Struct, frozen=True):
    """What is asked for: ``to`` is a version, or empty for whatever came before. ``of`` is the
    version that is taken back, or empty for the one that is out."""

    config: Config
    places: Sequence[Destination]
    stores: Stores
    say: Callable[[str], None]
    to: str = ""
    of: str = ""

    @property
    def folder(self) -> Path:
        """Where the project's archives are, and journals beside them."""
        folder = Path(self.config.archive.text).parent
        return self.config.root / ("." if "{{" in str(folder) else folder)


class Aim(Struct, frozen=True):
    """Where one repository goes: from ``current``, the version that is out or that is taken back,
    to an earlier one. ``held`` is what the journal of ``current`` says of its moving tags."""

    holding: Holding
    current: Version | None
    target: Version
    held: dict[str, Digest | None] = {}
    told: bool = False
    """Whether all tags of ``target`` go there, whichever ``current`` holds."""

    @property
    def takes(self) -> list[str]:
        """The moving tags that are at ``current``."""
        return _at(self.holding, self.current) if self.current else []


def aims_told(holdings: Sequence[Holding], to: str, request: Request) -> list[Aim]:
    """Every repository goes to the version that was told, if it has that."""
    faults, aims = Faults(), []
    target = version_told(to, "--to")
    for holding in holdings:
        current = holding.current()
        held = _held(holding, current, request) if current else {}
        with faults.noted():
            _require(holding, target)
            if not _can_be_out(holding, target, held):
                raise ReleaseError(
                    f"no tag that moves is for {to}",
                    where=holding.place.place,
                    mend=f"name another version; {_known(holding)}",
                )
            aims.append(Aim(holding, current, target, held, told=True))
    faults.raise_all()
    return aims


def version_told(text: str, option: str) -> Version:
    """Raises :class:`~manyfest.errors.UsageError` for what is no version."""
    number = parse_version(text)
    if number is None:
        raise UsageError(f"{option} {text[:80]!r} is not a version", mend="write 1.2.3")
    return version_from(number)


def aims_found(holdings: Sequence[Holding], request: Request) -> list[Aim]:
    """Every repository goes to what came before, if they agree on that; one that does not have the
    version that is to be taken back stays as it is."""
    faults, aims = Faults(), []
    of = version_told(request.of, "--of") if request.of else None
    to = version_told(request.to, "--to") if request.to else None
    for holding in holdings:
        with faults.noted():
            if of is None:
                aims.append(_aim(holding, _out(holding, request), to, request))
            elif holding.digest_of(of) is not None:
                aims.append(_aim(holding, of, to, request))
    faults.raise_all()
    aims = [aim for aim in aims if aim.takes] or aims
    if not aims:
        where = holdings[0].place.place
        raise ReleaseError(f"it has no {of}", where=where, mend=_known(holdings[0]))
    answers = {(str(aim.current), str(aim.target)) for aim in aims}
    if len(answers) > 1:
        told = "; ".join(
            f"{aim.holding.place.place} from {aim.current} to {aim.target}" for aim in aims
        )
        raise ReleaseError(
            f"the repositories would go different ways: {told}",
            mend="say which version all go to, with --to",
        )
    return aims


def _out(holding: Holding, request: Request) -> Version:
    """The version that is out. That a newer one has left tags of its own is said.

    Raises :class:`~manyfest.errors.ReleaseError` where that is not known.
    """
    current = holding.current()
    if current is None:
        raise ReleaseError(
            "no moving tag points at a version that is there, so what came before is not known",
            where=holding.place.place,
            mend=f"say it with --to; {_known(holding)}",
        )
    _refuse_half(holding, current)
    newest = holding.finals[0]
    if holding.digest_of(newest) != holding.digest_of(current):
        for tag in _at(holding, newest):
            reference = holding.place.with_tag(tag)
            take_back = f"manyfest rollback --of {newest} takes that back"
            request.say(f"{reference} stays at {newest}; {take_back}")
    return current


def _aim(holding: Holding, taken: Version, to: Version | None, request: Request) -> Aim:
    """Where a repository goes from the version that is ``taken`` back: where it was told, or to
    what came before."""
    moving = holding.tags_of(taken).moving
    if not moving:
        raise ReleaseError(f"no tag that moves is for {taken}", where=holding.place.place)
    held = _held(holding, taken, request)
    at_it = _at(holding, taken)
    general = (at_it or moving)[-1]
    if to is not None:
        _require(holding, to)
    target = to or _before(holding, taken, held)
    if target is None:
        lower = (version for version in holding.finals if is_higher(taken, version))
        line = (each for each in lower if general in holding.tags_of(each).moving)
        target = next(line, None)
    if target is None and not at_it:
        target = taken  # nothing is to be done here
    if target is None and request.of and all(tag in held for tag in at_it):
        target = holding.current()  # they were new, and are taken away
    if target is None or (target == taken and at_it):
        raise ReleaseError(
            f"{general} is at {taken}, and there is no version before that",
            where=holding.place.place,
            mend=_known(holding),
        )
    return Aim(holding, taken, target, held)


def _at(holding: Holding, version: Version) -> list[str]:
    digest = holding.digest_of(version)
    moving = holding.tags_of(version).moving
    return [tag for tag in moving if digest and holding.digest_at(tag) == digest]


def _before(holding: Holding, taken: Version, held: Mapping[str, Digest | None]) -> Version | None:
    """The version that the last of the moving tags held before; ``None`` if nobody knows."""
    moving = holding.tags_of(taken).moving
    known = ((tag, digest) for tag in reversed(moving) if (digest := held.get(tag)) is not None)
    tag, before = next(known, ("", None))
    version = holding.version_of(before) if before else None
    if before and version is None:
        raise ReleaseError(
            f"before {taken} it held {before}, which no version there is",
            where=str(holding.place.with_tag(tag)),
            mend=f"say a version with --to; {_known(holding)}",
        )
    return version


def _require(holding: Holding, target: Version) -> None:
    """Raises :class:`~manyfest.errors.ReleaseError` if the version is not there."""
    if holding.digest_of(target) is None:
        raise ReleaseError(f"it has no {target}", where=holding.place.place, mend=_known(holding))


def _can_be_out(holding: Holding, version: Version, held: dict[str, Digest | None]) -> bool:
    """Whether a moving tag can point at the version: there is none for most pre-releases, unless
    the release that is out found one there."""
    moving = holding.tags_of(version).moving
    return bool(moving) or holding.digest_of(version) in held.values()


def _refuse_half(holding: Holding, current: Version) -> None:
    """A release that was killed, or could not be put back, may be out in part. Whoever rolls back
    then may mean that, and not the version before.

    Raises :class:`~manyfest.errors.ReleaseError`.
    """
    for half in holding.half_released(above=current):
        raise ReleaseError(half.what, where=half.repository, mend=half.mend)


def _held(holding: Holding, current: Version, request: Request) -> dict[str, Digest | None]:
    """What the journal of a release says of the tags here: this machine's, or the registry's copy
    where that one is about another image, as of a release that was refused, or says nothing."""
    digest = holding.digest_of(current)
    if digest is None:
        return {}
    path = _beside(request, current)
    journal = read_journal(path, request.say) if path else None
    if journal is not None and journal.began.version == current.text:
        # A repository of one platform holds its image, and a journal is about the whole.
        is_ours = journal.began.digest == digest or holding.place.platform is not None
        held = holding.own(journal.held) if is_ours else {}
        if held:
            return held
    copy = read_copy(holding.store, digest, current.text, path or request.folder, request.say)
    return holding.own(copy.held) if copy is not None else {}


def _beside(request: Request, version: Version) -> Path | None:
    with suppress(ConfigError):  # the archive's name may have the commit in it
        return journal_path(request.config.archive_path(version), version)
    return None


def _known(holding: Holding) -> str:
    versions = [version.text for version in holding.finals[:5]]
    return f"it has {', '.join(versions)}" if versions else "it has no version at all"
