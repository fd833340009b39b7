"""An image that was taken from somewhere must not be of another commit than the release.

Of a version it may say another one: a commit's image is built and tested before anybody tags the
commit, and the label of a version may be that of the base image.
"""

from __future__ import annotations

from collections.abc import Iterator

from manyfest.errors import ReleaseError
from manyfest.graph import read_config
from manyfest.images.selection import entries_of
from manyfest.release.origin import Origin, said_by, said_in
from manyfest.release.steps.step import Release, Step

_SHORTEST = 7
"""Digits of a commit that are enough to know it by."""


def _check(release: Release) -> str:
    return "" if release.taken_from is not None else "the image was built here"


def _run(release: Release) -> str:
    _tell_of_others(release)
    return _compare(release)


def _tell_of_others(release: Release) -> None:
    """Platforms that were not asked for are released too: without them it would be another index,
    with another digest."""
    image, wanted = release.built, release.config.build.platforms
    there = entries_of(image.source, image.graph.root.descriptor, known=image.graph.manifests)
    others = [str(each) for each, _ in there if not any(each.same_as(one) for one in wanted)]
    if others:
        release.progress.say(
            f"warning: {release.taken_from} has {', '.join(others)} too, which 'build.platforms'"
            " does not name; it is released as it is"
        )


def _compare(release: Release) -> str:
    wanted = Origin.of(release.version)
    said = list(_said(release))
    others = [
        (label, each.revision)
        for label, each in said
        if each.revision and wanted.revision and not _same(each.revision, wanted.revision)
    ]
    for label, revision in others:
        _refuse(release, label, revision)
    versions = {each.version for _, each in said} - {"", wanted.version}
    for version in sorted(versions):
        release.progress.say(
            f"warning: {release.taken_from} calls itself {version[:80]!r},"
            f" and is released as {wanted.version}"
        )
    if others:
        return "it is taken all the same"
    if not wanted.revision:
        return "no commit is known here to compare it with"
    if not any(each.revision for _, each in said):
        return "it does not say of which commit it is"
    return f"it says that it is of commit {release.version.short_revision}"


def _said(release: Release) -> Iterator[tuple[str, Origin]]:
    """What the index and each image say of themselves, by what they are called in messages."""
    image = release.built
    labels = image.graph.labels()
    for manifest in image.graph.manifests:
        if manifest.is_index:
            said = said_in(manifest.body.annotations)
        elif manifest.is_runnable:
            said = said_by(manifest, read_config(image.source, manifest.image))
        else:
            continue
        yield labels[manifest.descriptor.digest], said


def _same(said: str, commit: str) -> bool:
    return len(said) >= _SHORTEST and commit.startswith(said.lower())


def _refuse(release: Release, label: str, revision: str) -> None:
    what = f"its {label} is of commit {revision[:40]!r}, and this is {release.version.revision}"
    if release.allow_other_commit:
        release.progress.say(f"warning: {release.taken_from}: {what}")
        return
    raise ReleaseError(
        what,
        where=str(release.taken_from),
        mend="check that commit out, or take the image all the same with --allow-other-commit",
    )


ORIGIN = Step("origin", _check, _run)

ORIGIN_OF_PART = Step("origin", _check, _compare)
"""For an image of which one platform is taken."""
