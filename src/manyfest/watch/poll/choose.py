"""Which of a repository's tags are watched. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from manyfest.oci.reference import is_companion_tag, is_tag
from manyfest.release.versions.ranges import Range
from manyfest.release.versions.version import parse_version
from manyfest.watch.config.values import TagChoice
from manyfest.watch.history.rank import rank


def choose(choice: TagChoice, tags: Iterable[str]) -> tuple[str, ...]:
    """Those of ``tags`` that are watched: the named ones, which need not be among them, then the
    newest of those that are described, the newest first.

    Both ``versions`` and ``match`` must describe a tag, where both are said. What a registry lists
    that is no tag is passed over.
    """
    newest = sorted(described(choice, tags), key=rank, reverse=True)
    return (*dict.fromkeys(choice.names), *newest[: choice.newest])


def described(choice: TagChoice, tags: Iterable[str]) -> frozenset[str]:
    """Those of ``tags`` that are described and not named, however many they are."""
    if not choice.describes:
        return frozenset()
    within = Range.parse(choice.versions) if choice.versions else None
    others = set(tags).difference(choice.names)
    return frozenset(tag for tag in others if is_tag(tag) and _is_described(tag, choice, within))


def _is_described(tag: str, choice: TagChoice, within: Range | None) -> bool:
    if is_companion_tag(tag) or (choice.match and not choice.match.matches(tag)):
        return False
    if within is None:
        return True
    version = parse_version(tag)
    return version is not None and version in within
