"""What a release did, or would do, as values: the contract of ``manyfest release --json``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from manyfest.oci.digest import Digest
from manyfest.oci.manifest import Manifest
from manyfest.oci.parse import parse_config
from manyfest.release.steps.step import Image, Outcome, Release
from manyfest.stores.base import read_all


class StepReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a step ended: ``outcome`` is ``done`` or ``skipped``, ``what`` says what or why."""

    step: str
    outcome: str
    what: str
    seconds: float


class PlatformReport(msgspec.Struct, frozen=True, kw_only=True):
    """One platform's image. ``size`` is in bytes as a client downloads them; ``seconds`` is what
    its build took, or ``None`` if it was not built here."""

    platform: str
    digest: str
    size: int
    layers: int
    entrypoint: tuple[str, ...]
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
    """A release that succeeded."""

    name: str
    version: str
    revision: str
    digest: str
    archive: str
    platforms: tuple[PlatformReport, ...]
    destinations: tuple[DestinationReport, ...]
    changed: tuple[str, ...]
    tags: tuple[TagReport, ...]
    steps: tuple[StepReport, ...]


class PlanReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a release would do."""

    name: str
    version: str
    revision: str
    dirty: bool
    archive: str
    before: str
    platforms: tuple[str, ...]
    destinations: tuple[str, ...]
    tags: tuple[TagReport, ...]


def release_report(release: Release, outcomes: Sequence[Outcome]) -> ReleaseReport:
    """The report of a release whose steps all ended well."""
    image = release.built
    tags = tuple(tag.tag for tag in release.tags if not tag.skipped)
    return ReleaseReport(
        name=release.config.name,
        version=release.version.text,
        revision=release.version.revision,
        digest=str(image.digest),
        archive="" if release.taken_from else str(release.archive),
        platforms=tuple(_platforms(release, image)),
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
    return PlanReport(
        name=release.config.name,
        version=release.version.text,
        revision=release.version.revision,
        dirty=release.version.dirty,
        archive=str(release.archive),
        before=release.config.build.before,
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


def _platforms(release: Release, image: Image) -> list[PlatformReport]:
    by_digest = {each.descriptor.digest: each for each in image.graph.manifests}
    return [
        _platform(release, image, str(entry.platform), by_digest[entry.digest])
        for entry in image.graph.root.index.images
    ]


def _platform(release: Release, image: Image, platform: str, manifest: Manifest) -> PlatformReport:
    config = parse_config(read_all(image.source, manifest.image.config)).config
    parts: dict[Digest, int] = {part.digest: part.size for part in manifest.children}
    took = release.build_seconds.get(platform)
    return PlatformReport(
        platform=platform,
        digest=str(manifest.descriptor.digest),
        size=sum(parts.values()) + manifest.descriptor.size,
        layers=len(manifest.image.layers),
        entrypoint=config.entrypoint or config.cmd,
        seconds=None if took is None else round(took, 3),
    )
