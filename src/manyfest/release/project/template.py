"""Text with variables in it: ``{{major}}.{{minor}}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Self

from msgspec import Struct

from manyfest.errors import ConfigError

if TYPE_CHECKING:
    from manyfest.release.versions.occasion import Occasion
    from manyfest.release.versions.version import Version

VARIABLES = ("name", "version", "major", "minor", "patch", "sha", "short_sha", "date")
"""What a template may name. ``sha`` and ``short_sha`` are the commit, 40 hexadecimal digits and 7;
``date`` is the day it was made, in UTC: 20260131."""

OF_VERSION = frozenset({"version", "major", "minor", "patch"})

_COMMIT = frozenset({"sha", "short_sha", "date"})

_VARIABLE = re.compile(r"\{\{([^{}]*)\}\}")
_NO_TAG = re.compile(r"[^A-Za-z0-9._-]+")


class Template(Struct, frozen=True):
    """A text, and the variables that stand in it: some of ``known``."""

    known: ClassVar[tuple[str, ...]] = VARIABLES

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises :class:`~manyfest.errors.ConfigError` for an unknown variable, with the nearest
        known one, and for braces that do not close."""
        for name in _VARIABLE.findall(text):
            if name.strip() not in cls.known:
                raise _unknown(name.strip(), cls.known)
        rest = _VARIABLE.sub("", text)
        if "{{" in rest or "}}" in rest:
            raise ConfigError(
                f"the braces in {text[:80]!r} do not match", mend="write a variable as {{version}}"
            )
        return cls(text)

    @property
    def variables(self) -> frozenset[str]:
        """The names of the variables in it."""
        return frozenset(name.strip() for name in _VARIABLE.findall(self.text))

    def render(self, values: Mapping[str, str]) -> str:
        """The text with each variable's value in its place.

        Raises :class:`~manyfest.errors.ConfigError` for one whose value is empty, which is how a
        release outside git has no commit.
        """
        for name in sorted(self.variables):
            if not values.get(name):
                raise _not_known(name, self.text)
        return self.filled(values)

    def filled(self, values: Mapping[str, str]) -> str:
        """The same, with nothing in the place of what is not known."""
        return _VARIABLE.sub(lambda match: values.get(match[1].strip(), ""), self.text)

    def __str__(self) -> str:
        return self.text


class TagTemplate(Template, frozen=True):
    """A tag. It may name what a build is made for, too: a branch, or a pull request's number."""

    known: ClassVar[tuple[str, ...]] = (*VARIABLES, "branch", "pr")


def values(name: str, version: Version) -> dict[str, str]:
    """A release's value for each of :data:`VARIABLES`; empty for what is not known."""
    known = bool(version.text)
    is_dated = bool(version.revision or version.commit_time)
    return {
        "name": name,
        "version": version.text,
        "major": str(version.major) if known else "",
        "minor": str(version.minor) if known else "",
        "patch": str(version.patch) if known else "",
        "sha": version.revision,
        "short_sha": version.short_revision,
        "date": f"{datetime.fromtimestamp(version.commit_time, UTC):%Y%m%d}" if is_dated else "",
    }


def tag_values(name: str, version: Version, occasion: Occasion) -> dict[str, str]:
    """The same for a tag. What cannot stand in one is replaced as docker/metadata-action does it:
    ``feature/x`` becomes ``feature-x``."""
    return {
        **values(name, version),
        "branch": _NO_TAG.sub("-", occasion.branch),
        "pr": _NO_TAG.sub("-", occasion.pull_request),
    }


def _not_known(name: str, text: str) -> ConfigError:
    mend = "tag the commit, or give --version"
    if name in _COMMIT:
        mend = "build in a git repository"
    return ConfigError(f"{{{{{name}}}}} in {text[:80]!r} is not known here", mend=mend)


def _unknown(name: str, known: tuple[str, ...]) -> ConfigError:
    from difflib import get_close_matches

    near = get_close_matches(name[:80].lower(), known, n=1)
    mend = f"did you mean {{{{{near[0]}}}}}?" if near else f"use one of {', '.join(known)}"
    return ConfigError(f"unknown variable {name[:80]!r}", mend=mend)
