"""The project's own command before the build, as a step of a release."""

from __future__ import annotations

from manyfest.amounts import counted
from manyfest.release.resume.reuse import find_image
from manyfest.release.steps.step import Release, Step


def _check(release: Release) -> str:
    if release.taken_from is not None:
        return f"the image is taken from {release.taken_from}"
    made = find_image(release)
    if made:
        return made
    return "" if release.config.build.before else "no 'build.before' is configured"


def _run(release: Release) -> str:
    from manyfest.release.project.before import run_before

    platforms = release.config.build.platforms
    run_before(release.config, release.version, platforms, release.progress)
    return f"ran for {counted(len(platforms), 'platform')}"


HOOK = Step("before", _check, _run)
