"""Text with variables in it: ``{{major}}.{{minor}}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from msgspec import Struct

from manyfest.errors import ConfigError

if TYPE_CHECKING:
    from manyfest.release.version import Version

VARIABLES = ("name", "version", "major", "minor", "patch", "sha", "short_sha")
"""What a template may name. The last two are the commit: 40 hexadecimal digits, and 7."""

_VARIABLE = re.compile(r"\{\{([^{}]*)\}\}")


class Template(Struct, frozen=True):
    """A text, and the variables that stand in it."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises :class:`~manyfest.errors.ConfigError` for an unknown variable, with the nearest
        known one, and for braces that do not close."""
        for name in _VARIABLE.findall(text):
            if name.strip() not in VARIABLES:
                raise _unknown(name.strip())
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
        return _VARIABLE.sub(lambda match: values[match[1].strip()], self.text)

    def __str__(self) -> str:
        return self.text


def values(name: str, version: Version) -> dict[str, str]:
    """A release's value for each of :data:`VARIABLES`; empty for what is not known."""
    known = bool(version.text)
    return {
        "name": name,
        "version": version.text,
        "major": str(version.major) if known else "",
        "minor": str(version.minor) if known else "",
        "patch": str(version.patch) if known else "",
        "sha": version.revision,
        "short_sha": version.short_revision,
    }


def _not_known(name: str, text: str) -> ConfigError:
    commit = name in {"sha", "short_sha"}
    mend = "build in a git repository" if commit else "tag the commit, or give --version"
    return ConfigError(f"{{{{{name}}}}} in {text[:80]!r} is not known here", mend=mend)


def _unknown(name: str) -> ConfigError:
    from difflib import get_close_matches

    near = get_close_matches(name[:80].lower(), VARIABLES, n=1)
    mend = f"did you mean {{{{{near[0]}}}}}?" if near else f"use one of {', '.join(VARIABLES)}"
    return ConfigError(f"unknown variable {name[:80]!r}", mend=mend)
