"""The tags of a release, and what each repository says to them, as values: the contract of
``manyfest version --json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from manyfest.release.tags.forward import Decision
from manyfest.release.tags.plan import PlannedTag
from manyfest.release.versions.version import Version

Verdicts = Mapping[str, Mapping[str, Decision]]
"""By repository and by tag: whether it moves there."""


class TagVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One tag, whether it moves there from an earlier release, and why, for people."""

    tag: str
    moves: bool
    reason: str


class RepositoryVerdicts(msgspec.Struct, frozen=True, kw_only=True):
    """The tags of which one repository says something else than another."""

    repository: str
    tags: tuple[TagVerdict, ...]


class VersionReport(msgspec.Struct, frozen=True, kw_only=True):
    """The version, and the tags that a release would set, in order. ``repositories`` are there
    where they differ."""

    version: str
    revision: str
    prerelease: bool
    tags: tuple[TagVerdict, ...]
    repositories: tuple[RepositoryVerdicts, ...]


def version_report(
    version: Version, tags: Sequence[PlannedTag], verdicts: Verdicts
) -> VersionReport:
    """What ``manyfest version`` shows of tags that were judged, or, without ``verdicts``, were
    not."""
    differing = [tag.tag for tag in tags if len(_said(tag, verdicts)) > 1]
    return VersionReport(
        version=version.text,
        revision=version.revision,
        prerelease=version.prerelease,
        tags=tuple(_summed_up(tag, verdicts) for tag in tags),
        repositories=tuple(
            RepositoryVerdicts(
                repository=repository,
                tags=tuple(
                    TagVerdict(tag=tag, moves=decisions[tag].moves, reason=decisions[tag].reason)
                    for tag in differing
                    if tag in decisions
                ),
            )
            for repository, decisions in verdicts.items()
            if differing
        ),
    )


def _summed_up(tag: PlannedTag, verdicts: Verdicts) -> TagVerdict:
    said = _said(tag, verdicts)
    if not said:
        return TagVerdict(tag=tag.tag, moves=tag.moves, reason=tag.reason)
    if len(said) == 1:
        return TagVerdict(tag=tag.tag, moves=said[0].moves, reason=said[0].reason)
    asked = [decisions[tag.tag] for decisions in verdicts.values() if tag.tag in decisions]
    count = sum(decision.moves for decision in asked)
    where = f"in {count} of {len(asked)} repositories"
    reason = f"moves {where}" if count else "skipped in every repository"
    return TagVerdict(tag=tag.tag, moves=count > 0, reason=reason)


def _said(tag: PlannedTag, verdicts: Verdicts) -> list[Decision]:
    """What the repositories say to the tag, each thing once."""
    found = (each[tag.tag] for each in verdicts.values() if tag.tag in each and tag.goes_by)
    return list(dict.fromkeys(found))
