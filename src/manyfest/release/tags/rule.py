"""An entry of ``tags``: a tag's template, and when it is set."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

import msgspec
from msgspec import Meta

from manyfest.release.project.template import TagTemplate

if TYPE_CHECKING:
    from manyfest.release.versions.occasion import Occasion
    from manyfest.release.versions.version import Version

Kind = Literal["release", "prerelease", "branch", "pull-request", "schedule"]
"""What a build is made for."""

_NAMES_ONE_RELEASE = frozenset({"version", "sha", "short_sha"})
_NUMBERS = frozenset({"major", "minor", "patch"})
_NO_VERSION = frozenset({"branch", "pr", "date"})
_NO_BRANCH = "no branch is checked out"

RELEASES: frozenset[Kind] = frozenset({"release", "prerelease"})
ON_BRANCHES: frozenset[Kind] = frozenset({"branch", "schedule"})
"""The kinds of build that are of a branch."""


class TagRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tag, and when it is set. A text alone is its 'tag'."""

    short_form: ClassVar[str] = "tag"

    tag: Annotated[TagTemplate, Meta(description="The tag.", examples=["edge"])]
    on: Annotated[
        tuple[Kind, ...],
        Meta(
            description="What it is set for. If left out: a tag with {{pr}} for pull requests, one"
            " with {{branch}} for branches, one that names a version or a commit for everything"
            " but schedules, 'branches' for branches, and any other for releases.",
            examples=[["branch"], ["release", "prerelease"]],
        ),
    ] = ()
    branches: Annotated[
        tuple[str, ...],
        Meta(
            description="Of branches and schedules, those of these branches; * is any text. If left"
            " out, every branch for a tag that names it, or a commit, and else the main branch.",
            examples=[["main"]],
        ),
    ] = ()
    versions: Annotated[
        str,
        Meta(
            description="Of all versions, those in this range, as npm writes it. A pre-release"
            " counts as what it leads to.",
            examples=[">=1"],
        ),
    ] = ""
    forward: Annotated[
        bool,
        Meta(
            description="Whether a tag that moves leaves a higher version, or a newer commit, where"
            " it is. With false, whatever is released last gets it."
        ),
    ] = True

    @classmethod
    def parse(cls, text: str) -> Self:
        """The rule that a text alone stands for. Raises
        :class:`~manyfest.errors.ConfigError`."""
        return cls(tag=TagTemplate.parse(text))

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What it is set for."""
        names = self.tag.variables
        if self.on:
            return self.on
        if "pr" in names:
            return ("pull-request",)
        if "branch" in names or self.branches:
            return ("branch",)
        if names & _NAMES_ONE_RELEASE:
            return ("release", "prerelease", "branch", "pull-request")
        return ("release",)

    def __str__(self) -> str:
        return self.tag.text

    def is_fixed(self, version: Version) -> bool:
        """Whether its tag names ``version`` for good, and moves to no other."""
        names = self.tag.variables
        # Of a final version the three numbers are all there is; of 2.7.0-rc.1 they say 2.7.0.
        return bool(names & _NAMES_ONE_RELEASE) or (names >= _NUMBERS and not version.prerelease)

    @property
    def names_version(self) -> bool:
        """Whether its tags spell a version out."""
        names = self.tag.variables
        return "version" in names or names >= _NUMBERS

    def goes_by_version(self, version: Version, occasion: Occasion) -> bool:
        """Whether its tag, where it moves, goes to the highest version; else to the newest
        commit."""
        releases = RELEASES & self._matched(version, occasion)
        return bool(releases) and not self.tag.variables & _NO_VERSION

    def why_not(self, version: Version, occasion: Occasion) -> str:
        """Why it is not set now; empty if it is."""
        names = self.tag.variables
        matched = self._matched(version, occasion)
        if not matched:
            return _described(version, occasion)
        if "pr" in names and not occasion.pull_request:
            return "this is no pull request"
        if "branch" in names and not occasion.branch:
            return _NO_BRANCH
        other_branch = self._why_not_of(occasion)
        if other_branch and matched <= ON_BRANCHES:
            return other_branch
        if self.versions and not self._holds(version):
            return f"{version} is not in {self.versions}"
        return ""

    def _why_not_of(self, occasion: Occasion) -> str:
        """Why it is not for the branch that is checked out; empty if it is."""
        is_for_any = self.tag.variables & {*_NAMES_ONE_RELEASE, "branch"} or occasion.scheduled
        if is_for_any and not self.branches:
            return ""
        if not occasion.branch:
            return _NO_BRANCH
        if not self.branches and not occasion.default_branch:
            return "which branch is the main one is not known; 'branches' can say it"
        wanted = self.branches or (occasion.default_branch,)
        is_wanted = any(fnmatchcase(occasion.branch, pattern) for pattern in wanted)
        return "" if is_wanted else f"the branch is {occasion.branch}"

    def _matched(self, version: Version, occasion: Occasion) -> frozenset[Kind]:
        return kinds_of(version, occasion) & {*self.kinds}

    def _holds(self, version: Version) -> bool:
        import semver

        from manyfest.release.versions.ranges import Range

        numbers = semver.Version(version.major, version.minor, version.patch)
        return numbers in Range.parse(self.versions)


def kinds_of(version: Version, occasion: Occasion) -> frozenset[Kind]:
    """What a build of ``version`` is made for. A schedule or a pull request makes no release,
    whatever tag is on its commit; on a branch a release is the branch's newest commit, too."""
    if occasion.scheduled:
        return frozenset({"schedule"})
    if occasion.pull_request:
        return frozenset({"pull-request"})
    if version.snapshot:
        return frozenset({"branch"})
    release: Kind = "prerelease" if version.prerelease else "release"
    return frozenset({release, "branch"}) if occasion.branch else frozenset({release})


def _described(version: Version, occasion: Occasion) -> str:
    if occasion.scheduled:
        return "a schedule started this"
    if occasion.pull_request:
        return f"this is pull request {occasion.pull_request}"
    if version.snapshot:
        return f"{version} is a snapshot"
    return f"{version} is a {'pre-release' if version.prerelease else 'final release'}"
