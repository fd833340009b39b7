"""Which of many tags are wanted: by pattern, by range of versions, and by what they are for."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from msgspec import Struct

from manyfest.oci.reference import is_companion_tag
from manyfest.release.versions.ranges import Range
from manyfest.release.versions.version import parse_version


class TagFilter(Struct, frozen=True):
    """Names that match one of ``globs``, if there are any, and that are versions in ``versions``,
    if that is given. With ``companions``, tags that are made from a digest, as those of signatures,
    may be among them."""

    globs: tuple[str, ...] = ()
    versions: Range | None = None
    companions: bool = False

    def keep(self, names: Iterable[str]) -> list[str]:
        """Those of ``names`` that are wanted, in their order."""
        return [name for name in names if self._is_wanted(name)]

    def _is_wanted(self, name: str) -> bool:
        if is_companion_tag(name) and not self.companions:
            return False
        if self.globs and not any(fnmatchcase(name, glob) for glob in self.globs):
            return False
        if self.versions is None:
            return True
        version = parse_version(name)
        return version is not None and version in self.versions
