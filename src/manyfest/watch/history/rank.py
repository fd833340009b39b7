"""What tags are sorted and told apart by in the database. Pure."""

from __future__ import annotations

from typing import Literal

from manyfest.release.versions.version import version_order
from manyfest.watch.values import TagState

Standing = Literal["complete", "incomplete", "late", "differ", "gone"]
"""How a tag stands, in one word. ``late`` is one that is still not complete, ``gone`` one that was
there and is in no place any more that is no mirror."""

_FINAL = "~"  # after all pre-releases of it, which begin with "-"
_END = "!"  # of a text: before whatever may go on with it


def rank(tag: str) -> str:
    """A text that sorts, byte by byte, as versions do; what names no version comes before all that
    do, by its name. ``2.10.0-rc.1`` is above ``2.9.0`` and below ``2.10.0``."""
    is_version, version, _ = version_order(tag)
    if not is_version:
        return f"0{tag}"
    numbers = "".join(_number(each) for each in (version.major, version.minor, version.patch))
    return f"1{numbers}{_prerelease(version.prerelease)} {tag}"


def standing(state: TagState) -> Standing:
    """How the tag stands."""
    if not state.digest and _was_there(state):
        return "gone"
    if state.differ_at is not None:
        return "differ"
    if state.complete_at is not None:
        return "complete"
    return "incomplete" if state.late_at is None else "late"


def _was_there(state: TagState) -> bool:
    seen = (state.first_seen, *(place.first_seen for place in state.places))
    return state.was_there or any(each is not None for each in seen)


def _prerelease(text: str | None) -> str:
    if not text:
        return _FINAL
    return "-" + "".join(_identifier(each) for each in text.split("."))


def _identifier(text: str) -> str:
    """Numbers come before words, and fewer identifiers before more."""
    return f"a{_number(int(text))}" if text.isdecimal() else f"b{text}{_END}"


def _number(value: int) -> str:
    """Its digits, after how many there are: a tag has no more than 128 characters."""
    digits = str(value)
    return f"{len(digits):03}{digits}"
