"""The image is read whole, as it will be published, and must hold what it promises."""

from __future__ import annotations

from dataclasses import replace

from manyfest.check.image import check_image
from manyfest.errors import CheckFailed
from manyfest.release.steps.step import Release, Step
from manyfest.stores.archive import ArchiveStore
from manyfest.stores.files import sync_folder


def _check(_: Release) -> str:
    return ""  # a verdict is never read back: what is published is checked every time


def _run(release: Release) -> str:
    image = release.built
    report = check_image(
        image.source,
        image.graph.root.descriptor,
        platforms=release.config.build.platforms,
        foreign=release.config.check.foreign,
        progress=release.progress,
    )
    try:
        report.raise_for_findings()
    except CheckFailed:
        release.candidate.unlink(missing_ok=True)
        raise
    _keep(release)
    release.checked = report.platforms
    return f"{len(report.platforms)} platforms: digests, platforms, programs and entrypoints agree"


def _keep(release: Release) -> None:
    """Give an archive that was built and found good its name."""
    if release.candidate.exists():
        release.candidate.replace(release.archive)
        sync_folder(release.archive.parent)
        release.image = replace(release.built, source=ArchiveStore(release.archive))


CHECK = Step("check", _check, _run)
