"""Before the first side effect: can this release succeed at all?

Everything that can be known is asked, and all that stands in the way is told at once: nobody wants
to learn of the third registry's wrong password after the other two got the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from manyfest.copy import meaning
from manyfest.errors import AccessDenied, ReleaseError, UsageError
from manyfest.oci.digest import Digest
from manyfest.release.destinations import Destination
from manyfest.release.faults import Faults
from manyfest.release.resume.reuse import find_image, find_settled
from manyfest.release.steps.moves import held_by
from manyfest.release.steps.step import Release, Step
from manyfest.release.tags.judge import judge_at
from manyfest.release.versions.git import changed_files
from manyfest.stores.base import Admits

if TYPE_CHECKING:
    from manyfest.build.builder import WantedImage
    from manyfest.build.request import BuildRequest


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


def require_buildable(release: Release) -> None:
    """The same of the image, unless it was built before.

    Raises as a build does: :class:`~manyfest.errors.UsageError` and
    :class:`~manyfest.errors.BuildError`.
    """
    faults = Faults()
    with faults.noted():
        if not find_image(release):
            _planned_build(release, faults)
    faults.raise_all()


def _run(release: Release) -> str:
    return _look_ahead(release, builds=release.taken_from is None)


def _run_without_build(release: Release) -> str:
    return _look_ahead(release, builds=False)


def _look_ahead(release: Release, *, builds: bool) -> str:
    require_possible(release)
    _refuse_dirty(release)
    faults = Faults()
    with faults.noted():
        if builds or release.taken_from is not None:
            find_image(release)
    in_reach, denied = _look(release, faults)
    settled = False
    with faults.noted():
        settled = not faults.found and not denied and find_settled(release)
    if not settled:
        open_ = _require_push(release, in_reach, denied, faults)
        if release.looked is None:
            _require_verdicts(release, open_, faults)
        if builds and release.image is None:
            _require_build(release, faults)
    faults.raise_all()
    return f"{', '.join(name.place for name in release.destinations)} in reach"


def _look(
    release: Release, faults: Faults
) -> tuple[list[Destination], dict[Destination, ReleaseError]]:
    """The repositories that answer; what they hold under this version must be one image. And what
    stands in the way of those that do not let us see whether they hold a tag that must not be
    overwritten."""
    fixed = next((tag for tag in release.tags if not tag.skipped and not tag.moves), None)
    tag = fixed.tag if fixed else release.version.text
    denied: dict[Destination, ReleaseError] = {}

    def look(place: Destination) -> Digest | None:
        store = release.stores.registry(place, writing=True)
        if fixed is None or not place.takes(fixed):
            return meaning(store, tag)  # it is not set there
        try:
            return held_by(store, tag)
        except AccessDenied as error:  # perhaps nothing is allowed there: pushing tells more
            denied[place] = _denied(place, tag, error)
            return None

    held = faults.of_each(look, release.destinations)
    whole = [(place, digest) for place, digest in held.items() if digest and not place.platform]
    release.there = dict(whole)
    for place, digest in whole[1:]:
        if digest != whole[0][1]:
            with faults.noted():
                raise _two_images(place, tag, digest, whole[0])
    return list(held), denied


def _require_push(
    release: Release,
    places: Sequence[Destination],
    denied: Mapping[Destination, ReleaseError],
    faults: Faults,
) -> list[Destination]:
    """Those that take what is pushed, and let us see what that would overwrite."""

    def ask(place: Destination) -> None:
        store = release.stores.registry(place, writing=True)
        if isinstance(store, Admits):
            store.require_push()
        if place in denied:
            raise denied[place]

    return list(faults.of_each(ask, places))


def _require_verdicts(release: Release, places: Sequence[Destination], faults: Faults) -> None:
    """Whether a moving tag may move there can be told, whatever the answer will be. A look at all
    tags has told it."""

    def ask(place: Destination) -> None:
        store = release.stores.registry(place, writing=True)
        judge_at(store, place, release.tags, release.config, release.version)

    faults.of_each(ask, places)


def _require_build(release: Release, faults: Faults) -> None:
    """It makes sense, and its base images are there."""
    request = _planned_build(release, faults)
    if request is not None:
        from manyfest.build.builder import base_images

        with faults.noted():
            _require_bases(release, base_images(request), faults)


def _planned_build(release: Release, faults: Faults) -> BuildRequest | None:
    """What is built, if its command can be run and its Dockerfile makes sense, as far as that can
    be told before."""
    # Loaded when something is to be built.
    from manyfest.build.builder import plan
    from manyfest.build.request import is_there
    from manyfest.release.project.before import check_before
    from manyfest.release.project.building import project_request

    config = release.config
    has_before = bool(config.build.before)
    with faults.noted():
        check_before(config)
    planned: BuildRequest | None = None
    with faults.noted():
        request = project_request(config, release.version)
        if not has_before or is_there(request):  # else the command may make it
            plan(request, has_before=has_before)
            planned = request
    return planned


def _require_bases(release: Release, images: list[WantedImage], faults: Faults) -> None:
    from manyfest.build.bases import Bases

    bases = Bases(release.stores.registry)
    faults.of_each(lambda wanted: wanted.find(bases), images)


def _refuse_dirty(release: Release) -> None:
    if release.version.dirty and not release.allow_dirty and release.taken_from is None:
        changed = changed_files(release.config.root)
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise ReleaseError(
            f"the work tree differs from commit {release.version.short_revision}"
            + (f": {changed[0]}{more}" if changed else ""),
            where=str(release.config.root),
            mend="commit or stash the changes, or release them with --allow-dirty",
        )


def _denied(place: Destination, tag: str, error: AccessDenied) -> ReleaseError:
    return ReleaseError(
        f"whether the tag is there, which must not be overwritten, cannot be told: {error.what}",
        where=str(place.with_tag(tag)),
        mend=error.mend or "use a login that may read, and list tags",
    )


def _two_images(
    place: Destination, tag: str, digest: Digest, first: tuple[Destination, Digest]
) -> ReleaseError:
    return ReleaseError(
        f"the tag holds {digest}, and {first[0].with_tag(tag)} holds {first[1]}: no release can be"
        " both",
        where=str(place.with_tag(tag)),
        mend="release a new version",
    )


PREFLIGHT = Step("preflight", _check, _run)

PREFLIGHT_WITHOUT_BUILD = Step("preflight", _check, _run_without_build)
"""For a release whose image comes from elsewhere, in a later step."""
