"""What a check found: every fault, each in one plain line, and a summary of each platform."""

from __future__ import annotations

from typing import Self

from msgspec import Struct

from manyfest.amounts import counted
from manyfest.errors import CheckFailed
from manyfest.oci.descriptor import Descriptor
from manyfest.printable import printable


class Finding(Struct, frozen=True):
    """One fault. ``platform`` is the one it concerns, empty if it is not one's own; ``where`` is
    the blob, or the path in the image; ``mend`` says what can be done, and may be empty."""

    platform: str
    where: str
    what: str
    mend: str = ""

    @classmethod
    def of(cls, platform: str, where: str, what: str, mend: str = "") -> Self:
        """The finding, with control characters in names from the image shown, not obeyed."""
        return cls(*map(printable, (platform, where, what, mend)))

    def __str__(self) -> str:
        place = f"{self.platform} {self.where}".strip()
        line = f"{place}: {self.what}" if place else self.what
        return f"{line}; {self.mend}" if self.mend else line


class WrongPlatform(Finding, frozen=True):
    """An image, or a program in it, is for another platform than the image is shipped for."""


class PlatformSummary(Struct, frozen=True, kw_only=True):
    """One platform's image. ``size`` is the bytes of its manifest, configuration and layers as
    they are stored, ``unpacked`` the bytes of its layers' tars, ``files`` the regular files that a
    container sees. What could not be read is not counted. ``command`` is what a container runs:
    the entrypoint and then the default arguments. ``unchecked`` names what no rule is known for.
    """

    platform: str
    descriptor: Descriptor
    size: int
    unpacked: int = 0
    layers: int = 0
    files: int = 0
    command: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


class Report(Struct, frozen=True):
    """All findings, and all platforms in the order of the index. No findings: all holds."""

    findings: tuple[Finding, ...]
    platforms: tuple[PlatformSummary, ...]

    def raise_for_findings(self, place: str = "") -> None:
        """Raises :class:`~manyfest.errors.CheckFailed`, which names the first finding and how
        many more there are, and the ``place`` that the image was read from."""
        if not self.findings:
            return
        first, more = self.findings[0], len(self.findings) - 1
        raise CheckFailed(
            f"{first.what} (and {counted(more, 'more fault')})" if more else first.what,
            where=": ".join(filter(None, (place, f"{first.platform} {first.where}".strip()))),
            mend=first.mend,
        )
