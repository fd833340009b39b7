"""The version of a release: from git's tags, or as it was told.

A tag on the commit gives it (``v2.6.1`` or ``2.6.1``; the highest of several). A commit without
one is a snapshot of what comes next: ``2.6.2-dev.5-gabc1234`` is the fifth commit after 2.6.1.
All are versions by semver.org 2.0.0 and tags by the OCI distribution specification.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from manyfest.errors import ReleaseError, UsageError
from manyfest.oci.reference import is_tag
from manyfest.release import git

if TYPE_CHECKING:
    import semver

_SHORT = 7
"""Digits of a short commit: fixed, since git's own choice grows with the repository."""

_LAST_SECOND = 253402300799
"""The end of the year 9999, the last that fits the timestamps of an image."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """What is released, and of which commit.

    ``text`` is empty where a build does without a version. ``revision`` is the commit's full
    digest, or empty outside a repository. ``commit_time`` is in seconds since 1970, for
    ``SOURCE_DATE_EPOCH``. ``dirty``: the work tree differs from the commit. ``snapshot``: no tag
    says this version; a snapshot is a pre-release too.
    """

    text: str
    revision: str
    major: int
    minor: int
    patch: int
    prerelease: bool
    commit_time: int
    dirty: bool
    snapshot: bool

    @property
    def short_revision(self) -> str:
        """The first seven digits of the commit, or empty."""
        return self.revision[:_SHORT]

    def __str__(self) -> str:
        return self.text


def find_version(
    folder: Path, told: str = "", environment: Mapping[str, str] = os.environ
) -> Version:
    """The version of what is checked out in ``folder``, or the one that was ``told``.

    ``SOURCE_DATE_EPOCH`` in the environment is the time instead of the commit's. Where a version
    is told, no repository is needed; without one the revision is empty and the time 0.

    Raises :class:`~manyfest.errors.UsageError` if what was told is not a version or the time no
    number, and :class:`~manyfest.errors.ReleaseError` if git has no answer.
    """
    time = _source_date(environment)
    if told:
        number = _told(told)
        checkout = git.checkout(folder) if git.is_repository(folder) else None
        return _version(number, checkout, time)
    checkout = git.checkout(folder)
    return _of_commit(checkout, folder, time)


def version_if_known(
    folder: Path, told: str = "", environment: Mapping[str, str] = os.environ
) -> Version:
    """The same for a build, which may do without: ``text`` is empty where no tag gives it.

    Raises as :func:`find_version` does, for anything else.
    """
    time = _source_date(environment)
    if told:
        return find_version(folder, told, environment)
    checkout = git.checkout(folder) if git.is_repository(folder) else None
    if checkout is not None and _has_version(checkout):
        return _of_commit(checkout, folder, time)
    return _version(None, checkout, time, snapshot=True)


def source_date(folder: Path, environment: Mapping[str, str] = os.environ) -> int:
    """The time that a build in ``folder`` is dated with, in seconds since 1970: that of
    ``SOURCE_DATE_EPOCH``, else of the commit, else 0.

    Raises as :func:`find_version` does.
    """
    time = _source_date(environment)
    if time is not None:
        return time
    return git.checkout(folder).commit_time if git.is_repository(folder) else 0


def parse_version(text: str) -> semver.Version | None:
    """The version that a tag names, with or without ``v`` before it, or None."""
    import semver

    text = text.removeprefix("v")
    try:
        version = semver.Version.parse(text)
    except ValueError:
        return None
    return version if str(version) == text else None


def version_order(tag: str) -> tuple[bool, semver.Version, str]:
    """A key that sorts tags: those that name no version, as text, then versions, rising."""
    import semver

    version = parse_version(tag)
    return (version is not None, version or semver.Version(0), tag)


def highest(tags: Iterable[str]) -> tuple[str, semver.Version] | None:
    """The tag with the highest version, and that version; None if no tag names one."""
    tag = max(tags, key=version_order, default="")
    version = parse_version(tag)
    return (tag, version) if version is not None else None


def snapshot(base: semver.Version, distance: int, revision: str) -> semver.Version:
    """The version of the commit ``distance`` commits after ``base``.

    It is above ``base`` and below whatever is released next: after 2.6.1 comes 2.6.2-dev, after
    2.7.0-rc.1 comes 2.7.0-rc.1.dev.
    """
    end = f"dev.{distance}-g{revision[:_SHORT]}"
    if base.prerelease:
        return base.replace(prerelease=f"{base.prerelease}.{end}", build=None)
    return base.bump_patch().replace(prerelease=end)


def _of_commit(checkout: git.Checkout, folder: Path, time: int | None) -> Version:
    tagged = highest(checkout.tags)
    if tagged is not None:
        return _version(tagged[1], checkout, time)
    base = _base(checkout, folder)
    distance = git.commits_since(folder, base[0])
    number = snapshot(base[1], distance, checkout.revision)
    return _version(number, checkout, time, snapshot=True)


def _has_version(checkout: git.Checkout) -> bool:
    if highest(checkout.tags) is not None:
        return True
    return not checkout.shallow and highest(checkout.earlier_tags) is not None


def _base(checkout: git.Checkout, folder: Path) -> tuple[str, semver.Version]:
    if checkout.shallow:
        raise ReleaseError(
            "the clone is shallow and its commit has no version tag, so the version is not known",
            where=str(folder),
            mend="run: git fetch --unshallow --tags"
            " (with actions/checkout set fetch-depth: 0; in GitLab CI set GIT_DEPTH: 0)",
        )
    base = highest(checkout.earlier_tags)
    if base is not None:
        return base
    if checkout.earlier_tags:
        what = f"no tag is a version like v1.2.3: there is {checkout.earlier_tags[-1][:80]!r}"
    else:
        what = "there is no tag to take the version from"
    raise ReleaseError(
        what,
        where=str(folder),
        mend="fetch them (git fetch --tags), tag the commit (git tag v0.1.0), or give --version",
    )


def _told(text: str) -> semver.Version:
    version = parse_version(text)
    if version is None:
        raise UsageError(f"{text[:80]!r} is not a version", mend="write 1.2.3 or 1.2.3-rc.1")
    return version


def _version(
    number: semver.Version | None,
    checkout: git.Checkout | None,
    time: int | None,
    *,
    snapshot: bool = False,
) -> Version:
    if number is not None and not is_tag(str(number)):
        raise UsageError(
            f"version {str(number)[:140]!r} cannot be an image's tag",
            mend="leave out what follows '+'" if number.build else "use at most 128 characters",
        )
    commit_time = checkout.commit_time if checkout else 0
    return Version(
        text=str(number or ""),
        revision=checkout.revision if checkout else "",
        major=number.major if number else 0,
        minor=number.minor if number else 0,
        patch=number.patch if number else 0,
        prerelease=number is None or number.prerelease is not None,
        commit_time=commit_time if time is None else time,
        dirty=checkout is not None and checkout.dirty,
        snapshot=snapshot,
    )


def _source_date(environment: Mapping[str, str]) -> int | None:
    text = environment.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) <= _LAST_SECOND):
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {text[:40]!r}",
            mend="it must be a whole number of seconds since 1970",
        )
    return int(text)
