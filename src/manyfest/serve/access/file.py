"""``access.yaml``: who may do what in which repository, as people write it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from manyfest.errors import ConfigError
from manyfest.serve.access.rights import GROUP, Access, Pattern, Rule, Who

_START = "the guide to a registry of your own shows one"

_People = Annotated[tuple[Who, ...], Meta(examples=[["ada", "group:ci"], ["anyone"]])]


class RuleOfFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may do what in some repositories. Of all rules only the first that fits a repository
    counts for it."""

    repositories: Annotated[
        tuple[Pattern, ...],
        Meta(
            description="The repositories: names, in which * is anything but a slash and ** is"
            " anything.",
            min_length=1,
            examples=[["team/**", "tools"]],
        ),
    ]
    read: Annotated[_People, Meta(description="Who may pull.")] = ()
    write: Annotated[_People, Meta(description="Who may push, and pull.")] = ()
    delete: Annotated[_People, Meta(description="Who may delete tags, manifests and blobs.")] = ()


class AccessFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may do what in which repository of `manyfest serve`."""

    groups: Annotated[
        dict[str, tuple[str, ...]],
        Meta(
            description="Names for several users, to be written as group:NAME.",
            examples=[{"ci": ["builder", "releaser"]}],
        ),
    ] = {}
    rules: Annotated[
        tuple[RuleOfFile, ...],
        Meta(
            description="The rules; the first that fits a repository is the only one that counts"
            " for it.",
            min_length=1,
            examples=[[{"repositories": ["**"], "read": ["anyone"], "write": ["ada"]}]],
        ),
    ]


def load(path: Path) -> Access:
    """The rules in the file.

    Raises :class:`~manyfest.errors.ConfigError`, with file and line, for the first fault: also for
    a group that is not there, and for a rule that can never count.
    """
    from manyfest.settings.decode import Readers, decode
    from manyfest.settings.document import read

    readers: Readers = {Pattern: Pattern.parse, Who: Who.parse}
    file, lines = decode(read(path, start=_START), AccessFile, path, readers)
    _check_groups(file, lines, path)
    _check_order(file, lines, path)
    rules = [Rule(**msgspec.structs.asdict(rule)) for rule in file.rules]
    return Access(rules, file.groups)


def schema() -> dict[str, Any]:
    """The file's JSON Schema, as ``docs/reference/access.schema.json`` has it."""
    (root,), definitions = msgspec.json.schema_components([AccessFile])
    definitions["Pattern"] = {
        "description": "A repository's name; * is anything but a slash, ** is anything.",
        "type": "string",
        "examples": ["team/app", "team/*", "team/**"],
    }
    definitions["Who"] = {
        "description": "A user, group:NAME, users for whoever is logged in, or anyone.",
        "type": "string",
        "examples": ["ada", "group:ci", "users", "anyone"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **root,
        "$defs": definitions,
    }


def _check_groups(file: AccessFile, lines: dict[str, int], path: Path) -> None:
    for number, rule in enumerate(file.rules):
        for right in ("read", "write", "delete"):
            for position, who in enumerate(getattr(rule, right)):
                if who.group and who.group not in file.groups:
                    raise ConfigError(
                        f"there is no group {who.group!r}",
                        where=f"{path}:{lines[f'rules[{number}].{right}[{position}]']}",
                        mend=f"add it under 'groups', or write {who.group} for a user",
                    )
    for name, users in file.groups.items():
        for position, user in enumerate(users):
            if not Who.parse(user).user:
                raise ConfigError(
                    f"{user!r} is not a user, and a group has users only",
                    where=f"{path}:{lines[f'groups.{name}[{position}]']}",
                )
        if not name or ":" in name:
            raise ConfigError(
                f"{name!r} is not a group's name",
                where=f"{path}:{lines[f'groups.{name}']}",
                mend=f"write ci, which rules name as {GROUP}ci",
            )


def _check_order(file: AccessFile, lines: dict[str, int], path: Path) -> None:
    seen: dict[str, int] = {}
    for number, rule in enumerate(file.rules):
        for position, pattern in enumerate(rule.repositories):
            line = lines[f"rules[{number}].repositories[{position}]"]
            earlier = seen.get(pattern.text, seen.get("**"))
            if earlier is not None:
                raise ConfigError(
                    f"this never counts, as the rule on line {earlier} is for"
                    f" {pattern.text} already",
                    where=f"{path}:{line}",
                    mend="the first rule that fits counts: put narrow ones before wide ones",
                )
        for position, pattern in enumerate(rule.repositories):
            seen[pattern.text] = lines[f"rules[{number}].repositories[{position}]"]


if __name__ == "__main__":
    import json

    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
