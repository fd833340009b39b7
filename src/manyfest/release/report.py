"""What a release did, or would do, as values: the contract of ``manyfest release --json``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from manyfest.check.report import PlatformSummary
from manyfest.release.steps.step import Outcome, Release


class StepReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a step ended: ``outcome`` is ``done`` or ``skipped``, ``what`` says what or why."""

    step: str
    outcome: str
    what: str
    seconds: float


class PlatformReport(msgspec.Struct, frozen=True, kw_only=True):
    """One platform's image. ``size`` is in bytes as a client downloads them; ``command`` is what a
    container runs: the entrypoint and its default arguments; ``seconds`` is what its build took,
    or ``None`` if it was not built here."""

    platform: str
    digest: str
    size: int
    layers: int
    command: tuple[str, ...]
    seconds: float | None


class DestinationReport(msgspec.Struct, frozen=True, kw_only=True):
    """One repository: the bytes that were uploaded, and the tags that now hold the release."""

    repository: str
    uploaded: int
    tags: tuple[str, ...]


class TagReport(msgspec.Struct, frozen=True, kw_only=True):
    """One planned tag, as in ``manyfest version --json``."""

    tag: str
    moves: bool
    reason: str
    platform: str | None


class ReleaseReport(msgspec.Struct, frozen=True, kw_only=True):
    """A release that succeeded. ``archive`` is the one that was built, or ``taken_from`` names the
    image that was released instead; the other is empty. ``changed`` are the references that did
    not point at this release before."""

    name: str
    version: str
    revision: str
    digest: str
    archive: str
    taken_from: str
    platforms: tuple[PlatformReport, ...]
    destinations: tuple[DestinationReport, ...]
    changed: tuple[str, ...]
    tags: tuple[TagReport, ...]
    steps: tuple[StepReport, ...]


class PlanReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a release would do. ``archive`` and ``before``, the command, are empty if the image is
    not built but ``taken_from`` somewhere."""

    name: str
    version: str
    revision: str
    dirty: bool
    taken_from: str
    before: str
    archive: str
    platforms: tuple[str, ...]
    destinations: tuple[str, ...]
    tags: tuple[TagReport, ...]


def release_report(release: Release, outcomes: Sequence[Outcome]) -> ReleaseReport:
    """The report of a release whose steps all ended well."""
    tags = tuple(tag.tag for tag in release.tags if not tag.skipped)
    return ReleaseReport(
        name=release.config.name,
        version=release.version.text,
        revision=release.version.revision,
        digest=str(release.built.digest),
        archive="" if release.taken_from else str(release.archive),
        taken_from=str(release.taken_from or ""),
        platforms=tuple(_platform(release, image) for image in release.checked),
        destinations=tuple(
            DestinationReport(
                repository=name.place, uploaded=release.sent.get(name.place, 0), tags=tags
            )
            for name in release.destinations
        ),
        changed=tuple(release.changed_tags),
        tags=_tags(release),
        steps=tuple(
            StepReport(
                step=outcome.step,
                outcome="skipped" if outcome.skipped else "done",
                what=outcome.what,
                seconds=round(outcome.seconds, 3),
            )
            for outcome in outcomes
        ),
    )


def plan_report(release: Release) -> PlanReport:
    """What the steps would do; nothing is asked of any registry."""
    built = release.taken_from is None
    return PlanReport(
        name=release.config.name,
        version=release.version.text,
        revision=release.version.revision,
        dirty=release.version.dirty,
        taken_from=str(release.taken_from or ""),
        before=release.config.build.before if built else "",
        archive=str(release.archive) if built else "",
        platforms=tuple(str(platform) for platform in release.config.build.platforms),
        destinations=tuple(name.place for name in release.destinations),
        tags=_tags(release),
    )


def _tags(release: Release) -> tuple[TagReport, ...]:
    return tuple(
        TagReport(
            tag=tag.tag,
            moves=tag.moves,
            reason=tag.reason,
            platform=str(tag.platform) if tag.platform else None,
        )
        for tag in release.tags
    )


def _platform(release: Release, image: PlatformSummary) -> PlatformReport:
    took = release.build_seconds.get(image.platform)
    return PlatformReport(
        platform=image.platform,
        digest=str(image.descriptor.digest),
        size=image.size,
        layers=image.layers,
        command=image.command,
        seconds=None if took is None else round(took, 3),
    )
