"""What a runtime prints in the place of a program that the kernel refuses to start.

It is too late then for an error of the runtime's own: the container is there, and exits with 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

_STATUS = 1
_RUNC = re.compile(r"(?:exec [^ :]+|[^ ]+ exec user process caused): ([a-z ]+)")
_CRUN = re.compile(r"exec container process[^`]*`[^`]*`: ([A-Za-z ]+)")


class _Line(msgspec.Struct, frozen=True):
    msg: str


def refusal(status: int, lines: Sequence[str]) -> str:
    """The kernel's reason, in small letters; nothing if the program was started."""
    if status != _STATUS or not lines:
        return ""
    last = lines[-1]
    if last.startswith("{"):
        try:
            last = msgspec.json.decode(last, type=_Line).msg
        except msgspec.DecodeError:
            return ""
    found = _RUNC.fullmatch(last) or _CRUN.fullmatch(last)
    return found[1].lower() if found else ""
