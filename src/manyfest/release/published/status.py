"""Which tag holds which version, in each repository, and whether it is all there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct

from manyfest.build.metadata import PREFIX
from manyfest.check.readiness import PlatformState, readiness
from manyfest.copy import JOBS
from manyfest.errors import AccessDenied, ContentError, ManyfestError, NotFound
from manyfest.graph import read_manifest
from manyfest.oci.digest import Digest
from manyfest.release.destinations import Destination
from manyfest.release.faults import Faults
from manyfest.release.project.config import Config
from manyfest.release.published.holdings import Holding, Standing, read_holding
from manyfest.release.versions.version import Version
from manyfest.stores.open import Stores
from manyfest.threads import workers

_VERSION = f"{PREFIX}version"

_MOST_LINES = 12
"""Moving tags of other lines that are looked at."""


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


class LineState(msgspec.Struct, frozen=True, kw_only=True):
    """The version that a moving tag holds in one repository; empty if there is no such tag, or it
    holds none of its own."""

    repository: str
    version: str


class LineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A moving tag of another line than the one that is out, as ``1.9``, of which every repository
    has a version. Whether that is complete was not asked."""

    tag: str
    agree: bool
    repositories: tuple[LineState, ...]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The contract of ``manyfest status --json``. ``good``: all repositories agree on every tag,
    whatever they hold is complete, and no version is ``half`` released. ``not_out`` is where the
    newest version has no tag of those that are due to it: it was taken back, or its release did
    not come to the tags."""

    name: str
    good: bool
    tags: tuple[TagStatus, ...]
    lines: tuple[LineStatus, ...]
    half: tuple[Standing, ...]
    not_out: tuple[Standing, ...]


def read_status(
    config: Config, stores: Stores, places: Sequence[Destination], *, every: bool = False
) -> tuple[Status, Sequence[ManyfestError]]:
    """Look at the tags of the release that is out, of the newest one and of a pre-release that is
    newer, or of ``every`` version; and at the versions that other lines are at.

    Gives what stands in the repositories that can be asked, and for each of the others what it
    raised: that is neither yes nor no.
    """
    faults = Faults()
    found = faults.of_each(lambda place: _found(config, stores, place, every=every), places)
    tags = _tags(config, list(found.values()))
    columns = _columns([each.holding for each in found.values()], tags, faults)
    holdings = [holding for holding, _ in columns]
    rows = zip(*(states for _, states in columns), strict=True)
    statuses = tuple(
        TagStatus(tag=tag, agree=_agree(holdings, row), repositories=row)
        for tag, row in zip(tags, rows, strict=False)  # no rows, if nobody answers
    )
    lines = _lines([each for each in found.values() if each.holding in holdings], tags)
    half = tuple(standing for each in found.values() for standing in each.half)
    status = Status(
        name=config.name,
        good=_good(statuses) and all(line.agree for line in lines) and not half,
        tags=statuses,
        lines=lines,
        half=half,
        not_out=tuple(each.newest for each in found.values() if each.newest),
    )
    return status, faults.found


class _Found(Struct, frozen=True):
    """A repository, and those of its versions that count; the version at each moving tag of the
    other ``lines``, what is ``half`` released, and the ``newest`` version if it is not out."""

    holding: Holding
    versions: tuple[Version, ...]
    lines: dict[str, str] = {}
    half: Sequence[Standing] = ()
    newest: Standing | None = None


def _found(config: Config, stores: Stores, place: Destination, *, every: bool) -> _Found:
    holding = _holding(config, stores, place)
    # The newest one of all may be a pre-release.
    few = (holding.current(), *holding.finals[:1], *holding.versions[:1])
    shown = holding.versions if every else tuple(filter(None, few))
    newest = holding.newest()
    is_out = newest is None or newest.at_it or not newest.elsewhere
    return _Found(
        holding,
        shown,
        lines=_other_lines(holding, shown),
        half=holding.half_released(),
        newest=None if is_out else newest,
    )


def _other_lines(holding: Holding, shown: Sequence[Version]) -> dict[str, str]:
    """By moving tag that none of the versions ``shown`` can have, the version that it holds; of
    the first few such tags, those of the highest versions."""
    known, every = _moving(holding, shown), _moving(holding, holding.versions)
    tags = [tag for tag in every if tag not in known][:_MOST_LINES]
    with workers(JOBS, "lines") as pool:
        versions = pool.map(holding.version_at, tags)
        return {tag: str(held or "") for tag, held in zip(tags, versions, strict=True)}


def _moving(holding: Holding, versions: Sequence[Version]) -> dict[str, None]:
    """The moving tags of some versions, the last of each one's first."""
    tags = (tag for each in versions for tag in reversed(holding.tags_of(each).moving))
    return dict.fromkeys(tags)


def _lines(found: Sequence[_Found], tags: Sequence[str]) -> tuple[LineStatus, ...]:
    """What the lines hold of which every repository has a version, apart from ``tags``."""
    first = found[0].lines if found else ()
    common = [
        tag
        for tag in first
        if tag not in tags
        and all(tag in each.lines for each in found)
        and any(tag in each.holding.tags for each in found)
    ]
    return tuple(
        LineStatus(
            tag=tag,
            agree=len({each.lines[tag] for each in found}) == 1,
            repositories=tuple(
                LineState(repository=each.holding.place.place, version=each.lines[tag])
                for each in found
            ),
        )
        for tag in common
    )


def _good(statuses: Sequence[TagStatus]) -> bool:
    return all(
        each.agree and all(state.complete for state in each.repositories if state.digest)
        for each in statuses
    )


def _holding(config: Config, stores: Stores, place: Destination) -> Holding:
    """What a repository holds; nothing if it is yet to be made."""
    try:
        # Some registries tell only those who may write that there is no such repository (Docker
        # Hub), and others deny a token to those who ask for more than they may (GHCR).
        with suppress(AccessDenied):
            return read_holding(config, stores, place)
        return read_holding(config, stores, place, writing=False)
    except NotFound:
        return Holding(place, stores.registry(place), config, frozenset(), ())


def _tags(config: Config, found: Sequence[_Found]) -> list[str]:
    """The tags of the releases that count, those that name a version after those that move."""
    moving: dict[str, None] = {}
    fixed: dict[str, None] = {}
    for each in found:
        moving.update(_moving(each.holding, each.versions))
        tags = (tag for version in each.versions for tag in each.holding.tags_of(version).fixed)
        fixed.update(dict.fromkeys(tags))
    always = (rule.tag.text for rule in config.tags if not rule.tag.variables)
    present = [tag for tag in always if any(tag in each.holding.tags for each in found)]
    return [*dict.fromkeys((*reversed(present), *moving)), *fixed]


def _columns(
    holdings: Sequence[Holding], tags: Sequence[str], faults: Faults
) -> list[tuple[Holding, list[TagState]]]:
    """The states of all tags in each repository; without one that ceases to answer, which is noted
    and not asked for the rest."""
    columns = []
    with workers(JOBS, "status") as pool:
        asked = [
            (holding, [pool.submit(_state, tag, holding) for tag in tags]) for holding in holdings
        ]
        for holding, states in asked:
            with faults.noted():
                try:
                    columns.append((holding, [state.result() for state in states]))
                finally:
                    for state in states:
                        state.cancel()
    return columns


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
