"""Whether moving tags may move in one repository: it is asked what it holds, and
:mod:`manyfest.release.tags.forward` decides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import msgspec

from manyfest.build.metadata import PREFIX
from manyfest.errors import AccessDenied, ContentError, NotFound, ReleaseError, Unsupported
from manyfest.graph import read_config, read_manifest
from manyfest.oci.descriptor import Descriptor
from manyfest.release.tags.forward import PLAIN, Decision, by_commit, by_version, versions_among
from manyfest.release.versions import git
from manyfest.stores.base import Lists, Store

if TYPE_CHECKING:
    import semver

    from manyfest.release.destinations import Destination
    from manyfest.release.project.config import Config
    from manyfest.release.tags.plan import PlannedTag
    from manyfest.release.versions.version import Version

REVISION = f"{PREFIX}revision"
CREATED = f"{PREFIX}created"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]

Held = tuple["PlannedTag", Descriptor | None]
"""A tag, and what it points at in a repository, if it is there."""


def judge(store: Store, tags: Sequence[Held], config: Config, version: Version) -> list[Decision]:
    """Whether each of ``tags`` moves to ``version`` in this repository, and why. It is asked for
    its list of tags once, and only if that decides anything.

    Raises :class:`~manyfest.errors.ReleaseError` where there is no such list to be had, and where
    nothing tells which of two commits is the newer one.
    """
    listed = [tag for tag, _ in tags if tag.goes_by == "version"]
    held = _versions(store, listed[0], config) if listed else []

    def decide(tag: PlannedTag, there: Descriptor | None) -> Decision:
        if tag.goes_by == "version" and tag.rule is not None:
            return by_version(tag.rule, version, held)
        if tag.goes_by == "commit" and there is not None:
            is_before = partial(_is_before, store, tag, there, config, version)
            return by_commit(version, revision_of(store, there), is_before)
        return Decision(moves=tag.moves, reason=tag.reason)

    return [decide(tag, there) for tag, there in tags]


def judge_at(
    store: Store,
    place: Destination,
    tags: Sequence[PlannedTag],
    config: Config,
    version: Version,
) -> dict[str, Decision]:
    """What the repository ``place``, whose ``store`` is given, says to those of ``tags`` that it
    may keep where they are. Raises as :func:`judge` does."""
    asked = [tag for tag in tags if tag.goes_by and place.takes(tag)]
    held = [
        (tag, descriptor_held_by(store, tag.tag) if tag.goes_by == "commit" else None)
        for tag in asked
    ]
    decisions = judge(store, held, config, version)
    return {tag.tag: decision for tag, decision in zip(asked, decisions, strict=True)}


def descriptor_held_by(store: Store, tag: str) -> Descriptor | None:
    """What a tag points at, or ``None`` if there is no such tag."""
    try:
        return store.resolve(tag)
    except NotFound:
        return None
    except AccessDenied:
        # Some registries deny a tag that is not there (Artifactory); their list tells it.
        if _is_listed(store, tag):
            raise
        return None


def _is_listed(store: Store, tag: str) -> bool:
    """Whether it is in the list of tags, or may be: that is no answer where there is no list."""
    if not isinstance(store, Lists):
        return True
    try:
        return tag in store.tags()
    except NotFound:
        return False
    except (AccessDenied, Unsupported):
        return True


def revision_of(store: Store, descriptor: Descriptor) -> str:
    """The commit that a manifest says it was made of, or empty if it says none: in an annotation,
    or in a label of the image, as others do it who say nothing in the index."""
    try:
        manifest = read_manifest(store, descriptor)
        images = manifest.index.images if manifest.is_index else ()
        if images and REVISION not in manifest.body.annotations:
            manifest = read_manifest(store, images[0])
        said = manifest.body.annotations.get(REVISION, "")
        if not said and manifest.is_runnable:
            said = read_config(store, manifest.image).config.labels.get(REVISION, "")
    except (NotFound, ContentError):
        return ""
    return said if _COMMIT.fullmatch(said) else ""


def created_of(store: Store, descriptor: Descriptor) -> float:
    """When a manifest says it was made, in seconds since 1970: in an annotation, or in an image's
    configuration. 0 if it says nothing, or what builders write who leave the time out."""
    try:
        manifest = read_manifest(store, descriptor)
        said = manifest.body.annotations.get(CREATED, "")
        images = manifest.index.images if manifest.is_index else ()
        if images and not said:
            manifest = read_manifest(store, images[0])
        if not said and manifest.is_runnable:
            said = read_config(store, manifest.image).created
        return max(msgspec.convert(said, _Moment).timestamp(), 0.0)
    except (NotFound, ContentError, msgspec.ValidationError):
        return 0.0


def _is_before(
    store: Store,
    tag: PlannedTag,
    there: Descriptor,
    config: Config,
    version: Version,
    ours: str,
    theirs: str,
) -> bool:
    """Whether our commit comes before theirs, of which the tag holds the image: by git, and where
    the clone lacks theirs, as that of a late job does, by their times."""
    is_ancestor = git.is_ancestor(config.root, ours, theirs)
    if is_ancestor is not None:
        return is_ancestor
    created = created_of(store, there)
    if not created or not version.commit_time or created == version.commit_time:
        raise ReleaseError(
            f"{tag.tag} is at commit {theirs[:7]}, which may be after {version.short_revision}:"
            " it is not in this clone, and the images do not tell which was made first",
            where=store.label,
            mend=_or_whatever_is_there("fetch the whole history", tag),
        )
    return version.commit_time < created


def _versions(store: Store, tag: PlannedTag, config: Config) -> list[semver.Version]:
    """The versions there, by the templates that spell one out; none of a repository that is yet to
    be made."""
    if not isinstance(store, Lists):
        raise _not_known(store, tag, "it gives no list of them")
    templates = [rule.tag for rule in config.tags if rule.names_version] or [PLAIN]
    try:
        return versions_among(store.tags(), templates, config.name)
    except NotFound:
        return []
    except (AccessDenied, Unsupported) as error:
        raise _not_known(store, tag, error.what, error.mend) from error


def _not_known(store: Store, tag: PlannedTag, why: str, mend: str = "") -> ReleaseError:
    return ReleaseError(
        f"the tags that are there decide whether {tag.tag} may move, and {why}",
        where=store.label,
        mend=_or_whatever_is_there(mend or "let us list them", tag),
    )


def _or_whatever_is_there(mend: str, tag: PlannedTag) -> str:
    return (
        f"{mend}, or have the tag moved whatever is there, by {{tag: '{tag.rule}', forward: false}}"
    )
