"""Which release came before the one that is out: each repository says so for itself, by the
journal of the release that is out, or else by the versions that are there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

from msgspec import Struct

from manyfest.errors import ConfigError, ReleaseError, UsageError
from manyfest.oci.digest import Digest
from manyfest.release.destinations import Destination
from manyfest.release.faults import Faults
from manyfest.release.project.config import Config
from manyfest.release.published.holdings import Holding, release_tags, version_from
from manyfest.release.resume.journal import journal_path, read_journal
from manyfest.release.resume.journal_copies import read_copy
from manyfest.release.versions.version import Version, parse_version
from manyfest.stores.open import Stores


class Request(Struct, frozen=True):
    """What is asked for: ``to`` is a version, or empty for whatever came before."""

    config: Config
    places: Sequence[Destination]
    stores: Stores
    say: Callable[[str], None]
    to: str = ""

    @property
    def folder(self) -> Path:
        """Where the project's archives are, and journals beside them."""
        folder = Path(self.config.archive.text).parent
        return self.config.root / ("." if "{{" in str(folder) else folder)


class Aim(Struct, frozen=True):
    """Where one repository goes: from the version that is out to an earlier one. ``held`` is what
    the journal of the version that is out says of its moving tags."""

    holding: Holding
    current: Version | None
    target: Version
    held: dict[str, Digest | None] = {}
    told: bool = False
    """Whether the user named the version."""


def aims_told(holdings: Sequence[Holding], to: str, request: Request) -> list[Aim]:
    """Every repository goes to the version that was told, if it has that."""
    faults, aims = Faults(), []
    target = version_told(to)
    for holding in holdings:
        current = holding.current()
        held = _held(holding, current, request) if current else {}
        with faults.noted():
            if holding.digest_of(target) is None:
                raise ReleaseError(
                    f"it has no {to}", where=holding.place.place, mend=_known(holding)
                )
            if not _can_be_out(holding, target, held):
                raise ReleaseError(
                    f"no tag that moves is for {to}",
                    where=holding.place.place,
                    mend=f"name another version; {_known(holding)}",
                )
            aims.append(Aim(holding, current, target, held, told=True))
    faults.raise_all()
    return aims


def version_told(text: str) -> Version:
    """Raises :class:`~manyfest.errors.UsageError` for what is no version."""
    number = parse_version(text)
    if number is None:
        raise UsageError(f"--to {text[:80]!r} is not a version", mend="write 1.2.3")
    return version_from(number)


def aims_found(holdings: Sequence[Holding], request: Request) -> list[Aim]:
    """Every repository goes to what came before, if they agree on that."""
    faults, aims = Faults(), []
    for holding in holdings:
        with faults.noted():
            aims.append(_aim(holding, request))
    faults.raise_all()
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


def _aim(holding: Holding, request: Request) -> Aim:
    current = holding.current()
    if current is None:
        raise ReleaseError(
            "no moving tag points at a version that is there, so what came before is not known",
            where=holding.place.place,
            mend=f"say it with --to; {_known(holding)}",
        )
    _refuse_half(holding, current)
    held = _held(holding, current, request)
    general = release_tags(request.config, current).moving[-1]
    before = held.get(general)
    target = holding.version_of(before) if before else None
    if before and target is None:
        raise ReleaseError(
            f"before {current} it held {before}, which no version there is",
            where=str(holding.place.with_tag(general)),
            mend=f"say a version with --to; {_known(holding)}",
        )
    if target is None:
        lower = (version for version in holding.finals if _is_lower(version, current, holding))
        target = next(lower, None)
    if target is None:
        raise ReleaseError(
            f"{general} is at {current}, and there is no version before that",
            where=holding.place.place,
            mend=_known(holding),
        )
    return Aim(holding, current, target, held)


def _can_be_out(holding: Holding, version: Version, held: dict[str, Digest | None]) -> bool:
    """Whether a moving tag can point at the version: there is none for most pre-releases, unless
    the release that is out found one there."""
    moving = release_tags(holding.config, version).moving
    return bool(moving) or holding.digest_of(version) in held.values()


def _refuse_half(holding: Holding, current: Version) -> None:
    """A release that was killed, or could not be put back, may be out in part. Whoever rolls back
    then may mean that, and not the version before.

    Raises :class:`~manyfest.errors.ReleaseError`.
    """
    ours = release_tags(holding.config, current).moving
    later = takewhile(lambda version: version != current, holding.finals)
    for version in later:
        shared = [tag for tag in release_tags(holding.config, version).moving if tag in ours]
        at_it = [tag for tag in shared if holding.digest_at(tag) == holding.digest_of(version)]
        if at_it and holding.digest_of(version) != holding.digest_of(current):
            raise ReleaseError(
                f"{', '.join(at_it)} is at {version}, and {ours[-1]} at {current}: {version} is"
                " half released",
                where=holding.place.place,
                mend=f"release {version} again to finish it, or say which version all tags go to,"
                f" as in --to {current}",
            )


def _is_lower(version: Version, current: Version, holding: Holding) -> bool:
    """Whether it is before ``current``, in the line that the last moving tag is for."""
    numbers = (version.major, version.minor, version.patch)
    if numbers >= (current.major, current.minor, current.patch):
        return False
    lines = [release_tags(holding.config, each).moving[-1:] for each in (version, current)]
    return lines[0] == lines[1]


def _held(holding: Holding, current: Version, request: Request) -> dict[str, Digest | None]:
    """What the journal of the version that is out says: this machine's, or the registry's copy."""
    digest = holding.digest_of(current)
    if digest is None:
        return {}
    path = _beside(request, current)
    journal = read_journal(path, request.say) if path else None
    if journal is None or journal.began.version != current.text:
        path = path or request.folder
        journal = read_copy(holding.store, digest, current.text, path, request.say)
    return holding.own(journal.held) if journal is not None else {}


def _beside(request: Request, version: Version) -> Path | None:
    with suppress(ConfigError):  # the archive's name may have the commit in it
        return journal_path(request.config.archive_path(version), version)
    return None


def _known(holding: Holding) -> str:
    versions = [version.text for version in holding.finals[:5]]
    return f"it has {', '.join(versions)}" if versions else "it has no version at all"
