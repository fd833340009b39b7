"""Before the first side effect: can this release succeed at all?"""

from __future__ import annotations

from manyfest.errors import ReleaseError, UsageError
from manyfest.release.steps.moves import held_by
from manyfest.release.steps.step import Release, Step


def _check(_: Release) -> str:
    return ""


def require_possible(release: Release) -> None:
    """What can be said against the configuration without asking anybody.

    Raises :class:`~manyfest.errors.UsageError`.
    """
    release.config.require_supported()
    if not release.destinations:
        raise UsageError(
            "'publish' names no repository",
            where=release.config.where("publish"),
            mend="name one there or with --to; `manyfest build` only builds",
        )


def _run(release: Release) -> str:
    require_possible(release)
    _refuse_dirty(release)
    for name in release.destinations:
        # Whether the registry answers, and lets us read; what the tags hold is looked at later.
        held_by(release.stores.registry(name), release.version.text)
    return f"{', '.join(name.place for name in release.destinations)} in reach"


def _refuse_dirty(release: Release) -> None:
    if release.version.dirty and not release.allow_dirty and release.taken_from is None:
        raise ReleaseError(
            f"the work tree differs from commit {release.version.short_revision}",
            where=str(release.config.root),
            mend="commit or stash the changes, or release them with --allow-dirty",
        )


PREFLIGHT = Step("preflight", _check, _run)
