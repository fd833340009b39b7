"""A moving tag moves only forward: to the highest version, or to the newest commit.

Nothing is asked here. What a repository holds is given, and the answer is yes or no and why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from manyfest.errors import ReleaseError
from manyfest.oci.platform import ARCHITECTURES, SYSTEMS
from manyfest.oci.reference import is_tag
from manyfest.release.project.template import TagTemplate, Template
from manyfest.release.versions.version import Version, parse_version

if TYPE_CHECKING:
    import semver

    from manyfest.release.tags.rule import TagRule

PLAIN = TagTemplate("{{version}}")
"""How versions are written where a configuration does not say it."""

_VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_NUMBER = "0|[1-9][0-9]*"
_SHAPES = {
    "version": r"[0-9][0-9A-Za-z.-]*",
    "major": _NUMBER,
    "minor": _NUMBER,
    "patch": _NUMBER,
    "sha": "[0-9a-f]{40}",
    "short_sha": "[0-9a-f]{7}",
    "date": "[0-9]{8}",
}
"""What the variables of a template can be replaced with, as regular expressions."""

_ANYTHING = "[A-Za-z0-9._-]+"
_NUMBERS = ("major", "minor", "patch")
_SNAPSHOT = re.compile(r"(?:.*\.)?dev\.[0-9]+-g[0-9a-f]{7}")
_PLATFORM = re.compile(
    rf"-(?:(?:{'|'.join(SYSTEMS)})-)?(?:{'|'.join(ARCHITECTURES)})(?:v[0-9]+(?:\.[0-9]+)?)?$"
)
"""How the tag of one platform's image ends."""


class Decision(Struct, frozen=True, kw_only=True):
    """Whether a tag moves, and why, as a sentence."""

    moves: bool
    reason: str


def by_version(rule: TagRule, version: Version, held: Iterable[semver.Version]) -> Decision:
    """Whether the rule's tag moves to ``version`` in a repository that holds the versions
    ``held``: only to the highest of those that the tag can be for. ``latest`` is for all final
    ones, ``2.6`` for those that begin so; for pre-releases too if the rule is."""
    ours = parse_version(version.text)
    if ours is None:
        raise ReleaseError(f"{version.text!r} is no version, so no tag moves to it")
    names = rule.tag.variables
    fixed = [number for number in _NUMBERS if number in names]
    with_pre = "prerelease" in rule.kinds
    rivals = [
        each
        for each in held
        if (with_pre or not each.prerelease)
        and all(getattr(each, number) == getattr(ours, number) for number in fixed)
    ]
    among = _among(ours, fixed, with_pre=with_pre)
    highest = max(rivals, default=ours)
    if highest > ours:
        return Decision(moves=False, reason=f"skipped: {highest} is there, a higher {among}")
    return Decision(moves=True, reason=f"moves to {version}, the highest {among}")


def by_commit(version: Version, there: str, is_before: Callable[[str, str], bool]) -> Decision:
    """Whether a tag that points at an image of the commit ``there``, or of none that is known,
    moves to ours: not if ours ``is_before`` that one."""
    ours = version.revision
    if ours and there and ours != there and is_before(ours, there):
        after = f"which is after {version.short_revision}"
        return Decision(moves=False, reason=f"skipped: it is at commit {there[:7]}, {after}")
    return Decision(
        moves=True, reason=f"moves to {f'commit {version.short_revision}' if ours else version}"
    )


def versions_among(
    tags: Iterable[str], templates: Sequence[Template], name: str
) -> list[semver.Version]:
    """The versions that a repository's ``tags`` name: those that one of ``templates``, with the
    release's ``name``, can have made.

    A snapshot is none, and neither is what is one version's and says more: ``2.6.1-arm64`` names
    a platform's image, and where ``2.7.0-rc.1`` is, ``2.7.0-rc.1-alpine`` is a variant of it. What
    is no tag, whatever a registry lists, is passed over.
    """
    patterns = [_pattern(template, name) for template in templates]
    found: dict[str, semver.Version] = {}
    for tag in filter(is_tag, tags):
        for match in filter(None, (pattern.fullmatch(tag) for pattern in patterns)):
            version = _version_in(match)
            if version is not None:
                found[str(version)] = version
    more = _that_say_more(found)
    return [version for text, version in found.items() if text not in more]


def _version_in(match: re.Match[str]) -> semver.Version | None:
    parts = match.groupdict()
    text = parts.get("version") or ".".join(parts[number] for number in _NUMBERS)
    if _PLATFORM.search(text):
        return None
    version = parse_version(text)
    if version is None or _SNAPSHOT.fullmatch(version.prerelease or ""):
        return None
    return version


def _that_say_more(versions: Iterable[str]) -> set[str]:
    """Those of which a part, up to a ``-``, is among them as well."""
    more: set[str] = set()
    bare = None
    # As no character of a tag is sorted before '-', what goes on with one follows at once.
    for version in sorted(versions):
        if bare is not None and version.startswith(f"{bare}-"):
            more.add(version)
        else:
            bare = version
    return more


def _pattern(template: Template, name: str) -> re.Pattern[str]:
    """What the tags look like that the template makes."""
    parts = _VARIABLE.split(template.text)
    shaped = [re.escape(parts[0])]
    seen: set[str] = set()
    for variable, text in zip(parts[1::2], parts[2::2], strict=True):
        if variable in seen:
            shaped.append(f"(?P={variable})")
        else:
            shape = re.escape(name) if variable == "name" else _SHAPES.get(variable, _ANYTHING)
            shaped.append(f"(?P<{variable}>{shape})")
            seen.add(variable)
        shaped.append(re.escape(text))
    return re.compile("".join(shaped))


def _among(ours: semver.Version, fixed: Sequence[str], *, with_pre: bool) -> str:
    """What those are called that a tag can be for: ``2.6.x``, ``final version``."""
    if not fixed:
        return "version" if with_pre else "final version"
    numbers = [str(getattr(ours, each)) if each in fixed else "x" for each in _NUMBERS]
    while len(numbers) > 1 and numbers[-2:] == ["x", "x"]:
        numbers.pop()
    return ".".join(numbers)
