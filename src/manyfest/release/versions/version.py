"""The version of a release: from git's tags, or as it was told.

A tag on the commit gives it: ``v2.6.1`` or ``2.6.1``, after the project's prefix if it has one
(``server/v2.6.1``). Of several it is the one that CI was started for, or else the highest. A commit
without one is a snapshot of what comes next: ``2.6.2-dev.5-gabc1234`` is the fifth commit after
2.6.1. All are versions by semver.org 2.0.0 and tags by the OCI distribution specification.

Pre-releases as Python writes them, ``1.2.3rc1``, are read as 1.2.3-rc.1 and keep their spelling.
The rest of PEP 440 is not read, since semver sorts it wrongly or has no place for it: ``.dev1`` is
below ``a1`` there, ``.post1`` above what it follows, and there are epochs and local versions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from manyfest.errors import ReleaseError, UsageError
from manyfest.oci.reference import is_tag
from manyfest.release.versions import git
from manyfest.release.versions.occasion import tag_built, whole_clone

if TYPE_CHECKING:
    import semver

_SHORT = 7
"""Digits of a short commit: fixed, since git's own choice grows with the repository."""

_PYTHON = re.compile(r"([0-9]+\.[0-9]+\.[0-9]+)(a|b|rc)([0-9]+)")
_COMMITS_AFTER = re.compile(r"(\bdev\.[0-9]+)-(g[0-9a-f]{7})")

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


class Tagged(msgspec.Struct, frozen=True):
    """A tag of git's and the version that it names, also as the tag spells it."""

    tag: str
    number: semver.Version
    text: str


def find_version(
    folder: Path,
    told: str = "",
    environment: Mapping[str, str] = os.environ,
    *,
    prefix: str = "",
) -> Version:
    """The version of what is checked out in ``folder``, or the one that was ``told``. Only tags
    that begin with ``prefix`` count.

    ``SOURCE_DATE_EPOCH`` in the environment is the time instead of the commit's. Where a version
    is told, no repository is needed; without one the revision is empty and the time 0.

    Raises :class:`~manyfest.errors.UsageError` if what was told is not a version or the time no
    number, and :class:`~manyfest.errors.ReleaseError` if git has no answer.
    """
    time = _source_date(environment)
    if told:
        version = _told(told)
        checkout = git.checkout(folder) if git.is_repository(folder) else None
        return _version(version.number, version.text, checkout, time)
    checkout = git.checkout(folder)
    here = _tag_of_commit(checkout, prefix, environment)
    if here is not None:
        return _version(here.number, here.text, checkout, time)
    return _after(released_versions(folder, prefix, environment)[-1], checkout, folder, time)


def version_if_known(
    folder: Path,
    told: str = "",
    environment: Mapping[str, str] = os.environ,
    *,
    prefix: str = "",
    needed: bool = False,
) -> Version:
    """The same for a build, which may do without: ``text`` is empty where no tag gives it. A clone
    that lacks the tags may be one where some does; that is an error if a version is ``needed``.

    Raises as :func:`find_version` does, for anything else.
    """
    if told:
        return find_version(folder, told, environment)
    time = _source_date(environment)
    if not git.is_repository(folder):
        return _version(None, "", None, time, snapshot=True)
    checkout = git.checkout(folder)
    here = _tag_of_commit(checkout, prefix, environment)
    if here is not None:
        return _version(here.number, here.text, checkout, time)
    tells = needed or not checkout.shallow
    released = reachable_versions(folder, prefix, environment) if tells else ()
    if released:
        return _after(released[-1], checkout, folder, time)
    return _version(None, "", checkout, time, snapshot=True)


def parse_version(tag: str, prefix: str = "") -> semver.Version | None:
    """The version that a tag names after the prefix, with or without ``v``, or None."""
    import semver

    if not tag.startswith(prefix):
        return None
    text = _spelled(tag, prefix)
    if python := _PYTHON.fullmatch(text):
        text = "{}-{}.{}".format(*python.groups())
    try:
        version = semver.Version.parse(text)
    except ValueError:
        return None
    return version if str(version) == text else None


def version_order(tag: str, prefix: str = "") -> tuple[bool, semver.Version, str]:
    """A key that sorts tags: those that name no version, as text, then versions, rising.
    Snapshots sort by the number of their commits, which semver would compare as text."""
    import semver

    version = parse_version(tag, prefix)
    if version is not None and version.prerelease:
        version = version.replace(prerelease=_COMMITS_AFTER.sub(r"\1.\2", version.prerelease))
    return (version is not None, version or semver.Version(0), tag)


def versions(tags: Iterable[str], prefix: str = "") -> tuple[Tagged, ...]:
    """Those of the tags that name versions, rising."""
    ordered = sorted(tags, key=lambda tag: version_order(tag, prefix))
    named = ((tag, parse_version(tag, prefix)) for tag in ordered)
    return tuple(
        Tagged(tag, number, _spelled(tag, prefix)) for tag, number in named if number is not None
    )


def reachable_versions(
    folder: Path, prefix: str = "", environment: Mapping[str, str] = os.environ
) -> tuple[Tagged, ...]:
    """The versions of HEAD and of all commits before it, rising.

    Raises :class:`~manyfest.errors.ReleaseError` if git has no answer, as in a shallow clone.
    """
    if git.is_shallow(folder):
        raise ReleaseError(
            "the clone is shallow, so the versions before this commit are not known",
            where=str(folder),
            mend=whole_clone(environment) or "run: git fetch --unshallow --tags",
        )
    return versions(git.reachable_tags(folder), prefix)


def released_versions(
    folder: Path, prefix: str = "", environment: Mapping[str, str] = os.environ
) -> tuple[Tagged, ...]:
    """The same, and at least one. Raises as :func:`reachable_versions` does, and if there is none:
    that nothing was ever released cannot be told from a clone without its tags."""
    found = reachable_versions(folder, prefix, environment)
    if found:
        return found
    if tags := git.reachable_tags(folder):
        what = f"no tag is a version like {prefix[:80]}v1.2.3: there is {tags[-1][:80]!r}"
    else:
        what = "there is no tag to take the version from"
    fetch = whole_clone(environment) or "fetch them (git fetch --tags)"
    raise ReleaseError(
        what,
        where=str(folder),
        mend=f"{fetch}, tag the commit (git tag {prefix[:80]}v0.1.0), or give --version",
    )


def snapshot(base: semver.Version, distance: int, revision: str) -> semver.Version:
    """The version of the commit ``distance`` commits after ``base``.

    It is above ``base`` and below the next final version: after 2.6.1 comes 2.6.2-dev, after
    2.7.0-rc.1 comes 2.7.0-rc.1.dev.
    """
    end = f"dev.{distance}-g{revision[:_SHORT]}"
    if base.prerelease:
        return base.replace(prerelease=f"{base.prerelease}.{end}", build=None)
    return base.bump_patch().replace(prerelease=end)


def _spelled(tag: str, prefix: str) -> str:
    return tag.removeprefix(prefix).removeprefix("v")


def _after(base: Tagged, checkout: git.Checkout, folder: Path, time: int | None) -> Version:
    number = snapshot(base.number, git.count_since(folder, base.tag), checkout.revision)
    return _version(number, str(number), checkout, time, snapshot=True)


def _tag_of_commit(
    checkout: git.Checkout, prefix: str, environment: Mapping[str, str]
) -> Tagged | None:
    """One commit may be 2.7.0-rc.1 first and 2.7.0 later: CI knows which it was started for."""
    found = versions(checkout.tags, prefix)
    built = tag_built(environment)
    return next((each for each in found if each.tag == built), found[-1] if found else None)


def _told(text: str) -> Tagged:
    number = parse_version(text)
    if number is None:
        raise UsageError(f"{text[:80]!r} is not a version", mend="write 1.2.3 or 1.2.3-rc.1")
    return Tagged(text, number, _spelled(text, ""))


def _version(
    number: semver.Version | None,
    text: str,
    checkout: git.Checkout | None,
    time: int | None,
    *,
    snapshot: bool = False,
) -> Version:
    if number is not None and not is_tag(text):
        raise UsageError(
            f"version {text[:140]!r} cannot be an image's tag",
            mend="leave out what follows '+'" if number.build else "use at most 128 characters",
        )
    commit_time = checkout.commit_time if checkout else 0
    return Version(
        text=text,
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
