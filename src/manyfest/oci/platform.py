"""Platforms: ``os/arch[/variant]``, normalised so that equal platforms are equal values.

The rules are those that container runtimes agree on: Go's names for operating systems and
processors, and the variants of the OCI image specification ("Platform Variants").
"""

from __future__ import annotations

import re
from typing import Self

import msgspec

from manyfest.errors import InvalidPlatform

_ALIASES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "armhf": ("arm", "v7"),
    "armv7l": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv6l": ("arm", "v6"),
    "loongarch64": ("loong64", ""),
}
_SILENT_VARIANT = {"amd64": "v1", "arm64": "v8"}
"""Variants that say nothing more than the architecture does, and are left out."""

_IMPLIED_VARIANT = {"arm": "v7"}
"""What an architecture means when no variant is named."""

ARCHITECTURES = frozenset(
    "386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x"
    " wasm".split()
)
"""Processors, by Go's names (``GOARCH``)."""

SYSTEMS = frozenset(
    "aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris"
    " wasip1 windows".split()
)
"""Operating systems, by Go's names (``GOOS``)."""

VARIANTS = {
    "amd64": (re.compile(r"v[1-4]"), "v1 to v4"),
    "arm": (re.compile(r"v[5-8]"), "v5 to v8"),
    "arm64": (re.compile(r"v[89](?:\.[0-9])?"), "v8 or v9, or a minor version of these"),
}
"""The variants of an architecture, where the specification names those there are, and how to tell
a person."""

_NUMBERED_VARIANT = re.compile(r"v?([0-9]+(?:\.[0-9]+)?)")
"""People write arm64's variants as ``v8``, ``8`` and ``v8.0``, and mean the same."""

_PART = re.compile(r"[A-Za-z0-9_.-]+")


class Platform(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """An operating system, an architecture and, where it matters, a variant."""

    architecture: str
    os: str
    os_version: str = msgspec.field(name="os.version", default="")
    os_features: tuple[str, ...] = msgspec.field(name="os.features", default=())
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The platform a person wrote: ``linux/arm64``, ``arm64``, ``linux/arm/v7``.

        Without an operating system it is Linux. Raises
        :class:`~manyfest.errors.InvalidPlatform` for a name that no container runtime knows.
        """
        parts = text.split("/")
        if len(parts) > 3 or not all(_PART.fullmatch(part) for part in parts):
            raise InvalidPlatform(
                f"{text[:80]!r} is not a platform",
                mend="write it as os/arch[/variant]: linux/arm64",
            )
        if len(parts) == 1 or (len(parts) == 2 and _is_architecture(parts[0])):
            parts = ["linux", *parts]
        os, architecture, variant = (*parts, "")[:3]
        platform = cls(os=os, architecture=architecture, variant=variant).normalised()
        _check_known(platform, text)
        return platform

    def normalised(self) -> Self:
        """The same platform under its usual name: ``linux/aarch64/v8`` is ``linux/arm64``."""
        architecture, variant = self.architecture.lower(), self.variant.lower()
        if architecture in _ALIASES:
            architecture, implied = _ALIASES[architecture]
            variant = implied or variant
        if number := _NUMBERED_VARIANT.fullmatch(variant):
            variant = f"v{number[1].removesuffix('.0')}"
        variant = variant or _IMPLIED_VARIANT.get(architecture, "")
        if variant == _SILENT_VARIANT.get(architecture):
            variant = ""
        os = {"macos": "darwin"}.get(self.os.lower(), self.os.lower())
        return msgspec.structs.replace(self, os=os, architecture=architecture, variant=variant)

    @property
    def suffix(self) -> str:
        """The short form used in tags: ``arm64``, ``armv7``, ``windows-amd64``."""
        name = f"{self.architecture}{self.variant}"
        return name if self.os == "linux" else f"{self.os}-{name}"

    @property
    def is_known(self) -> bool:
        """Whether it names anything to run on: attestations are for ``unknown/unknown``."""
        return not {"", "unknown"} & {self.os, self.architecture}

    def same_as(self, other: Platform) -> bool:
        """Whether both name the same platform; versions of the system are not compared."""
        return str(self.normalised()) == str(other.normalised())

    def __str__(self) -> str:
        parts = [self.os, self.architecture, self.variant]
        return "/".join(part for part in parts if part)


def _is_architecture(text: str) -> bool:
    return text.lower() in ARCHITECTURES or text.lower() in _ALIASES


def _check_known(platform: Platform, text: str) -> None:
    if platform.os not in SYSTEMS:
        raise InvalidPlatform(
            f"unknown operating system in platform {text!r}",
            mend=f"use one of {', '.join(sorted(SYSTEMS))}",
        )
    if platform.architecture not in ARCHITECTURES:
        raise InvalidPlatform(
            f"unknown architecture in platform {text!r}",
            mend=f"use one of {', '.join(sorted(ARCHITECTURES))}",
        )
    if platform.variant in SYSTEMS:
        raise InvalidPlatform(
            f"{text!r} is not a platform: the operating system comes first",
            mend=f"write {platform.variant}/{platform.architecture}",
        )
    form, expected = VARIANTS.get(platform.architecture, (None, ""))
    if form and platform.variant and not form.fullmatch(platform.variant):
        raise InvalidPlatform(
            f"unknown variant of {platform.architecture} in platform {text!r}",
            mend=f"use {expected}",
        )
