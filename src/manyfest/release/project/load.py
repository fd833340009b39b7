"""Reads ``manyfest.yaml``, and refuses what no release could be made of."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from manyfest.duration import Duration
from manyfest.errors import ConfigError, UsageError
from manyfest.oci.platform import Platform
from manyfest.oci.reference import Name, is_repository, is_tag, parse_repository
from manyfest.release.destinations import destinations
from manyfest.release.project.config import Config, ConfigFile
from manyfest.release.project.template import TagTemplate, Template
from manyfest.release.tags.rule import ON_BRANCHES
from manyfest.release.versions.git import can_begin_tag
from manyfest.release.versions.ranges import Range
from manyfest.settings.decode import Readers, decode
from manyfest.settings.document import read

_NOTIFY = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|[A-Za-z][A-Za-z0-9.+-]*://\S+")

_START = "`manyfest init` writes one"
_SAMPLE_FILE = "`manyfest init --dry-run` shows one"

_LONGEST_TAG = 128
"""Characters (distribution specification, "Pull")."""

_SAMPLE = {
    "version": "1000001.1000002.1000003",
    "major": "1000001",
    "minor": "1000002",
    "patch": "1000003",
    "sha": "0" * 40,
    "short_sha": "0" * 7,
    "date": "10000104",
    "branch": "branch-1000005",
    "pr": "1000006",
}
"""A release that tags are tried with. Its numbers are none that a tag would spell out."""


def load(path: Path) -> Config:
    """The configuration in the file.

    Raises :class:`~manyfest.errors.ConfigError`, with file, line and key, for the first fault.
    """
    readers: Readers = {
        Duration: Duration.parse,
        Name: parse_repository,
        Platform: Platform.parse,
        TagTemplate: TagTemplate.parse,
        Template: Template.parse,
    }
    file, lines = decode(read(path, start=_START, sample=_SAMPLE_FILE), ConfigFile, path, readers)
    config = Config(path=path, lines=lines, **msgspec.structs.asdict(file))
    _check_name(config)
    _check_version_prefix(config)
    _check_platforms(config)
    _check_tags(config)
    _check_rules(config)
    _check_publish(config)
    _check_arch_repositories(config)
    _check_metadata(config)
    _check_notify(config)
    return config


def _check_name(config: Config) -> None:
    if "/" in config.name or not is_repository(config.name):
        raise ConfigError(
            f"'name': {config.name[:80]!r} is not a name",
            where=config.where("name"),
            mend="use lower-case letters and digits, joined by '.', '_' or '-'",
        )


def _check_version_prefix(config: Config) -> None:
    prefix = config.version_prefix
    if not can_begin_tag(prefix):
        raise ConfigError(
            f"'version_prefix': no tag of git's can begin with {prefix[:80]!r}",
            where=config.where("version_prefix"),
            mend="write it as in the tags, such as server/ or server-",
        )


def _check_platforms(config: Config) -> None:
    _check_distinct(config, "build.platforms", [str(item) for item in config.build.platforms])


def _check_publish(config: Config) -> None:
    _check_distinct(config, "publish", [name.place for name in config.publish])


def _check_arch_repositories(config: Config) -> None:
    seen: set[Platform] = set()
    for key in config.arch_repositories:
        where = config.where(f"arch_repositories.{key}")
        try:
            platform = Platform.parse(key)
        except UsageError as error:
            what = f"'arch_repositories': {error.what}"
            raise ConfigError(what, where=where, mend=error.mend) from None
        if platform in seen:
            raise ConfigError(f"'arch_repositories': names {platform} twice", where=where)
        if platform not in config.build.platforms:
            raise ConfigError(
                f"'arch_repositories': the image is not built for {platform}",
                where=where,
                mend=f"add it to 'build.platforms': {', '.join(map(str, config.build.platforms))}",
            )
        seen.add(platform)
    destinations(config, config.publish or (config.place,))


def _check_metadata(config: Config) -> None:
    for kind in ("labels", "annotations"):
        if "" in getattr(config.metadata, kind):
            key = f"metadata.{kind}"
            raise ConfigError(f"{key!r} has one without a name", where=config.where(f"{key}."))


def _check_notify(config: Config) -> None:
    """The text itself may be a secret, and is not shown."""
    for position, text in enumerate(config.notify):
        if not _NOTIFY.fullmatch(text):
            raise ConfigError(
                f"'notify[{position}]' is no Apprise URL",
                where=config.where(f"notify[{position}]"),
                mend="write gotify://HOST/TOKEN, or env:NAME for a variable that holds it",
            )


def _check_tags(config: Config) -> None:
    """What no version can make a tag of, or a second one, is found before there is a version."""
    tags = [rule.tag.render({"name": config.name, **_SAMPLE}) for rule in config.tags]
    for position, tag in enumerate(tags):
        if not is_tag(tag):
            alphabet = "use letters, digits, '_', '.' and '-', not starting with '.' or '-'"
            too_long = is_tag(tag[:_LONGEST_TAG])
            raise ConfigError(
                f"'tags': {str(config.tags[position])[:80]!r} cannot be an image's tag",
                where=config.where(f"tags[{position}]"),
                mend=f"use at most {_LONGEST_TAG} characters" if too_long else alphabet,
            )
    _check_distinct(config, "tags", tags, list(map(str, config.tags)))


def _check_rules(config: Config) -> None:
    for position, rule in enumerate(config.tags):
        key = f"tags[{position}]"
        if rule.branches and not ON_BRANCHES & {*rule.kinds}:
            raise ConfigError(
                f"'{key}.branches': the tag is set for no branch",
                where=config.where(f"{key}.branches"),
                mend="add branch or schedule to 'on', or take it out",
            )
        if "pr" in rule.tag.variables and "pull-request" not in rule.kinds:
            raise ConfigError(
                f"'{key}.on': {{{{pr}}}} is known for pull requests alone",
                where=config.where(f"{key}.on"),
                mend="add pull-request to it",
            )
        try:
            Range.parse(rule.versions)
        except UsageError as error:
            where = config.where(f"{key}.versions")
            what = f"'{key}.versions': {error.what}"
            raise ConfigError(what, where=where, mend=error.mend) from None


def _check_distinct(
    config: Config, key: str, items: list[str], shown: list[str] | None = None
) -> None:
    for position, item in enumerate(items):
        if item in items[:position]:
            first, again = ((shown or items)[at] for at in (items.index(item), position))
            same = f"names {again} twice" if first == again else f"{first} and {again} are the same"
            raise ConfigError(
                f"{key!r}: {same}", where=config.where(f"{key}[{position}]"), mend="take one out"
            )
