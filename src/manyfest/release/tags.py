"""Which tags a release sets, in which order, and why.

Some tags name one release for good: ``2.6.1``, ``sha-abc1234``, ``2.6.1-arm64``. Others move from
release to release: ``2.6``, ``2``, ``latest``. The first are set first, ``latest`` last of all.
"""

from __future__ import annotations

import msgspec

from manyfest.errors import ConfigError
from manyfest.oci.platform import Platform
from manyfest.oci.reference import is_tag
from manyfest.release.config import Config
from manyfest.release.template import Template, values
from manyfest.release.version import Version

_NAMES_ONE_RELEASE = frozenset({"version", "sha", "short_sha"})
_NUMBERS = frozenset({"major", "minor", "patch"})


class PlannedTag(msgspec.Struct, frozen=True, kw_only=True):
    """One tag of a release.

    ``moves``: it is taken from an earlier release. ``skipped``: this release leaves it where it
    is. ``platform``: it points at that platform's image alone, not at the index. ``reason`` is a
    sentence for people.
    """

    tag: str
    moves: bool
    reason: str
    skipped: bool = False
    platform: Platform | None = None


def plan_tags(config: Config, version: Version) -> tuple[PlannedTag, ...]:
    """Every tag that the configuration asks for, in the order in which they are to be set.

    Raises :class:`~manyfest.errors.ConfigError` for a template that makes no valid tag, and for
    two that make the same one.
    """
    rendered = _render(config, version)
    fixed = [tag for tag, template in rendered.items() if _is_fixed(template, version)]
    moving = [tag for tag in rendered if tag not in fixed]
    planned = [PlannedTag(tag=tag, moves=False, reason="names this release alone") for tag in fixed]
    if config.arch_tags:
        planned += [_for_platform(tag, p) for tag in fixed for p in config.build.platforms]
    _check_arch_tags(planned, set(rendered), config)
    moving.sort(key=lambda tag: tag == "latest")
    return (*planned, *(_moving(tag, version) for tag in moving))


def report(version: Version, tags: tuple[PlannedTag, ...]) -> dict[str, object]:
    """What ``manyfest version --json`` prints. These keys are a contract."""
    return {
        "version": version.text,
        "revision": version.revision,
        "prerelease": version.prerelease,
        "tags": [{"tag": t.tag, "moves": t.moves, "reason": t.reason} for t in tags],
    }


def _render(config: Config, version: Version) -> dict[str, Template]:
    known = values(config.name, version)
    made: dict[str, Template] = {}
    for position, template in enumerate(config.tags):
        where = config.where(f"tags[{position}]")
        try:
            tag = template.render(known)
        except ConfigError as error:
            raise ConfigError(error.what, where=where, mend=error.mend) from None
        if not is_tag(tag):
            raise ConfigError(
                f"{template.text!r} makes {tag[:140]!r}, which is no tag", where=where
            )
        if tag in made:
            what = f"{made[tag].text!r} and {template.text!r} both make the tag {tag}"
            raise ConfigError(what, where=where, mend="take one of them out")
        made[tag] = template
    return made


def _is_fixed(template: Template, version: Version) -> bool:
    names = template.variables
    # Of a final version the three numbers are all there is; of 2.7.0-rc.1 they say 2.7.0.
    return bool(names & _NAMES_ONE_RELEASE) or (names >= _NUMBERS and not version.prerelease)


def _for_platform(tag: str, platform: Platform) -> PlannedTag:
    return PlannedTag(
        tag=f"{tag}-{platform.suffix}",
        moves=False,
        reason=f"names the image for {platform} in this release",
        platform=platform,
    )


def _moving(tag: str, version: Version) -> PlannedTag:
    if version.prerelease:
        kind = "snapshot" if version.snapshot else "pre-release"
        reason = f"skipped: {version} is a {kind}"
        return PlannedTag(tag=tag, moves=False, reason=reason, skipped=True)
    return PlannedTag(tag=tag, moves=True, reason=f"moves to {version}, a final release")


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
