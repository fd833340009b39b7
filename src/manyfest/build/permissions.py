"""``--chmod``: permission bits in octal or as chmod(1) writes them, ``u=rwX,go=rX``."""

from __future__ import annotations

import re

from msgspec import Struct

from manyfest.build.dockerfile.place import shown
from manyfest.errors import DockerfileError

_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o0007, "a": 0o6777}
_EVERYONE = 0o6777
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111}
_SET_ID, _STICKY, _EXECUTE = 0o6000, 0o1000, 0o111
_SHIFT = {"u": 6, "g": 3, "o": 0}
_OCTAL = re.compile(r"[0-7]+")
_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=](?:[ugo]|[rwxXst]*))+)")
_ACTION = re.compile(r"([-+=])([ugo]|[rwxXst]*)")


class _Action(Struct, frozen=True):
    who: str
    sign: str
    what: str

    def apply(self, mode: int, before: int, *, is_directory: bool) -> int:
        """``mode`` after this action; ``before`` is the mode before all of them."""
        bits = self._bits(mode, before, is_directory=is_directory)
        if self.sign == "-":
            return mode & ~bits
        if self.sign == "=":
            mode &= ~self._reach()
        return mode | bits

    def _reach(self) -> int:
        """The bits that belong to whom the action is for; the sticky bit only if it is named."""
        reach = 0
        for letter in self.who:
            reach |= _WHO[letter]
        return (reach or _EVERYONE) | self._sticky()

    def _sticky(self) -> int:
        return _STICKY if "t" in self.what and set(self.who) != {"o"} else 0

    def _bits(self, mode: int, before: int, *, is_directory: bool) -> int:
        if self.what in _SHIFT:
            copied = mode >> _SHIFT[self.what] & 0o7
            return copied * 0o111 & self._reach()
        bits = self._sticky()
        for letter in self.what:
            bits |= _BITS.get(letter, 0)
        if "s" in self.what:
            bits |= _SET_ID
        if "X" in self.what and (self.sign == "-" or is_directory or before & _EXECUTE):
            bits |= _EXECUTE
        return bits & self._reach()


class Permissions(Struct, frozen=True):
    """What becomes of a mode: ``octal``, or what the ``actions`` make of it."""

    octal: int | None = None
    actions: tuple[_Action, ...] = ()

    def of(self, mode: int, *, is_directory: bool) -> int:
        """The permission bits of what had ``mode``."""
        if self.octal is not None:
            return self.octal
        result = mode
        for action in self.actions:
            result = action.apply(result, mode, is_directory=is_directory)
        return result

    @property
    def of_made_directories(self) -> int:
        """The permission bits of directories that are made on the way to the destination."""
        return 0o755 if self.octal is None else self.octal & 0o777


def parse_permissions(text: str) -> Permissions:
    """Read ``--chmod``. Raises :class:`~manyfest.errors.DockerfileError` without a place."""
    if _OCTAL.fullmatch(text) and int(text, 8) <= 0o7777:
        return Permissions(octal=int(text, 8))
    clauses = [_CLAUSE.fullmatch(clause) for clause in text.split(",")]
    if text[:1].isdigit() or None in clauses:
        raise DockerfileError(
            f"--chmod={shown(text)} is no mode",
            mend="write octal up to 7777, or u=rwX,go=rX",
            word=text,
        )
    return Permissions(
        actions=tuple(
            _Action(clause[1], sign, what)
            for clause in clauses
            if clause
            for sign, what in _ACTION.findall(clause[2])
        )
    )
