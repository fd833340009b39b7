"""Which tag holds which version, in each repository, and whether it is all there."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from manyfest.build.metadata import PREFIX
from manyfest.check.readiness import PlatformState, readiness
from manyfest.copy import JOBS
from manyfest.errors import ContentError, ManyfestError, NotFound
from manyfest.graph import read_manifest
from manyfest.oci.digest import Digest
from manyfest.release.destinations import Destination
from manyfest.release.faults import Faults
from manyfest.release.project.config import Config
from manyfest.release.published.holdings import Holding, read_holding, release_tags
from manyfest.stores.open import Stores
from manyfest.threads import workers

_VERSION = f"{PREFIX}version"


class TagState(msgspec.Struct, frozen=True, kw_only=True):
    """One tag in one repository. ``version`` is the one whose image it holds, by the tag that names
    that version or else by what the image says of itself; empty if neither tells. ``digest`` is
    empty if there is no such tag. ``complete``: every part of every platform is there."""

    repository: str
    digest: str
    version: str
    complete: bool
    platforms: tuple[PlatformState, ...]


class TagStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One tag everywhere. ``agree``: it holds the same version in every repository, or is in
    none."""

    tag: str
    agree: bool
    repositories: tuple[TagState, ...]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The contract of ``manyfest status --json``. ``good``: all repositories agree on every tag,
    and whatever they hold is complete."""

    name: str
    good: bool
    tags: tuple[TagStatus, ...]


def read_status(
    config: Config, stores: Stores, places: Sequence[Destination], *, every: bool = False
) -> tuple[Status, Sequence[ManyfestError]]:
    """Look at the tags of the release that is out, of the newest one and of a pre-release that is
    newer, or of ``every`` version.

    Gives what stands in the repositories that can be asked, and for each of the others what it
    raised: that is neither yes nor no. Raises what a registry raises that ceases to answer later.
    """
    faults = Faults()
    found = faults.of_each(lambda place: _holding(config, stores, place), places)
    holdings = list(found.values())
    tags = _tags(config, holdings, every=every)
    with workers(JOBS, "status") as pool:
        asked = [[pool.submit(_state, tag, holding) for holding in holdings] for tag in tags]
        rows = [tuple(state.result() for state in row) for row in asked]
    statuses = tuple(
        TagStatus(tag=tag, agree=_agree(holdings, row), repositories=row)
        for tag, row in zip(tags, rows, strict=True)
    )
    good = all(
        each.agree and all(state.complete for state in each.repositories if state.digest)
        for each in statuses
    )
    return Status(name=config.name, good=good, tags=statuses), faults.found


def _holding(config: Config, stores: Stores, place: Destination) -> Holding:
    """What a repository holds; nothing if it is yet to be made."""
    try:
        return read_holding(config, stores, place)
    except NotFound:
        return Holding(place, stores.registry(place), config, frozenset(), ())


def _tags(config: Config, holdings: Sequence[Holding], *, every: bool) -> list[str]:
    """The tags of the releases that count, those that name a version after those that move."""
    moving: dict[str, None] = {}
    fixed: dict[str, None] = {}
    for holding in holdings:
        newest = (*holding.finals[:1], *holding.versions[:1])  # the latter may be a pre-release
        versions = holding.versions if every else (holding.current(), *newest)
        for version in filter(None, versions):
            tags = release_tags(config, version)
            moving.update(dict.fromkeys(reversed(tags.moving)))
            fixed.update(dict.fromkeys(tags.fixed))
    always = (rule.tag.text for rule in config.tags if not rule.tag.variables)
    present = [tag for tag in always if any(tag in holding.tags for holding in holdings)]
    return [*dict.fromkeys((*reversed(present), *moving)), *fixed]


def _state(tag: str, holding: Holding) -> TagState:
    platform = holding.place.platform
    wanted = (platform,) if platform else holding.config.build.platforms
    digest = holding.digest_at(tag)
    if digest is None:
        return TagState(
            repository=holding.place.place, digest="", version="", complete=False, platforms=()
        )
    found = readiness(holding.store, str(digest), wanted, str(holding.place.with_tag(tag)))
    return TagState(
        repository=holding.place.place,
        digest=str(digest),
        version=_version(holding, digest),
        complete=found.ready,
        platforms=found.platforms,
    )


def _version(holding: Holding, digest: Digest) -> str:
    version = holding.version_of(digest)
    if version is not None:
        return version.text
    try:
        manifest = read_manifest(holding.store, holding.store.resolve(str(digest)))
    except (NotFound, ContentError):
        return ""
    return manifest.body.annotations.get(_VERSION, "")


def _agree(holdings: Sequence[Holding], states: Sequence[TagState]) -> bool:
    """One image in all repositories that are for all platforms, and its version in the others."""
    whole = {s.digest for h, s in zip(holdings, states, strict=True) if not h.place.platform}
    there = {bool(state.digest) for state in states}
    versions = {state.version for state in states}
    return len(whole) <= 1 and len(there) == 1 and len(versions) == 1
