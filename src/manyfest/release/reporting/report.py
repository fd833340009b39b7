"""What a release did, or would do, as values: the contract of ``manyfest release --json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from manyfest.check.report import PlatformSummary
from manyfest.errors import ManyfestError
from manyfest.oci.digest import Digest
from manyfest.oci.platform import Platform
from manyfest.release.destinations import Destination
from manyfest.release.reporting.notify import recipients
from manyfest.release.steps.step import Outcome, Release


class StepReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a step ended: ``outcome`` is ``done`` or ``skipped``, ``what`` says what or why."""

    step: str
    outcome: str
    what: str
    seconds: float


class PlatformReport(msgspec.Struct, frozen=True, kw_only=True):
    """One platform's image. ``digest`` is its manifest's, ``config`` its configuration's, which
    Docker calls the image's id. ``size`` is in bytes as a client downloads them; ``command`` is
    what a container runs: the entrypoint and its default arguments; ``seconds`` is what its build
    took, or ``None`` if it was not built here."""

    platform: str
    digest: str
    config: str
    size: int
    layers: int
    command: tuple[str, ...]
    seconds: float | None


class ReferenceReport(msgspec.Struct, frozen=True, kw_only=True):
    """One tag in one repository, and what it holds. ``changed``: it did not before."""

    reference: str
    tag: str
    digest: str
    changed: bool


class KeptReport(msgspec.Struct, frozen=True, kw_only=True):
    """A moving tag that does not hold the release in one repository, and why: it is ahead of it, or
    somebody else has moved it on since."""

    tag: str
    reason: str


class DestinationReport(msgspec.Struct, frozen=True, kw_only=True):
    """One repository, and the ``platform`` if it is for one alone: the bytes that were uploaded,
    and the tags that now hold the release."""

    repository: str
    platform: str | None
    uploaded: int
    tags: tuple[str, ...]
    references: tuple[ReferenceReport, ...]
    kept: tuple[KeptReport, ...]


class TagReport(msgspec.Struct, frozen=True, kw_only=True):
    """One planned tag, as in ``manyfest version --json``. ``skipped``: it is left where it is."""

    tag: str
    moves: bool
    skipped: bool
    reason: str
    platform: str | None


class ErrorReport(msgspec.Struct, frozen=True, kw_only=True):
    """Why a release failed, in the parts of the line that was printed, and the exit code."""

    where: str
    what: str
    mend: str
    exit_code: int


class StandingReport(msgspec.Struct, frozen=True, kw_only=True):
    """Where a tag that was tried stands after a failure: ``as before``, ``put back``, ``taken
    away``, ``set and left``, ``changed by others`` or ``not known``. Any tag that is not named was
    not touched."""

    reference: str
    standing: str


class ReleaseReport(msgspec.Struct, frozen=True, kw_only=True):
    """A release, and how it ended. ``archive`` is the one that was built, or ``taken_from`` names
    the image that was released instead; the other is empty. ``changed`` are the references that did
    not point at this release before and do now.

    If it failed, ``error`` says why and ``standing`` where the tags are. What was not found out by
    then is empty: ``digest`` before there is an image, ``platforms`` before it is checked. No
    destination's tag is said to hold the release then: that is for ``standing`` to say.
    """

    outcome: Literal["released", "failed"]
    error: ErrorReport | None
    name: str
    version: str
    revision: str
    digest: str
    archive: str
    taken_from: str
    platforms: tuple[PlatformReport, ...]
    destinations: tuple[DestinationReport, ...]
    changed: tuple[str, ...]
    standing: tuple[StandingReport, ...]
    tags: tuple[TagReport, ...]
    steps: tuple[StepReport, ...]


class PlanReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a release would do. ``archive`` and ``before``, the command, are empty if the image is
    not built but ``taken_from`` somewhere. ``smoke`` are the arguments of the smoke test, which is
    run for each platform, or empty if there is none. ``notify`` is whom it would tell, without
    secrets."""

    name: str
    version: str
    revision: str
    dirty: bool
    taken_from: str
    before: str
    archive: str
    platforms: tuple[str, ...]
    smoke: tuple[str, ...]
    destinations: tuple[str, ...]
    tags: tuple[TagReport, ...]
    notify: tuple[str, ...]


def release_report(
    release: Release, outcomes: Sequence[Outcome], error: ManyfestError | None = None
) -> ReleaseReport:
    """The report of a release: of one whose steps all ended well, or of one that ``error`` ended
    after the steps in ``outcomes``."""
    return ReleaseReport(
        outcome="failed" if error else "released",
        error=_error(error) if error else None,
        name=release.config.name,
        version=release.version.text,
        revision=release.version.revision,
        digest=str(release.image.digest) if release.image else "",
        archive="" if release.taken_from or release.joins else str(release.archive),
        taken_from=str(release.taken_from or ""),
        platforms=tuple(_platform(release, image) for image in release.checked),
        destinations=tuple(
            _destination(release, name, complete=error is None) for name in release.destinations
        ),
        changed=tuple(name for name in release.changed_tags if name not in release.moved_on),
        standing=tuple(
            StandingReport(reference=reference, standing=standing)
            for reference, standing in release.standing.items()
        ),
        tags=_tags(release),
        steps=tuple(map(_step, outcomes)),
    )


def plan_report(release: Release) -> PlanReport:
    """What the steps would do; nothing is asked of any registry."""
    built = release.taken_from is None and not release.joins
    smoke = release.config.check.smoke
    return PlanReport(
        name=release.config.name,
        version=release.version.text,
        revision=release.version.revision,
        dirty=release.version.dirty,
        taken_from=str(release.taken_from or ""),
        before=release.config.build.before if built else "",
        archive=str(release.archive) if built else "",
        platforms=tuple(str(platform) for platform in release.config.build.platforms),
        smoke=smoke.command if smoke and not release.joins else (),
        destinations=tuple(name.place for name in release.destinations),
        tags=_tags(release),
        notify=tuple(each.address.label for each in recipients(release.config)),
    )


def _step(outcome: Outcome) -> StepReport:
    return StepReport(
        step=outcome.step,
        outcome="skipped" if outcome.skipped else "done",
        what=outcome.what,
        seconds=round(outcome.seconds, 3),
    )


def _error(error: ManyfestError) -> ErrorReport:
    return ErrorReport(
        where=error.where, what=error.what, mend=error.mend, exit_code=error.exit_code
    )


def _destination(release: Release, name: Destination, *, complete: bool) -> DestinationReport:
    """``complete``: every tag was set."""
    taken = [tag for tag in release.tags if complete and not tag.skipped and name.takes(tag)]
    kept = {tag.tag: _kept(release, str(name.with_tag(tag.tag))) for tag in taken}
    set_here = [tag for tag in taken if kept[tag.tag] is None]
    references = []
    for tag in set_here:
        reference = str(name.with_tag(tag.tag))
        references.append(
            ReferenceReport(
                reference=reference,
                tag=tag.tag,
                digest=str(_held(release, name.platform or tag.platform)),
                changed=reference in release.changed_tags,
            )
        )
    return DestinationReport(
        repository=name.place,
        platform=str(name.platform) if name.platform else None,
        uploaded=release.sent.get(name.place, 0),
        tags=tuple(tag.tag for tag in set_here),
        references=tuple(references),
        kept=tuple(KeptReport(tag=tag, reason=why) for tag, why in kept.items() if why),
    )


def _kept(release: Release, reference: str) -> str | None:
    """Why a tag does not hold the release; ``None`` if it does."""
    theirs = release.moved_on.get(reference)
    if theirs is not None:
        return f"somebody else has moved it on to {theirs}"
    return release.kept.get(reference)


def _held(release: Release, platform: Platform | None) -> Digest:
    """What a tag holds: the index, or one platform's image."""
    if platform is None:
        return release.built.digest
    wanted = str(platform.normalised())
    return next(image.descriptor.digest for image in release.checked if image.platform == wanted)


def _tags(release: Release) -> tuple[TagReport, ...]:
    return tuple(
        TagReport(
            tag=tag.tag,
            moves=tag.moves,
            skipped=tag.skipped,
            reason=tag.reason_unasked,
            platform=str(tag.platform) if tag.platform else None,
        )
        for tag in release.tags
    )


def _platform(release: Release, image: PlatformSummary) -> PlatformReport:
    took = release.build_seconds.get(image.platform)
    return PlatformReport(
        platform=image.platform,
        digest=str(image.descriptor.digest),
        config=_config(release, image.descriptor.digest),
        size=image.size,
        layers=image.layers,
        command=image.command,
        seconds=None if took is None else round(took, 3),
    )


def _config(release: Release, digest: Digest) -> str:
    """The digest of the configuration of the image at ``digest``."""
    manifests = release.built.graph.manifests
    image = next(each for each in manifests if each.descriptor.digest == digest)
    return str(image.image.config.digest)
