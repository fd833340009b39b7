"""The image is read whole, as it will be published, and must hold what it promises."""

from __future__ import annotations

from manyfest.check.image import check_image
from manyfest.release.steps.step import Release, Step


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
    report.raise_for_findings()
    release.checked = report.platforms
    return f"{len(report.platforms)} platforms: digests, platforms, programs and entrypoints agree"


CHECK = Step("check", _check, _run)
