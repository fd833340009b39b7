"""The image is read whole, as it will be published, and must hold what it promises."""

from __future__ import annotations

from msgspec.structs import replace

from manyfest.amounts import counted
from manyfest.check.image import check_image
from manyfest.check.report import Report
from manyfest.release.resume.reuse import find_settled, note_made
from manyfest.release.steps.step import Release, Step
from manyfest.stores.archives.store import ArchiveStore
from manyfest.stores.files import sync_folder


def _check(release: Release) -> str:
    """A verdict is never read back: whatever a tag is yet to be pointed at is checked every time.
    Where all of them are, nothing is left to be decided."""
    return "every tag points at it already" if find_settled(release) else ""


def _run(release: Release) -> str:
    try:
        report = _report(release)
    except BaseException:
        if _is_candidate(release):
            release.close()
            release.candidate.unlink(missing_ok=True)
        raise
    if _is_candidate(release):
        _keep(release)
    note_made(release)
    release.checked = report.platforms
    count = counted(len(report.platforms), "platform")
    return f"{count}: digests, platforms, programs and entrypoints agree"


def _report(release: Release) -> Report:
    """Raises :class:`~manyfest.errors.CheckFailed` if anything is wrong."""
    image = release.built
    report = check_image(
        image.source,
        image.graph.root.descriptor,
        platforms=release.config.build.platforms,
        foreign=release.config.check.foreign,
        progress=release.progress,
    )
    report.raise_for_findings(str(release.taken_from or ""))
    return report


def _is_candidate(release: Release) -> bool:
    """Whether the image is in an archive that this release has built and not yet named. One that
    an earlier release left behind when it was killed is not."""
    source = release.built.source
    return isinstance(source, ArchiveStore) and source.path == release.candidate


def _keep(release: Release) -> None:
    """Give the archive, which was found good, its name."""
    release.close()
    release.candidate.replace(release.archive)
    sync_folder(release.archive.parent)
    release.image = replace(release.built, source=ArchiveStore(release.archive))


CHECK = Step("check", _check, _run)
