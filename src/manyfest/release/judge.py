"""Whether moving tags may move in one repository: it is asked what it holds, and
:mod:`manyfest.release.forward` decides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from manyfest.build.metadata import PREFIX
from manyfest.copy import JOBS
from manyfest.errors import AccessDenied, ContentError, NotFound, ReleaseError, Unsupported
from manyfest.graph import read_config, read_manifest
from manyfest.oci.descriptor import Descriptor
from manyfest.release import git
from manyfest.release.forward import PLAIN, Decision, by_commit, by_version, versions_among
from manyfest.stores.base import Lists, Store
from manyfest.threads import workers

if TYPE_CHECKING:
    import semver

    from manyfest.release.config import Config
    from manyfest.release.destinations import Destination
    from manyfest.release.tags import PlannedTag
    from manyfest.release.version import Version
    from manyfest.stores.open import Stores

REVISION = f"{PREFIX}revision"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

Held = tuple["PlannedTag", Descriptor | None]
"""A tag, and what it points at in a repository, if it is there."""


def judge(store: Store, tags: Sequence[Held], config: Config, version: Version) -> list[Decision]:
    """Whether each of ``tags`` moves to ``version`` in this repository, and why. It is asked for
    its list of tags once, and only if that decides anything.

    Raises :class:`~manyfest.errors.ReleaseError` where there is no such list to be had.
    """
    listed = [tag for tag, _ in tags if tag.goes_by == "version"]
    held = _versions(store, listed[0], config) if listed else []
    return [_decide(store, tag, there, held, config, version) for tag, there in tags]


def judge_everywhere(
    stores: Stores,
    places: Sequence[Destination],
    tags: Sequence[PlannedTag],
    config: Config,
    version: Version,
) -> dict[str, dict[str, Decision]]:
    """What each repository says to the tags that it may keep where they are; several are asked at
    the same time. Raises as :func:`judge` does."""

    def ask(place: Destination) -> dict[str, Decision]:
        store = stores.registry(place)
        asked = [tag for tag in tags if tag.goes_by and place.takes(tag)]
        held = [(tag, _needed(store, tag)) for tag in asked]
        decisions = judge(store, held, config, version)
        return {tag.tag: decision for tag, decision in zip(asked, decisions, strict=True)}

    with workers(JOBS, "judge") as pool:
        found = list(pool.map(ask, places))
    return {place.place: decisions for place, decisions in zip(places, found, strict=True)}


def _needed(store: Store, tag: PlannedTag) -> Descriptor | None:
    return descriptor_held_by(store, tag.tag) if tag.goes_by == "commit" else None


def descriptor_held_by(store: Store, tag: str) -> Descriptor | None:
    """What a tag points at, or ``None`` if there is no such tag."""
    with suppress(NotFound):
        return store.resolve(tag)
    return None


def _decide(
    store: Store,
    tag: PlannedTag,
    there: Descriptor | None,
    held: Sequence[semver.Version],
    config: Config,
    version: Version,
) -> Decision:
    if tag.goes_by == "version" and tag.rule is not None:
        return by_version(tag.rule, version, held)
    if tag.goes_by == "commit" and there is not None:
        revision = revision_of(store, there)
        return by_commit(version, revision, partial(git.is_ancestor, config.root))
    return Decision(moves=tag.moves, reason=tag.reason)


def revision_of(store: Store, descriptor: Descriptor) -> str:
    """The commit that a manifest says it was made of, or empty if it says none: in an annotation,
    or that of one platform in a label."""
    try:
        manifest = read_manifest(store, descriptor)
        said = manifest.body.annotations.get(REVISION, "")
        if not said and manifest.is_runnable:
            said = read_config(store, manifest.image).config.labels.get(REVISION, "")
    except (NotFound, ContentError):
        return ""
    return said if _COMMIT.fullmatch(said) else ""


def _versions(store: Store, tag: PlannedTag, config: Config) -> list[semver.Version]:
    """The versions there, by the templates that spell one out."""
    templates = [rule.tag for rule in config.tags if rule.names_version] or [PLAIN]
    return versions_among(_tags(store, tag), templates, config.name)


def _tags(store: Store, tag: PlannedTag) -> list[str]:
    """The tags there; none of a repository that is yet to be made."""
    if not isinstance(store, Lists):
        raise _not_known(store, tag, "it gives no list of them")
    try:
        return list(store.tags())
    except NotFound:
        return []
    except (AccessDenied, Unsupported) as error:
        raise _not_known(store, tag, error.what) from error


def _not_known(store: Store, tag: PlannedTag, why: str) -> ReleaseError:
    return ReleaseError(
        f"the tags that are there decide whether {tag.tag} may move, and {why}",
        where=store.label,
        mend="let us list them, or have the tag moved whatever is there, by"
        f" {{tag: '{tag.rule}', forward: false}}",
    )
