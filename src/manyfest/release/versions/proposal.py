"""Which version comes next, from what the commits since the last one say."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from manyfest.errors import AnswerIsNo
from manyfest.release.versions import git
from manyfest.release.versions.commits import Bump, Change, changes
from manyfest.release.versions.version import Tagged, released_versions

if TYPE_CHECKING:
    import semver

    from manyfest.release.project.config import Config


class Reason(Struct, frozen=True, kw_only=True):
    """A commit that asks for a new version: for a ``bump`` of ``major``, ``minor`` or ``patch``."""

    bump: str
    revision: str
    subject: str


class Proposal(Struct, frozen=True, kw_only=True):
    """What ``manyfest version --next --json`` prints. These keys are a contract.

    ``bump`` is the part that rises, against the last final version. ``since`` is the tag of the
    last version, be it a pre-release. The ``reasons`` that ask for most come first; a pre-release
    that nothing follows becomes final without any.
    """

    version: str
    bump: str
    since: str
    reasons: tuple[Reason, ...]


def propose(config: Config, environment: Mapping[str, str] = os.environ) -> Proposal:
    """The next version of the project.

    Raises :class:`~manyfest.errors.AnswerIsNo` if there is nothing to release, and
    :class:`~manyfest.errors.ReleaseError` if git cannot tell, as in a shallow clone.
    """
    prefix = config.version_prefix
    released = released_versions(config.root, prefix, environment)
    last = released[-1]
    found = changes(git.commits_since(config.root, last.tag, folders_of(config)))
    proposed = next_version(released, max((each.bump for each in found), default=Bump.NONE))
    if proposed is None:
        raise _nothing(config, last, found)
    return Proposal(
        version=str(proposed),
        bump=_difference(_last_final(released), proposed).name.lower(),
        since=last.tag,
        reasons=_reasons(found),
    )


def next_version(released: Sequence[Tagged], bump: Bump) -> semver.Version | None:
    """The version after the ``released`` ones, which rise, if the changes since the last ask for
    ``bump``; None if they ask for nothing.

    2.7.0-rc.1 is followed by 2.7.0, or by more if the changes after it need more than it promised.
    Before 1.0.0 what breaks something raises the minor number and all else the patch, as the
    ranges of npm and Cargo read such versions; 1.0.0 is for people to declare.
    """
    last, final = released[-1].number, _last_final(released)
    if not last.prerelease:
        return _raised(last, bump) if bump else None
    promised = last.replace(prerelease=None, build=None)
    return max(promised, _raised(final, bump)) if final else promised


def folders_of(config: Config) -> tuple[Path, ...]:
    """The folders whose commits concern the project: no matter which, unless it shares the
    repository with others, which its prefix tells."""
    return (config.root, config.context) if config.version_prefix else ()


def _last_final(released: Sequence[Tagged]) -> semver.Version | None:
    finals = (each.number for each in reversed(released) if not each.number.prerelease)
    return next(finals, None)


def _raised(version: semver.Version, bump: Bump) -> semver.Version:
    if not bump:
        return version
    if version.major == 0:
        return version.bump_minor() if bump is Bump.MAJOR else version.bump_patch()
    return version.next_version(bump.name.lower())


def _difference(old: semver.Version | None, new: semver.Version) -> Bump:
    if old is None or new.major != old.major:
        return Bump.MAJOR
    return Bump.MINOR if new.minor != old.minor else Bump.PATCH


def _reasons(found: Sequence[Change]) -> tuple[Reason, ...]:
    asking = sorted((each for each in found if each.bump), key=lambda each: -each.bump)
    return tuple(
        Reason(bump=each.bump.name.lower(), revision=each.revision, subject=each.subject)
        for each in asking
    )


def _nothing(config: Config, last: Tagged, found: Sequence[Change]) -> AnswerIsNo:
    types = ", ".join(sorted({each.type for each in found}))
    why = f"there is only {types}" if types else "there is no change"
    return AnswerIsNo(f"nothing to release since {last.tag}: {why}", where=config.name)
