"""Which tags a release sets, in which order, and why.

Some tags name one release for good: ``2.6.1``, ``sha-abc1234``, ``2.6.1-arm64``. Others move from
release to release: ``2.6``, ``2``, ``latest``. The first are set first, ``latest`` last of all.
What a registry holds may keep a moving tag where it is: see :mod:`manyfest.release.tags.forward`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from manyfest.errors import ConfigError
from manyfest.oci.platform import Platform
from manyfest.oci.reference import is_tag
from manyfest.release.project.config import Config
from manyfest.release.project.template import tag_values
from manyfest.release.tags.rule import TagRule
from manyfest.release.versions.occasion import Occasion
from manyfest.release.versions.version import Version

_UNKNOWN = Occasion()
_BEFORE_BRANCH = "put something before the branch, as in br-{{branch}}"


class PlannedTag(msgspec.Struct, frozen=True, kw_only=True):
    """One tag of a release.

    ``moves``: it is taken from an earlier release. ``skipped``: this release leaves it where it
    is. ``platform``: it points at that platform's image alone, not at the index. ``reason`` is a
    sentence for people. ``rule`` is what it was made by; ``goes_by`` says what decides in each
    repository whether it moves there. What cannot be made now has its template for ``tag``.
    """

    tag: str
    moves: bool
    reason: str
    skipped: bool = False
    platform: Platform | None = None
    rule: TagRule | None = None
    goes_by: Literal["", "version", "commit"] = ""

    @property
    def reason_unasked(self) -> str:
        """The reason, as long as no repository was asked whether it is behind."""
        unless = {
            "version": ", unless a higher one is there",
            "commit": ", unless a newer one is there",
        }
        return self.reason + unless.get(self.goes_by, "")


def plan_tags(
    config: Config, version: Version, occasion: Occasion = _UNKNOWN
) -> tuple[PlannedTag, ...]:
    """Every tag that the configuration asks for, in the order in which they are to be set.

    Raises :class:`~manyfest.errors.ConfigError` for a template that makes no valid tag, and for
    two that make the same one.
    """
    rendered = _rendered(config, version, occasion)
    planned = [_planned(tag, rule, version, occasion) for tag, rule in rendered]
    fixed = [tag for tag in planned if not tag.skipped and not tag.moves]
    if config.arch_tags:
        fixed += [_for_platform(tag.tag, p) for tag in fixed for p in config.build.platforms]
    _check_arch_tags(fixed, {tag for tag, _ in rendered}, config)
    others = [tag for tag in planned if tag.skipped or tag.moves]
    others.sort(key=lambda tag: tag.tag == "latest")
    return (*fixed, *others)


def _planned(tag: str, rule: TagRule, version: Version, occasion: Occasion) -> PlannedTag:
    why_not = rule.why_not(version, occasion)
    if why_not:
        reason = f"skipped: {why_not}"
        return PlannedTag(tag=tag, moves=False, reason=reason, skipped=True, rule=rule)
    if rule.is_fixed(version):
        return PlannedTag(tag=tag, moves=False, reason="names this release alone", rule=rule)
    by_version = rule.goes_by_version(version, occasion)
    goes_by: Literal["", "version", "commit"] = "version" if by_version else "commit"
    return PlannedTag(
        tag=tag,
        moves=True,
        reason=f"moves to {_what(version, by_version=by_version)}",
        rule=rule,
        goes_by=goes_by if rule.forward else "",
    )


def _what(version: Version, *, by_version: bool) -> str:
    if not by_version:
        return f"commit {version.short_revision}" if version.revision else version.text
    return f"{version}, a {'pre-release' if version.prerelease else 'final release'}"


def _rendered(config: Config, version: Version, occasion: Occasion) -> list[tuple[str, TagRule]]:
    """The tags and the rules that make them; for what is not made now, its template."""
    known = {"name": config.name, **tag_values(config.name, version, occasion)}
    made: dict[str, TagRule] = {}
    found: list[tuple[str, TagRule]] = []
    for position, rule in enumerate(config.tags):
        tag = rule.tag.text
        where = config.where(f"tags[{position}]")
        is_set = not rule.why_not(version, occasion)
        if is_set or all(known[name] for name in rule.tag.variables):
            tag = _tag(rule, known, where)
            other = made.setdefault(tag, rule)
            if other is not rule and (is_set or not other.why_not(version, occasion)):
                raise _made_twice(tag, other, rule, where)
        found.append((tag, rule))
    return found


def _tag(rule: TagRule, known: dict[str, str], where: str) -> str:
    try:
        tag = rule.tag.render(known)
    except ConfigError as error:
        raise ConfigError(error.what, where=where, mend=error.mend) from None
    if "branch" in rule.tag.variables:
        tag = tag.lstrip(".-")  # a branch's first letter may be one that no tag has
    if not is_tag(tag):
        what = f"{rule.tag.text!r} makes {tag[:140]!r}, which is no tag"
        mend = "" if tag else _BEFORE_BRANCH
        raise ConfigError(what, where=where, mend=mend)
    return tag


def _made_twice(tag: str, one: TagRule, other: TagRule, where: str) -> ConfigError:
    mend = "take one of them out"
    for rule in (one, other):
        if rule.tag.text == "{{branch}}":
            mend = _BEFORE_BRANCH
    return ConfigError(
        f"{one.tag.text!r} and {other.tag.text!r} both make the tag {tag}", where=where, mend=mend
    )


def _for_platform(tag: str, platform: Platform) -> PlannedTag:
    return PlannedTag(
        tag=f"{tag}-{platform.suffix}",
        moves=False,
        reason=f"names the image for {platform} in this release",
        platform=platform,
    )


def _check_arch_tags(planned: list[PlannedTag], templates: set[str], config: Config) -> None:
    """They must not meet a template's tag, nor one another, nor outgrow a tag."""
    seen = set(templates)
    for tag in planned:
        if tag.platform is None:
            continue
        if tag.tag in seen or not is_tag(tag.tag):
            fault = "is made twice" if tag.tag in seen else "is too long for a tag"
            raise ConfigError(f"'arch_tags': {tag.tag} {fault}", where=config.where("arch_tags"))
        seen.add(tag.tag)
